package reactor

import (
	"time"

	"github.com/gobwas/ws"

	"groupcast/loop/order"
)

// Sessions that hold memory, and what becomes of them where it is short.

// holds is what would be free without s, if nobody else held it.
func (r *Reactor) holds(s *Session) (n int64) {
	if s.is(flagBlocked) {
		n = int64(s.backlog) + r.memory.blockedBytes
	}
	if s.is(flagHalf) {
		n += int64(s.decoder.Held())
	}
	if s.head != nil {
		n += int64(cap(*s.head))
	}
	if s.via == viaTLS {
		n += int64(len(r.secured[s].sealed))
	}
	return n
}

// Holder is a session that holds memory.
type Holder struct {
	ID    order.SessionID
	Bytes int64
	Quiet time.Duration // since the last byte from it, in whole ticks
}

// HoldersPart is what a reactor says of its holders in one go.
type HoldersPart struct {
	Holders []Holder
	Next    int // slot to go on with, 0 at the end
}

// ListHolders are those that hold at least so many bytes and could be closed for it, in
// scanSlots slots from slot on.
func (r *Reactor) ListHolders(slot int, least int64) (part HoldersPart) {
	slots := r.sessions.slots
	for end := min(slot+scanSlots, len(slots)); slot < end; slot++ {
		s := slots[slot]
		if s == nil || s.state > stateOpen {
			continue
		}
		if n := r.holds(s); n >= least {
			part.Holders = append(part.Holders, Holder{s.ID(), n, time.Duration(r.wheel.now-s.lastSeen) * r.every})
		}
	}
	if slot < len(slots) {
		part.Next = slot
	}
	return part
}

// Shed closes sessions for want of memory, and reports how many. Each lets go of all that
// it holds here, but for what is partly out; what the kernel has of it goes with its end.
func (r *Reactor) Shed(ids []order.SessionID) (closed int) {
	for _, id := range ids {
		s := r.session(id)
		if s == nil || s.state > stateOpen {
			continue
		}
		closed++
		r.stats.MemoryClosed++
		if s.is(flagBlocked) {
			r.memory.shed++
		}
		s.set(flagShed)
		if s.decoder != nil { // what it was in the middle of is of no use any more
			r.uncountHalf(s)
			s.decoder.Reset()
		}
		if s.state == stateOpen {
			r.truncate(s)
		}
		r.closeWith(s, ws.StatusPolicyViolation, shedReason)
	}
	r.settle()
	r.tellMemoryNow()
	return closed
}

const shedReason = "the server is short of memory, and this session held most of it"

// ResetShed ends the sessions at once that Shed has closed and that are still here, in
// scanSlots slots from slot on; it returns where to go on, 0 at the end.
func (r *Reactor) ResetShed(slot int) (next int) {
	slots := r.sessions.slots
	for end := min(slot+scanSlots, len(slots)); slot < end; slot++ {
		if s := slots[slot]; s != nil && s.is(flagShed) && s.state == stateClosing {
			r.stats.Resets++
			if n := s.outstanding(); n > 0 {
				r.shared.Cut(1, n)
			}
			r.reset(s)
		}
	}
	r.settle()
	r.tellMemoryNow()
	if slot < len(slots) {
		return slot
	}
	return 0
}
