package reactor

import (
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"groupcast/protocol"
)

// peer is the other side of a simulated session: a kernel buffer that takes so
// much, and a reader who acknowledges what he likes.
type peer struct {
	t      *testing.T
	r      *Reactor
	s      *Session
	room   int // bytes that the kernel still takes
	unread int // bytes that the kernel holds unacknowledged
	got    []byte
}

// simulatePeer adds an open session of group g whose other side is the result. On the loop.
func (r *Reactor) simulatePeer(room int) *peer {
	p := &peer{r: r, s: r.simulate(1, protocol.ModeBare)[0], room: room}
	p.s.joinAs("g")
	r.wheel.schedule(p.s, r.wheel.now+r.ticks(r.opt.PingAfter))
	r.watch = func(*Session) error { return nil }
	r.unacked = func(int32) int { return p.unread }
	r.write = func(fd int32, b []byte) (int, unix.Errno) {
		n := min(p.room, len(b))
		if fd != p.s.fd || n == 0 {
			return 0, unix.EAGAIN
		}
		p.room -= n
		p.unread += n
		p.got = append(p.got, b[:n]...)
		return n, 0
	}
	return p
}

// read acknowledges up to n bytes, which makes room for as many.
func (p *peer) read(n int) {
	n = min(n, p.unread)
	p.unread -= n
	p.room += n
	if p.s.is(flagBlocked) && p.s.state != stateDead {
		p.r.unblock(p.s)
		p.r.deliverAll()
	}
}

func (p *peer) readAll() {
	for p.unread > 0 {
		p.read(p.unread)
	}
}

// publish has the group get n bytes.
func (p *peer) publish(n int) {
	p.r.inject(textMessage("g", string(make([]byte, n))))
	p.r.deliverAll()
}

// fill brings the backlog to exactly its limit, of 80,000 bytes.
func (p *peer) fill() {
	p.t.Helper()
	p.publish(1000)
	p.publish(79_000 - 2*chunkOverhead)
	p.publish(p.r.opt.MaxBacklogBytes - int(p.s.backlog) - chunkOverhead - 4)
	if int(p.s.backlog) != p.r.opt.MaxBacklogBytes {
		p.t.Fatalf("a backlog of %d", p.s.backlog)
	}
}

// pass lets so much time go by, with step after each tick.
func (p *peer) pass(d time.Duration, step func()) {
	for n := p.r.ticks(d); n > 0; n-- {
		p.r.makeTicks(1)
		p.r.deliverAll()
		if step != nil {
			step()
		}
	}
}

func (p *peer) hasPing(tb testing.TB) bool {
	tb.Helper()
	for b := p.got; len(b) > 0; b = b[min(len(b), protocol.NextFrame(b)):] {
		if ws.OpCode(b[0]&0xf) == ws.OpPing {
			return true
		}
	}
	return false
}

func (r *Reactor) pong(s *Session) {
	r.read(s, ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewPongFrame(nil))))
}

