package loop

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"net"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"

	"groupcast/loop/accept"
)

// Enrolling hands a connection to a loop. The acceptor names the loop and goes
// on; the loop takes the connection when it gets to it. So a loop that is busy
// keeps nobody waiting who could be served by another.

// maxEnrolling is how many connections are on their way to one loop. Beyond it
// they go to another loop, or stay in the kernel's queue.
const maxEnrolling = 16

// enroller is the way in to one reactor.
//
// Owner: any acceptor calls tryEnrol; run is for one goroutine.
type enroller struct {
	r       *reactor
	pending chan enrolment // capacity maxEnrolling
	waiting atomic.Int32   // enrolments that have not been answered
	oldest  atomic.Int64   // when the first of them began, in nanoseconds since the engine's start; 0 if there is none
	conns   atomic.Int32   // connections on this loop, or on their way to it
}

type enrolment struct {
	began   int64 // in nanoseconds since the engine's start
	session *Session
	addr    net.Addr
	taken   <-chan gnet.RegisteredResult
}

// errNotTaken: epoll would not have it, for want of memory or by its own limit.
var errNotTaken = errors.New("the event loop could not watch the connection")

// enrol hands c, which has been counted, to the loop that has least to do. It
// waits if none has room.
func (e *Engine) enrol(c net.Conn) {
	// gnet returns the zones' bytes to a pool that they did not come from.
	clearZone(c.RemoteAddr())
	clearZone(c.LocalAddr())
	for {
		for _, r := range e.byLoad() {
			if r.enroll.tryEnrol(c) {
				return
			}
		}
		select {
		case <-e.enrolled: // some loop has taken one
			select { // more than one acceptor may wait for that
			case e.enrolled <- struct{}{}:
			default:
			}
		case <-e.stopped:
			e.exitAddress(c.RemoteAddr())
			e.unreserve()
			_ = c.Close()
			return
		}
	}
}

// byLoad are the reactors, the one first that should get a new connection: of
// those that keep nobody waiting for long the one with the fewest connections.
func (e *Engine) byLoad() []*reactor {
	best, least := 0, int64(-1)
	for i, r := range e.reactors {
		load := int64(r.enroll.lag())<<32 + int64(r.enroll.conns.Load())
		if least < 0 || load < least {
			best, least = i, load
		}
	}
	return e.rotated[best : best+len(e.reactors)]
}

// lag is for how long the loop has left an enrolment unanswered, as a power of
// two milliseconds: 0 is less than one.
func (n *enroller) lag() int {
	oldest := n.oldest.Load()
	if oldest == 0 {
		return 0
	}
	return bits.Len64(uint64(max(0, int64(time.Since(n.r.engine.start))-oldest)) / uint64(time.Millisecond))
}

// tryEnrol begins to hand c to the loop, unless too many are on their way there.
func (n *enroller) tryEnrol(c net.Conn) bool {
	if n.waiting.Add(1) > maxEnrolling {
		n.waiting.Add(-1)
		return false
	}
	n.conns.Add(1)
	one := enrolment{began: int64(time.Since(n.r.engine.start)), session: new(Session), addr: c.RemoteAddr()}
	taken, err := n.r.el.Enroll(gnet.NewContext(context.Background(), one.session), c)
	if err != nil {
		_ = c.Close()
		failed := make(chan gnet.RegisteredResult, 1)
		failed <- gnet.RegisteredResult{Err: err}
		taken = failed
	}
	one.taken = taken
	n.pending <- one // has room: maxEnrolling are waiting at most
	return true
}

// run sees to it that each connection is taken, or counted no more.
func (n *enroller) run() {
	e := n.r.engine
	for one := range n.pending {
		n.oldest.Store(one.began)
		result := <-one.taken
		n.oldest.Store(0)
		err := result.Err
		// gnet answers with success even where the loop could not take it; but it
		// has waited for the loop, so what OnOpen did can be seen.
		if err == nil && one.session.r == nil {
			err = errNotTaken
		}
		if err == nil {
			e.accepted.Add(1)
		} else {
			n.conns.Add(-1)
			e.exitAddress(one.addr)
			e.unreserve()
			err = fmt.Errorf("enrol: %w", err)
			e.enrolFailed.Store(&err)
		}
		n.waiting.Add(-1)
		select {
		case e.enrolled <- struct{}{}:
		default:
		}
	}
}

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
