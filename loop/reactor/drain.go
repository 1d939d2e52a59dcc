package reactor

import (
	"math"

	"github.com/gobwas/ws"

	"groupcast/loop/order"
)

// What a reactor does in an orderly end; the engine's Drain says when.

// StartDrain refuses publishes and sends this reactor's barrier to the broker. Acks of joins wait
// for the bus no more.
func (r *Reactor) StartDrain() {
	if !r.draining {
		r.draining = true
		// Nothing that other nodes publish comes any more.
		r.releaseUntil(math.MaxInt64, &r.stats.JoinsDraining)
		r.emptyOutbox()
		r.publish(order.NewBarrier())
		r.settle()
	}
}

// Draining reports whether publishes are refused.
func (r *Reactor) Draining() bool { return r.draining }

// Drained is closed once all that was accepted before the drain has been handed to
// the kernel, or waits in the backlog of a session that is slow to read. For any
// goroutine.
func (r *Reactor) Drained() <-chan struct{} { return r.drained }

// CloseSome begins the close handshake of up to n open sessions, and returns
// whether any are left; next is where the search goes on.
func (r *Reactor) CloseSome(next *int, n int, code ws.StatusCode) (more bool) {
	slots := r.sessions.slots
	for n > 0 && *next < len(slots) {
		if s := slots[*next]; s != nil && s.state <= stateOpen {
			r.closeWith(s, code, "")
			n--
		}
		*next++
	}
	r.settle()
	return *next < len(slots)
}

// Unfinished counts the sessions that have not acknowledged all there is for
// them, and those bytes.
func (r *Reactor) Unfinished() (u Unfinished) {
	for _, s := range r.sessions.slots {
		if s == nil || s.state == stateDead {
			continue
		}
		if n := s.outstanding(); n > 0 {
			u.Sessions++
			u.Bytes += n
		}
	}
	return u
}

// Unfinished are sessions that have not acknowledged all there is for them.
type Unfinished struct {
	Sessions int
	Bytes    int64 // that they have not
}
