package loop

import (
	"errors"
	"fmt"
	"net"

	"groupcast/loop/accept"
)

// Enrolling hands a connection to a loop. The acceptor names the loop and goes
// on; the loop takes the connection when it gets to it. So a loop that is busy
// keeps nobody waiting who could be served by another.

// errNotTaken: epoll would not have it, for want of memory or by its own limit.
var errNotTaken = errors.New("the event loop could not watch the connection")

// enrol hands a connection, which has been counted, to the loop that has least to do. It
// waits if no loop has room.
func (e *Engine) enrol(a *Admission) {
	c := a.Conn
	// gnet returns the zones' bytes to a pool that they did not come from.
	clearZone(c.RemoteAddr())
	clearZone(c.LocalAddr())
	for waited := false; ; waited = true {
		for _, n := range e.byLoad() {
			if n.tryEnrol(a) {
				if waited {
					e.tellEnrolled() // there may be more room, and more acceptors that wait for it
				}
				return
			}
		}
		select {
		case <-e.enrolled:
		case <-e.stopped:
			e.shared.ExitAddress(a.remote())
			e.shared.ExitUser(a.Who)
			e.unreserve()
			_ = c.Close()
			return
		}
	}
}

// clearZone forgets the zone of an IPv6 address.
func clearZone(addr net.Addr) {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		tcp.Zone = ""
	}
}

// byLoad are the ways in, the one first that should get a new connection: of
// those that keep nobody waiting for long the one with the fewest connections.
func (e *Engine) byLoad() []*enroller {
	best, least := 0, int64(-1)
	for i, n := range e.enrollers {
		load := int64(n.lag())<<32 + int64(n.r.Conns.Load())
		if least < 0 || load < least {
			best, least = i, load
		}
	}
	return e.rotated[best : best+len(e.enrollers)]
}

// answerEnrolments sees to it that each connection that n has handed over is taken, or
// counted no more.
func (e *Engine) answerEnrolments(n *enroller) {
	for one := range n.pending {
		n.oldest.Store(one.began)
		result := <-one.taken
		n.oldest.Store(0)
		err := result.Err
		// gnet answers with success even where the loop could not take it; but it
		// has waited for the loop, so what OnOpen did can be seen.
		if err == nil && !one.session.Opened() {
			err = errNotTaken
		}
		if err == nil {
			e.accepted.Add(1)
		} else {
			n.r.Conns.Add(-1)
			e.shared.ExitAddress(one.addr)
			e.shared.ExitUser(one.who)
			e.unreserve()
			err = fmt.Errorf("enrol: %w", err)
			e.enrolFailed.Store(&err)
		}
		n.waiting.Add(-1)
		e.tellEnrolled()
	}
}

// tellEnrolled lets an acceptor that waits for room look again.
func (e *Engine) tellEnrolled() {
	select {
	case e.enrolled <- struct{}{}:
	default:
	}
}

// Trouble is a reason for an acceptor that calls Admit to pause, if there has been one since it
// was last asked: the process is out of descriptors or memory.
func (e *Engine) Trouble() error { return e.enrolTrouble() }

// enrolTrouble is what went wrong with an enrolment since it was last asked, if
// that is a reason for accepting to pause: for want of descriptors or memory. A
// connection's own trouble is counted.
func (e *Engine) enrolTrouble() error {
	failed := e.enrolFailed.Swap(nil)
	if failed == nil {
		return nil
	}
	if !errors.Is(*failed, errNotTaken) && !accept.Transient(*failed) {
		e.acceptErrors.Add(1)
		return nil
	}
	return *failed
}
