package door

import (
	"net/netip"
	"time"

	"groupcast/loop/quota"
)

// Exhausted reports whether a has nothing left of its own bucket at the time now, and takes
// nothing from it: where it is failures that are limited, which Allow counts.
func (r *RateLimit) Exhausted(a netip.Addr, now time.Time) bool {
	if r.o.PerAddress == 0 || !a.IsValid() {
		return false
	}
	key := quota.AddressKey(a, r.o.IPv6Bits)
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.young[key]
	if b == nil {
		b = r.old[key]
	}
	return b != nil && b.TokensAt(now) < 1
}
