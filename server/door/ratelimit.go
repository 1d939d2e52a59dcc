package door

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"groupcast/loop/quota"
)

// RateOptions are the limits of a RateLimit. A rate of 0 is no limit.
type RateOptions struct {
	PerAddress      float64 // a second and address, see quota.AddressKey
	PerAddressBurst int     // at once
	InAll           float64 // a second
	InAllBurst      int     // at once
	IPv6Bits        int     // how much of an IPv6 address counts; 0 is 64
	MaxAddresses    int     // remembered at a time, some 200 bytes each; 0 is 65,536
	// Uncounted are addresses that have no limit of their own: proxies', which speak for many.
	Uncounted Networks
}

// RateLimit says how often something may happen, handshakes above all, for each address and
// in all: a token bucket each.
//
// It remembers a bounded number of addresses. Those that come back after their bucket is full
// again are forgotten without loss; if more come than it remembers, the oldest are
// forgotten too early and have their burst anew. Then the limit in all is what holds.
// Owner: the server; every method may be called by any goroutine.
type RateLimit struct {
	o     RateOptions
	inAll *rate.Limiter

	mu       sync.Mutex
	young    map[netip.Prefix]*rate.Limiter // seen since turned
	old      map[netip.Prefix]*rate.Limiter // seen in the time before
	turned   time.Time
	counters RateCounters
}

// RateCounters is what became of the questions so far, and how many addresses are
// remembered now.
type RateCounters struct {
	Allowed, RefusedByAddress, RefusedInAll uint64
	Addresses                               int
}

// NewRateLimit is a RateLimit as o says. The errors are for the operator.
func NewRateLimit(o RateOptions) (*RateLimit, error) {
	if o.IPv6Bits == 0 {
		o.IPv6Bits = 64
	}
	if o.MaxAddresses == 0 {
		o.MaxAddresses = 1 << 16
	}
	switch {
	case !(o.PerAddress >= 0) || !(o.InAll >= 0): // NaN, too
		return nil, fmt.Errorf("wants rates of at least 0 a second, got %v and %v", o.PerAddress, o.InAll)
	case o.PerAddress > 0 && o.PerAddressBurst < 1, o.InAll > 0 && o.InAllBurst < 1:
		return nil, errors.New("wants a burst of at least 1 beside a rate")
	case o.IPv6Bits < 1 || o.IPv6Bits > 128:
		return nil, fmt.Errorf("wants 1 to 128 bits of an IPv6 address, got %d", o.IPv6Bits)
	case o.MaxAddresses < 2:
		return nil, fmt.Errorf("wants at least 2 addresses, got %d", o.MaxAddresses)
	}
	r := &RateLimit{o: o, young: make(map[netip.Prefix]*rate.Limiter)}
	if o.InAll > 0 {
		r.inAll = rate.NewLimiter(rate.Limit(o.InAll), o.InAllBurst)
	}
	return r, nil
}

// Allow reports whether a may once more, at the time now. What an address has too much takes
// nothing from the others. An a that is not valid, a unix socket's peer, and one of Uncounted
// are limited in all alone.
func (r *RateLimit) Allow(a netip.Addr, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if key, ok := r.keyOf(a); ok && !r.bucket(key, now).AllowN(now, 1) {
		r.counters.RefusedByAddress++
		return false
	}
	if r.inAll != nil && !r.inAll.AllowN(now, 1) {
		r.counters.RefusedInAll++
		return false
	}
	r.counters.Allowed++
	return true
}

// keyOf is what a's bucket is found by, if it has one.
func (r *RateLimit) keyOf(a netip.Addr) (netip.Prefix, bool) {
	if r.o.PerAddress == 0 {
		return netip.Prefix{}, false
	}
	key := quota.AddressKey(a, r.o.IPv6Bits, r.o.Uncounted...)
	return key, key.IsValid()
}

// bucket is key's. The caller holds mu.
func (r *RateLimit) bucket(key netip.Prefix, now time.Time) *rate.Limiter {
	// The time in which an empty bucket gets full.
	full := time.Duration(float64(r.o.PerAddressBurst) / r.o.PerAddress * float64(time.Second))
	b := r.young[key]
	if b != nil && now.Sub(r.turned) < full {
		return b
	}
	if len(r.young) >= r.o.MaxAddresses/2 && b == nil || now.Sub(r.turned) >= full {
		if now.Sub(r.turned) >= 2*full {
			r.young = nil // all are full again
		}
		r.old, r.young, r.turned = r.young, make(map[netip.Prefix]*rate.Limiter), now
		b = nil
	}
	if b == nil {
		if b = r.old[key]; b == nil {
			b = rate.NewLimiter(rate.Limit(r.o.PerAddress), r.o.PerAddressBurst)
		}
		delete(r.old, key)
		r.young[key] = b
	}
	return b
}

// Counters is what became of the questions so far.
func (r *RateLimit) Counters() RateCounters {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.counters
	c.Addresses = len(r.young) + len(r.old)
	return c
}
