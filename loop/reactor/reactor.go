package reactor

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// Reactor is one event loop's world: its sessions, its groups, its two rings.
//
// Owner: the loop's goroutine. Other goroutines may only call what says so.
type Reactor struct {
	index  int
	shared *Shared
	opt    *Options // in force; what it points to never changes
	el     gnet.EventLoop

	// Conns are the connections on this loop, or on their way to it. For any goroutine.
	Conns atomic.Int32

	sessions sessionTable
	groups   groupMap
	users    userTable
	wheel    wheel

	port      *order.Port // to the broker and back
	whileFull func()      // catchUp, made once
	// sent and returned count what this reactor's sessions had pushed into
	// ingress, and what of it has come back. The rings keep the order, so that a
	// session has something under way exactly if its lastSend is not back.
	sent, returned uint32
	// place is that of the last message taken, in the order. Who joins a group now gets
	// all of its messages behind that, and none before.
	place uint64

	// The batch being delivered: its dirty sessions, of which flushed are
	// done, and the chunks built for it. See delivery.go.
	dirty      []*Session
	flushed    int
	batch      batch
	delivering bool
	marking    bool    // see mayMove
	named      []named // of the publication that is being delivered; see users.go

	outbox *outbox // of those who come and go; nil: nobody wants to know

	doomed  []*Session // dead, to be buried by reap
	current *Session   // whose bytes are being read; its gnet callback buries it

	// The yield channel: a byte written to control comes back as an ordinary
	// event, behind those of other sockets. yielding is set while one is out.
	control  int
	yielding bool
	traffic  int // reads since the egress ring was last looked at

	// Scratch, and pools of what sessions need only at times.
	scratch  []byte
	reply    []byte
	behind   []byte    // answers to the session being read, behind its sends
	chunks   chunkPool // of batches
	replies  chunkPool // private ones, all small
	queues   freeList[outQueue]
	decoders freeList[protocol.Decoder]
	heads    freeList[[]byte]
	parsers  parsers
	command  protocol.Command
	upgrade  protocol.Handshaker
	limits   protocol.Limits

	writable *writable
	// write is rawWrite, watch is writable.watch and unacked is unackedBytes;
	// sessions without a socket put their own in their places.
	write   func(fd int32, b []byte) (n int, errno unix.Errno)
	watch   func(s *Session) error
	unacked func(fd int32) int
	watched map[*Session]progress // see progress.go
	// later is when sessions are looked at for silence that are looked at before that
	// because their identity is about to be over; wall is time.Now, or a test's.
	later map[*Session]uint32
	wall  func() time.Time

	// What only some sessions have: TLS, and an address that a proxy told.
	secured map[*Session]*secured
	remotes map[*Session]net.Addr
	// intakes are those of sessions that have sent something under ReceiveRate.
	intakes map[*Session]*intake
	sealing []byte // scratch: what is encrypted
	opened  []byte // scratch: what was decrypted

	// Acks of joins that wait for the bus, how many for other goroutines to read, and whether
	// a look at the time is on its way to them.
	acks        waitingAcks
	acksWaiting atomic.Int32
	ackTicking  atomic.Bool

	draining  bool          // publishes are refused
	atBarrier bool          // the drain's barrier has been taken from the ring
	drained   chan struct{} // closed once all before the barrier is flushed

	// Ticks, see clock.go: one is in flight at most, so that a stalled loop
	// collects none.
	ticking  atomic.Bool
	lastTick atomic.Int64  // when the last one ran, in nanoseconds since the engine's start
	every    time.Duration // how long one lasts
	ticked   time.Duration // the time that wheel.now stands for, since the engine's start
	overdue  uint8         // yields until the ticks that came late are made

	onWake     gnet.Runnable
	onTick     gnet.Runnable
	onAckTick  gnet.Runnable
	onWritable gnet.Runnable

	now    int64 // when the current callback began, in nanoseconds since the engine's start
	stats  Stats
	memory memory
	gapped gapped // who is to be closed because a group of theirs has lost messages
}

// runnable adapts a method to gnet without an allocation a call.
func runnable(f func()) gnet.Runnable {
	return gnet.RunnableFunc(func(context.Context) error { f(); return nil })
}

// execute has the loop run a preallocated Runnable soon. Order among
// executions is not kept.
func (r *Reactor) execute(run gnet.Runnable) error {
	return r.el.Execute(context.Background(), run)
}

// wakeUp has the loop take what is in its egress ring. The broker calls it.
func (r *Reactor) wakeUp() {
	if err := r.execute(r.onWake); err != nil {
		r.shared.Fail(fmt.Errorf("wake reactor %d: %w", r.index, err))
	}
}

// yield comes back to turn after other events have had theirs. An Execute
// would not: gnet empties that queue before it polls again.
func (r *Reactor) yield() {
	if r.yielding {
		return
	}
	r.yielding = true
	if _, errno := rawWrite(int32(r.control), []byte{0}); errno != 0 {
		r.shared.Fail(fmt.Errorf("yield reactor %d: %w", r.index, errno))
	}
}

// publish hands m to the broker. Where its ring is full, batches are delivered
// meanwhile: when it returns, any session may have died.
func (r *Reactor) publish(m *order.Message) {
	if r.port.Publish(m, r.whileFull) {
		// Nobody wakes a loop that slept in there for what it has not taken: the
		// turn that this brings arms it again.
		r.yield()
	}
}

// mayMove ends the process if a member is about to come or go while members are
// being marked: the list that is walked would change under the walk, and a member
// get a message twice or not at all.
func (r *Reactor) mayMove() {
	if r.marking {
		panic("reactor: a member came or went while members were being marked")
	}
}

// session returns the session of that id, if it is one of ours and still there.
func (r *Reactor) session(id order.SessionID) *Session {
	if id.Reactor() != r.index {
		return nil
	}
	return r.sessions.get(id.Slot(), id.Generation())
}

// underway reports whether s has sent something that is not back yet.
func (r *Reactor) underway(s *Session) bool { return int32(s.lastSend-r.returned) > 0 }

// clock looks at the time. A callback does so when it begins and when it ends;
// what happens in it takes r.now for the present.
func (r *Reactor) clock() int64 {
	r.now = int64(time.Since(r.shared.Start))
	return r.now
}

// busy runs what is neither a read nor a turn, which count their own time.
func (r *Reactor) busy(f func()) {
	began := r.clock()
	f()
	r.stats.BusyNanos += uint64(r.clock() - began)
}

// remote is the client's address.
func (s *Session) remote() net.Addr {
	if s.is(flagProxied) {
		return s.r.remotes[s]
	}
	return s.conn.RemoteAddr()
}