// TestPingBehindBacklog: the socket is full when a ping is due.
func TestPingBehindBacklog(t *testing.T) {
	onPeer := func(name string, test func(p *peer)) {
		t.Run(name, func(t *testing.T) {
			e := startSim(t, func(o *Options) {
				o.PingAfter, o.CloseAfter = 20*time.Second, 40*time.Second
				o.MaxBacklogBytes = 80_000
			})
			r := e.reactors[0]
			onLoop(t, r, func() {
				p := r.simulatePeer(1000)
				p.t = t
				test(p)
				r.doomed = nil // it has no connection to bury
				r.wheel.cancel(p.s)
				p.s.dropQueue()
				r.clearBlocked(p.s)
			})
		})
	}
	open := func(t *testing.T, p *peer, when string) {
		t.Helper()
		if p.s.state != stateOpen {
			t.Fatalf("%s: the session is closed", when)
		}
	}
	closed := func(t *testing.T, p *peer, when string) {
		t.Helper()
		if p.s.state == stateOpen || p.r.stats.IdleClosed != 1 {
			t.Fatalf("%s: the session is open", when)
		}
	}
	onPeer("reads all and answers", func(p *peer) {
		t := p.t
		p.publish(5000)
		p.pass(20*time.Second, nil)
		p.readAll()
		if !p.hasPing(t) {
			t.Fatal("no ping came behind what it had not read")
		}
		p.pass(15*time.Second, nil)
		p.r.pong(p.s)
		p.pass(30*time.Second, nil)
		open(t, p, "after its pong")
		p.pass(20*time.Second, nil)
		closed(t, p, "silent, with nothing more to read")
	})
	onPeer("reads a little at a time", func(p *peer) {
		t := p.t
		p.publish(5000)
		p.pass(300*time.Second, func() { p.read(10) })
		open(t, p, "on its way to the ping")
		p.readAll()
		p.pass(15*time.Second, nil)
		open(t, p, "with its time to answer")
		p.pass(40*time.Second, nil)
		closed(t, p, "with the ping and silent")
	})
	onPeer("reads all and never answers", func(p *peer) {
		t := p.t
		p.publish(5000)
		p.pass(20*time.Second, nil)
		p.pass(50*time.Second, func() {
			p.publish(100)
			p.readAll()
		})
		closed(t, p, "with the ping and silent")
	})
	onPeer("has not got what the kernel took", func(p *peer) {
		t := p.t
		p.publish(500) // not blocked
		p.pass(90*time.Second, func() { p.read(3) })
		open(t, p, "on its way to the ping")
		if p.r.stats.Pings != 1 {
			t.Errorf("%d pings, want 1", p.r.stats.Pings)
		}
	})
	onPeer("reads nothing", func(p *peer) {
		t := p.t
		p.publish(5000)
		p.pass(38*time.Second, nil)
		open(t, p, "before --close-after")
		p.pass(4*time.Second, nil)
		closed(t, p, "after it")
	})
	onPeer("no room for a ping", func(p *peer) {
		t := p.t
		p.fill()
		p.pass(21*time.Second, nil)
		open(t, p, "pinged at its limit")
		if p.r.stats.Pings != 0 || p.r.stats.SlowReaders != 0 {
			t.Fatalf("%d pings, %d slow readers", p.r.stats.Pings, p.r.stats.SlowReaders)
		}
		p.pass(100*time.Second, func() { p.read(500) })
		open(t, p, "reading")
		if p.r.stats.Pings != 1 {
			t.Errorf("%d pings once there was room, want 1", p.r.stats.Pings)
		}
	})
	onPeer("no room for a ping, reads nothing", func(p *peer) {
		t := p.t
		p.fill()
		p.pass(43*time.Second, nil)
		closed(t, p, "after --close-after")
	})
}

