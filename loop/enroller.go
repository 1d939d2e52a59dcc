package loop

import (
	"context"
	"math/bits"
	"net"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"

	"groupcast/loop/reactor"
)

// MaxEnrolling is how many connections are on their way to one loop. Beyond it
// they go to another loop, or stay in the kernel's queue. Each holds two descriptors
// until it has arrived.
const MaxEnrolling = 16

// enroller is the way in to one reactor.
//
// Owner: any acceptor calls tryEnrol; pending is received from by one goroutine.
type enroller struct {
	start   time.Time // of the engine
	r       *reactor.Reactor
	pending chan enrolment // capacity MaxEnrolling
	waiting atomic.Int32   // enrolments that have not been answered
	oldest  atomic.Int64   // when the first of them began, in nanoseconds since the engine's start; 0 if there is none
}

func newEnroller(start time.Time, r *reactor.Reactor) *enroller {
	return &enroller{start: start, r: r, pending: make(chan enrolment, MaxEnrolling)}
}

type enrolment struct {
	began   int64 // in nanoseconds since the engine's start
	session *Session
	addr    net.Addr
	who     *Identity
	taken   <-chan gnet.RegisteredResult
}

// lag is for how long the loop has left an enrolment unanswered, as a power of
// two milliseconds: 0 is less than one.
func (n *enroller) lag() int {
	oldest := n.oldest.Load()
	if oldest == 0 {
		return 0
	}
	return bits.Len64(uint64(max(0, int64(time.Since(n.start))-oldest)) / uint64(time.Millisecond))
}

// tryEnrol begins to hand c to the loop, unless too many are on their way there.
func (n *enroller) tryEnrol(a *Admission) bool {
	if n.waiting.Add(1) > MaxEnrolling {
		n.waiting.Add(-1)
		return false
	}
	n.r.Conns.Add(1)
	one := enrolment{
		began:   int64(time.Since(n.start)),
		session: reactor.NewSession(),
		addr:    a.remote(),
		who:     a.Who,
	}
	// Most connections have nothing to tell but their session.
	var about any = one.session
	if a.Read != nil || a.Who != nil || a.TLS != nil || a.Remote != nil || !a.Began.IsZero() {
		about = &reactor.Newcomer{
			Session: one.session, Began: a.Began, Read: a.Read, Who: a.Who, TLS: a.TLS, Remote: a.Remote,
		}
	}
	taken, err := n.r.Loop().Enroll(gnet.NewContext(context.Background(), about), a.Conn)
	if err != nil {
		_ = a.Conn.Close()
		failed := make(chan gnet.RegisteredResult, 1)
		failed <- gnet.RegisteredResult{Err: err}
		taken = failed
	}
	one.taken = taken
	n.pending <- one // has room: MaxEnrolling are waiting at most
	return true
}
