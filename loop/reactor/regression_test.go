package reactor

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// What went wrong once, each as small as it can be shown.

// TestDeadSessionLetsGo: a session that dies between two batches does not hold
// on to a chunk that is used again for somebody else.
func TestDeadSessionLetsGo(t *testing.T) {
	e := startSim(t, func(o *Options) { o.BatchMessages = 2 })
	r := e.reactors[0]
	onLoop(t, r, func() {
		sessions := r.simulate(2, protocol.ModeBare)
		dead, other := sessions[0], sessions[1]
		dead.joinAs("g")
		r.write = func(fd int32, _ []byte) (int, unix.Errno) {
			if fd == dead.fd {
				return 0, unix.ECONNRESET
			}
			return 0, unix.EAGAIN
		}
		r.watch = func(*Session) error { return nil }
		ack := order.NewMessage([]byte("nobody"), []byte("x"), []byte("7"), true)
		ack.Origin = other.ID()
		r.inject(textMessage("g", "one"), textMessage("g", "two"), ack, textMessage("g", "three"))
		r.deliverAll()
		if dead.state != stateDead || dead.next != nil || dead.groupCount() != 0 {
			t.Errorf("state %d, queue %v, in %d groups", dead.state, dead.next, dead.groupCount())
		}
		want := protocol.AppendFrame(nil, ws.OpText, []byte(`{"cmd":"ack","req_id":7}`))
		r.sessions.remove(dead)
		dead.dropQueue()
		r.simulate(1, protocol.ModeBare)[0].Send(ws.OpText, []byte("for another"))
		if !bytes.Equal(other.next.Buf, want) {
			t.Errorf("queued for the other session: %q, want %q", other.next.Buf, want)
		}
		r.doomed = nil
		r.sink()
	})
}

// TestRefusedPushLooksForRoom: a reactor whose push is refused does not deliver
// for as long as there is something to deliver, but until there is room.
func TestRefusedPushLooksForRoom(t *testing.T) {
	e := startSim(t, func(o *Options) { o.BatchMessages, o.RingSlots = 8, 64 })
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.sink()
		for range 64 {
			r.inject(textMessage("g", "x"))
		}
		r.catchUp()
		if n := r.port.Stats().EgressLen; n != 64-8 {
			t.Errorf("%d messages are left, want %d: one batch was taken", n, 64-8)
		}
		r.deliverAll()
	})
}

// TestSlowBeforeItsUpgradeIsOut: a backlog that is cut while the answer to the
// upgrade is not out yet; that answer is no frame.
func TestSlowBeforeItsUpgradeIsOut(t *testing.T) {
	const head = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	for _, first := range []int{0, 10, 100, 140, 200, 777, 2000, 17_000} {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			e := startSim(t, func(o *Options) { o.MaxBacklogBytes = 70 << 10 })
			r := e.reactors[0]
			onLoop(t, r, func() {
				s := r.simulate(1, protocol.ModeBare)[0]
				s.state = stateHandshake
				room := first
				var out []byte
				r.write = func(_ int32, b []byte) (int, unix.Errno) {
					n := min(room, len(b))
					room -= n
					out = append(out, b[:n]...)
					if n == 0 {
						return 0, unix.EAGAIN
					}
					return n, 0
				}
				r.watch = func(*Session) error { return nil }
				bad := []byte{0x81, 0x81, 0, 0, 0, 0, 'x'} // a command that is answered with an error
				r.read(s, append([]byte(head), bytes.Repeat(bad, 5000)...))
				room = 1 << 20
				r.unblock(s)
				r.deliverAll()
				end := bytes.Index(out, []byte("\r\n\r\n"))
				if end < 0 {
					t.Fatalf("the answer to the upgrade was cut: %q", out)
				}
				frames := texts(t, out[end+4:])
				if code, err := protocol.ParseClose([]byte(frames[len(frames)-1])); err != nil || code != ws.StatusPolicyViolation {
					t.Errorf("the last frame is %q", frames[len(frames)-1])
				}
				r.doomed = nil
			})
		})
	}
}

// TestSlowReaderPinsLittle: what a slow reader keeps alive is in proportion to
// what its backlog counts, also where its messages are in the large buffers of
// busy batches.
func TestSlowReaderPinsLittle(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.watch = func(*Session) error { return nil }
		slow := r.simulate(1, protocol.ModeBare)[0]
		busy := r.simulate(1, protocol.ModeBare)[0]
		slow.joinAs("slow")
		busy.joinAs("busy")
		r.write = func(fd int32, b []byte) (int, unix.Errno) {
			if fd == slow.fd {
				return 0, unix.EAGAIN
			}
			return len(b), 0
		}
		big := string(make([]byte, 30_000))
		for range 100 {
			r.inject(textMessage("slow", "x"), textMessage("slow", "y"), textMessage("busy", big), textMessage("busy", big))
			r.deliverAll()
		}
		pinned := cap(slow.next.Buf)
		for _, c := range slow.more.chunks {
			pinned += cap(c.Buf)
		}
		if pinned > int(slow.backlog) {
			t.Errorf("a backlog of %d keeps %d bytes alive", slow.backlog, pinned)
		}
		if min := 100 * chunkOverhead; int(slow.backlog) < min {
			t.Errorf("a backlog of 100 chunks counts %d, want at least %d", slow.backlog, min)
		}
	})
}

// TestRepliesLeaveNoList: a session that was answered at once is not walked
// again by the next turn.
func TestRepliesLeaveNoList(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.sink()
		s := r.simulate(1, protocol.ModeBare)[0]
		for range 100 {
			r.read(s, ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewPingFrame(nil))))
		}
		if n := len(r.dirty) - r.flushed; n != 0 {
			t.Errorf("%d entries are listed for a session that has been flushed", n)
		}
	})
}

// TestLargeHeadsAreNotKept: the pool of head buffers is for ordinary ones.
func TestLargeHeadsAreNotKept(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.sink()
		for range 3 {
			s := r.simulate(1, protocol.ModeBare)[0]
			s.state = stateHandshake
			r.interpretBytes(s, []byte("GET /"))
			r.interpretBytes(s, bytes.Repeat([]byte("x"), 60_000))
			r.wheel.cancel(s)
			s.dropQueue()
			s.state = stateDead
		}
		for _, h := range r.heads.free {
			if cap(*h) > maxFreeHeadBytes {
				t.Errorf("a head of %d bytes is kept", cap(*h))
			}
		}
	})
}

// TestStandstillIsNobodysSilence: ticks that were missed while the process
// stood still do not make sessions silent.
func TestStandstillIsNobodysSilence(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	var s *Session
	onLoop(t, r, func() {
		r.sink()
		s = r.simulate(1, protocol.ModeBare)[0]
		r.wheel.schedule(s, r.wheel.now+r.ticks(r.opt.PingAfter))
		r.ticked -= time.Hour
		before := r.wheel.now
		r.advance()
		if r.wheel.now != before {
			t.Error("deadlines were looked at before what lies in the kernel")
		}
	})
	waitFor(t, "the late ticks are made", func() (done bool) {
		onLoop(t, r, func() { done = r.overdue == 0 })
		return done
	})
	onLoop(t, r, func() {
		if s.state != stateOpen || r.stats.IdleClosed != 0 || r.stats.Pings != 0 {
			t.Errorf("state %d after an hour's standstill", s.state)
		}
		r.wheel.cancel(s)
	})
}