// TestCloseProgress: how long a close handshake lasts, by what the peer takes of
// what stands before the close frame.
func TestCloseProgress(t *testing.T) {
	const rate = 1000
	for _, test := range []struct {
		name     string
		queued   int
		read     func(tick int) int
		draining bool
		from, to int // ticks of a second until it is over
		cut      bool
	}{
		{"reads nothing", 100_000, func(int) int { return 0 }, false, 5, 7, true},
		{"reads faster than that", 100_000, func(int) int { return 10 * rate }, false, 14, 18, false},
		{"reads at the rate until the limit", 100_000, func(int) int { return rate }, false, 30, 33, true},
		{"reads at the rate in a drain", 100_000, func(int) int { return rate }, true, 104, 109, false},
		{"reads below the rate", 100_000, func(int) int { return rate * 8 / 10 }, false, 5, 8, true},
		{"reads in bursts", 100_000, func(tick int) int {
			if tick%4 == 0 {
				return 5 * rate
			}
			return 0
		}, true, 78, 90, false},
		{"stops after a while", 100_000, func(tick int) int { return rate * max(0, min(1, 10-tick)) }, false, 13, 17, true},
		{"takes all and says nothing", 10, func(int) int { return rate }, false, 5, 8, false},
		{"takes the last of it late", 10, func(tick int) int { return rate * max(0, tick-3) }, false, 9, 13, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := startSim(t, func(o *Options) {
				o.CloseTimeout, o.CloseRate, o.CloseLimit = 5*time.Second, rate, 30*time.Second
				o.MaxMessageBytes = 200_000
			})
			r := e.reactors[0]
			onLoop(t, r, func() {
				p := r.simulatePeer(20_000)
				r.draining = test.draining
				p.publish(test.queued)
				queued := p.s.waiting() + int64(p.unread)
				r.closeWith(p.s, ws.StatusGoingAway, "")
				p.s.set(flagFinSent) // there is no socket to be shut
				r.deliverAll()
				tick := 0
				for ; p.s.state != stateDead && tick < 200; tick++ {
					p.read(test.read(tick))
					p.pass(0, nil)
				}
				if tick < test.from || tick > test.to {
					t.Errorf("over after %d ticks, want %d to %d", tick, test.from, test.to)
				}
				cut := int64(e.shared.CutBytes.Load())
				if n := e.shared.CutSessions.Load(); (n == 1) != test.cut || (cut > 0) != test.cut || cut > queued+4 {
					t.Errorf("%d sessions and %d of %d bytes cut", n, cut, queued)
				}
				if r.stats.Resets != 1 {
					t.Errorf("%d close handshakes ran out of time", r.stats.Resets)
				}
				r.doomed = nil
				r.draining = false
			})
		})
	}
}

// TestPingedThenClosed: what was noted of a session that was pinged behind a backlog
// does not count for its close handshake.
func TestPingedThenClosed(t *testing.T) {
	e := startSim(t, func(o *Options) {
		o.PingAfter, o.CloseAfter, o.CloseTimeout = 20*time.Second, 40*time.Second, 5*time.Second
	})
	r := e.reactors[0]
	onLoop(t, r, func() {
		p := r.simulatePeer(1000)
		p.publish(5000)
		p.pass(21*time.Second, nil)
		if len(r.watched) != 1 {
			t.Fatalf("%d are watched", len(r.watched))
		}
		r.closeWith(p.s, ws.StatusGoingAway, "")
		p.pass(2*time.Second, nil)
		if p.s.state != stateClosing {
			t.Errorf("state %d long before its time was over", p.s.state)
		}
		p.pass(5*time.Second, nil)
		if p.s.state != stateDead || e.shared.CutSessions.Load() != 1 {
			t.Errorf("state %d when its time was over", p.s.state)
		}
		p.s.conn = unixConn{}
		r.bury(p.s)
		if len(r.watched) != 0 {
			t.Error("a buried session is watched")
		}
	})
}

// TestUnixProgress: on a unix socket what waits in the kernel may seem to grow while
// the peer reads, since the kernel counts its own overhead.
func TestUnixProgress(t *testing.T) {
	tcp, unix := &Session{}, &Session{conn: unixConn{}}
	for _, test := range []struct {
		from, to  position
		tcp, unix int64
	}{
		{position{1000, 100}, position{1000, 100}, 0, 0},
		{position{1000, 100}, position{1000, 40}, 60, 60},
		{position{1000, 100}, position{1500, 9000}, -8400, 500},
		{position{1000, 100}, position{1200, 0}, 300, 300},
	} {
		if got := tcp.gained(test.from, test.to); got != test.tcp {
			t.Errorf("TCP, %v to %v: %d, want %d", test.from, test.to, got, test.tcp)
		}
		if got := unix.gained(test.from, test.to); got != test.unix {
			t.Errorf("unix, %v to %v: %d, want %d", test.from, test.to, got, test.unix)
		}
	}
}

type unixConn struct{ gnet.Conn }

func (unixConn) RemoteAddr() net.Addr { return &net.UnixAddr{} }
