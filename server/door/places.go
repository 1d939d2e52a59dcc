package door

import (
	"net/netip"
	"runtime/debug"
	"time"

	"groupcast/loop/quota"
)

// The places on a road, and whose they are.

// addressShare is which part of a Road's places one address may have: a quarter.
const addressShare = 4

// traveller is a connection with a place on the road.
type traveller struct {
	Arrival
	known  bool         // who the client is; before that, Peer.Client is a proxy
	key    netip.Prefix // whose share the place counts to; not valid: nobody's
	limits RoadLimits   // when it came
}

// enter gives t a place, with the client's share of them if it is known.
func (r *Road) enter(t *traveller) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return ErrRoadClosed
	}
	t.limits = r.limits
	if r.pending >= t.limits.MaxPending || t.known && !r.takeShare(t) {
		r.counters.full.Add(1)
		return ErrRoadFull
	}
	r.pending++
	r.all.Add(1)
	return nil
}

// takeShare counts t's place to its client's address, which may have a share of all, so that
// others come in beside it. Proxies' own are many clients', and those of a unix socket
// nobody's. The caller holds mu.
func (r *Road) takeShare(t *traveller) bool {
	key := quota.AddressKey(t.Peer.Client.Addr(), t.limits.IPv6Bits, r.o.Uncounted...)
	if !key.IsValid() {
		return true
	}
	if r.each[key] >= max(1, t.limits.MaxPending/addressShare) {
		return false
	}
	r.each[key]++
	t.key = key
	return true
}

// identify is for a client that its proxy has told of: from here on it is limited as if it had
// come itself.
func (r *Road) identify(t *traveller) error {
	t.known = true
	if !r.inTime(t) {
		return ErrTooFast
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.takeShare(t) {
		r.counters.full.Add(1)
		return ErrRoadFull
	}
	return nil
}

// inTime reports whether t's client comes slowly enough.
func (r *Road) inTime(t *traveller) bool {
	if r.o.Rate == nil || r.o.Rate.Allow(t.Peer.Client.Addr(), time.Now()) {
		return true
	}
	r.counters.tooFast.Add(1)
	return false
}

// leave gives the place back. A panic on the way costs this connection and no more.
func (r *Road) leave(t *traveller) {
	if p := recover(); p != nil {
		r.counters.panics.Add(1)
		r.fail(t.Conn, &PanicError{p, debug.Stack()})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending--
	if t.key.IsValid() {
		if r.each[t.key]--; r.each[t.key] == 0 {
			delete(r.each, t.key)
		}
	}
	r.all.Done()
}
