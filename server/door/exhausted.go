package door

import (
	"net/netip"
	"time"
)

// Exhausted reports whether a has nothing left of its own bucket at the time now, and takes
// nothing from it: where it is failures that are limited, which Allow counts.
func (r *RateLimit) Exhausted(a netip.Addr, now time.Time) bool {
	key, ok := r.keyOf(a)
	if !ok {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.young[key]
	if b == nil {
		b = r.old[key]
	}
	return b != nil && b.TokensAt(now) < 1
}

// GiveBack returns to a what Allow took at some time before now: it was no failure after all.
func (r *RateLimit) GiveBack(a netip.Addr, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counters.Allowed--
	if key, ok := r.keyOf(a); ok {
		r.bucket(key, now).AllowN(now, -1) // no bucket holds more than its burst
	}
	if r.inAll != nil {
		r.inAll.AllowN(now, -1)
	}
}
