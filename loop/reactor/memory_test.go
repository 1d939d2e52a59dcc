package reactor

import (
	"bytes"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"groupcast/loop/budget"
	"groupcast/loop/order"
	"groupcast/protocol"
)

// heldNaively is what the sessions hold that are behind: every chunk once.
func (r *Reactor) heldNaively(t *rapid.T) (bytes int64) {
	seen := map[*order.Chunk]bool{}
	for _, s := range r.sessions.slots {
		if s == nil {
			continue
		}
		queue := []*order.Chunk{}
		held := 0
		if s.next != nil {
			queue = append(queue, s.next)
		}
		if s.is(flagHeld) {
			held = 1
		}
		if s.more != nil {
			queue = append(queue, s.more.rest()...)
			held += int(s.more.held)
		}
		if s.is(flagBlocked) && held != len(queue) {
			t.Fatalf("a blocked session holds %d of %d chunks", held, len(queue))
		}
		for _, c := range queue[:held] {
			if seen[c] {
				continue
			}
			seen[c] = true
			bytes += int64(len(c.Buf)) + order.Overhead
			if c.Kind == order.ChunkShared {
				bytes += int64(len(c.Group))
			}
		}
	}
	return bytes
}

// end buries a simulated session, which has no connection that knew an address.
func (r *Reactor) end(s *Session) {
	s.set(flagProxied)
	r.bury(s)
}

// TestBacklogMemoryModel sends random messages and replies to sessions whose sockets take
// now something and now nothing, which are truncated, shed and buried at any time. What is
// counted is what a walk over all queues finds, each chunk once, and nothing at the end.
func TestBacklogMemoryModel(t *testing.T) {
	e := startSim(t, func(o *Options) { o.BatchMessages, o.FlushSlice, o.MaxBacklogBytes = 8, 3, 70_000 })
	r := e.reactors[0]
	rapid.Check(t, func(rt *rapid.T) {
		onLoop(t, r, func() {
			room := map[int32]int{}
			r.write = func(fd int32, b []byte) (int, unix.Errno) {
				n := min(room[fd], len(b))
				room[fd] -= n
				if n == 0 {
					return 0, unix.EAGAIN
				}
				return n, 0
			}
			r.watch = func(*Session) error { return nil }
			var sessions []*Session
			for i := range 5 {
				sessions = append(sessions, r.simulate(1, protocol.Mode(i%2))...)
			}
			for _, s := range sessions {
				for g := range 2 {
					if rapid.Bool().Draw(rt, "joins") {
						s.joinAs(fmt.Sprint(g))
					}
				}
			}
			for range rapid.IntRange(0, 60).Draw(rt, "steps") {
				s := rapid.SampledFrom(sessions).Draw(rt, "session")
				switch rapid.IntRange(0, 7).Draw(rt, "step") {
				case 0, 1:
					size := rapid.SampledFrom([]int{1, 200, 5000, 30_000}).Draw(rt, "size")
					m := textMessage(fmt.Sprint(rapid.IntRange(0, 1).Draw(rt, "group")), string(bytes.Repeat([]byte("x"), size)))
					m.Origin = s.ID()
					if rapid.Bool().Draw(rt, "ack") {
						m.ReqID = []byte("1")
					}
					r.inject(m)
				case 2:
					r.deliverAll()
				case 3:
					room[s.fd] += rapid.SampledFrom([]int{1, 300, 6000, 100_000}).Draw(rt, "room")
					r.unblock(s)
					r.flushAll()
				case 4:
					if s.state == stateOpen {
						r.sendPong(s, []byte("ping"))
						s.sendAck(protocol.KindAddGroup, []byte("22"))
					}
				case 5:
					r.unblock(s) // and it is flushed later: what comes meanwhile is not held
				case 6:
					r.Shed([]order.SessionID{s.ID()})
				case 7:
					r.end(s)
				}
				if got, want := r.memory.backlogs, r.heldNaively(rt); got != want {
					rt.Fatalf("%d bytes are counted, want %d", got, want)
				}
			}
			r.deliverAll()
			for _, s := range sessions {
				r.end(s)
			}
			r.doomed = nil
			m := &r.memory
			if m.backlogs != 0 || m.halves != 0 || m.shed != 0 || r.stats.BacklogSessions != 0 {
				rt.Fatalf("at the end: %d bytes, %d of halves, %d shed, %d blocked", m.backlogs, m.halves, m.shed,
					r.stats.BacklogSessions)
			}
		})
	})
}

// TestSharedOverLoopsCountsOnce: a message that sessions of two loops keep is one, whichever
// of them lets go of it first.
func TestSharedOverLoopsCountsOnce(t *testing.T) {
	e := startSim(t, func(o *Options) { o.Loops = 2 })
	m := textMessage("g", "a message")
	want := int64(len(m.Frame.Buf) + len("g") + order.Overhead)
	counted := func() (n int64) {
		for _, r := range e.reactors {
			onLoop(t, r, func() { n += r.memory.backlogs })
		}
		return n
	}
	var sessions []*Session
	for _, r := range e.reactors {
		onLoop(t, r, func() {
			r.write = func(int32, []byte) (int, unix.Errno) { return 0, unix.EAGAIN }
			r.watch = func(*Session) error { return nil }
			for _, s := range r.simulate(3, protocol.ModeBare) {
				s.joinAs("g")
				sessions = append(sessions, s)
			}
			r.inject(m)
			r.deliverAll()
		})
		if n := counted(); n != want {
			t.Fatalf("%d bytes are counted, want %d", n, want)
		}
	}
	for i, s := range sessions {
		onLoop(t, s.r, func() { s.r.end(s) })
		if i == len(sessions)-1 {
			want = 0
		}
		if n := counted(); n != want {
			t.Fatalf("%d bytes are counted behind %d of %d, want %d", n, i+1, len(sessions), want)
		}
	}
}

// TestHalfMemory: the part of a message or a head is counted while it waits.
func TestHalfMemory(t *testing.T) {
	r := startSim(t, nil).reactors[0]
	onLoop(t, r, func() {
		r.sink()
		s := r.simulate(1, protocol.ModeBare)[0]
		r.read(s, append([]byte{0x81, 0xfe, 0xea, 0x60, 0, 0, 0, 0}, make([]byte, 50_000)...)) // of 60,000
		if n := r.memory.halves; n < 50_000 || n > 100_000 {
			t.Errorf("%d bytes of half a message of 50,000", n)
		}
		if n := r.holds(s); n != r.memory.halves {
			t.Errorf("the session holds %d of %d", n, r.memory.halves)
		}
		r.read(s, bytes.Repeat([]byte("x"), 9_999))
		r.read(s, []byte("x"))
		if r.memory.halves != 0 {
			t.Errorf("%d bytes behind its end", r.memory.halves)
		}
		h := r.simulate(1, protocol.ModeBare)[0]
		h.state = stateHandshake
		r.read(h, bytes.Repeat([]byte("x"), 3000))
		if n := r.memory.halves; n < 3000 || n > 8000 || n != r.holds(h) {
			t.Errorf("%d bytes of a head of 3,000", n)
		}
		r.end(h)
		if r.memory.halves != 0 {
			t.Errorf("%d bytes behind the end of a handshake", r.memory.halves)
		}
	})
}

// TestHoldersAndShed: sessions that hold something are listed, and shed ones let go of it,
// say why, and are ended by ResetShed.
func TestHoldersAndShed(t *testing.T) {
	e := startSim(t, nil)
	e.shared.Budget = budget.New(1<<30, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		written := map[int32][]byte{}
		room := 0
		r.watch = func(*Session) error { return nil }
		all := r.simulate(3, protocol.ModeBare)
		behind, live, half := all[0], all[1], all[2]
		r.write = func(fd int32, b []byte) (int, unix.Errno) {
			if fd == behind.fd && room == 0 {
				return 0, unix.EAGAIN
			}
			written[fd] = append(written[fd], b...)
			return len(b), 0
		}
		for _, s := range all {
			s.joinAs("g")
		}
		for range 3 {
			r.inject(textMessage("g", string(make([]byte, 30_000))))
		}
		r.deliverAll()
		r.read(half, append([]byte{0x81, 0xfe, 0xea, 0x60, 0, 0, 0, 0}, make([]byte, 50_000)...))
		r.wheel.now += 7
		r.read(live, []byte{0x89, 0x80, 0, 0, 0, 0})

		held := r.ListHolders(0, 4<<10).Holders
		if len(held) != 2 || held[0].ID != behind.ID() || held[1].ID != half.ID() {
			t.Fatalf("holders: %v, want the one that is behind and that with half a message", held)
		}
		if n := held[0].Bytes; n < 90_000+r.memory.blockedBytes || n > 100_000+r.memory.blockedBytes {
			t.Errorf("the one that is behind holds %d", n)
		}
		if held[0].Quiet != 7*r.every {
			t.Errorf("it was quiet for %s", held[0].Quiet)
		}
		if list := r.ListHolders(0, held[0].Bytes+1).Holders; len(list) != 0 {
			t.Errorf("holders of more: %v", list)
		}
		m := r.Memory()
		if m.Backlogs < 90_000 || m.Kernel != r.memory.blockedBytes || m.Leaving != 0 {
			t.Errorf("told: %+v", m)
		}

		if n := r.Shed([]order.SessionID{behind.ID(), half.ID(), behind.ID()}); n != 2 || r.stats.MemoryClosed != 2 {
			t.Errorf("%d were shed, %d are counted", n, r.stats.MemoryClosed)
		}
		if m := r.Memory(); m.Backlogs > 1000 || m.Halves != 0 || m.Leaving != r.memory.blockedBytes {
			t.Errorf("told behind it: %+v", m)
		}
		frames := texts(t, written[half.fd])
		code, err := protocol.ParseClose([]byte(frames[len(frames)-1]))
		if err != nil || code != 1008 || !bytes.Contains(written[half.fd], []byte("short of memory")) {
			t.Errorf("closed with %d, %v", code, err)
		}
		if live.state != stateOpen || len(r.ListHolders(0, 0).Holders) != 1 {
			t.Error("the live one is gone, or others are still listed")
		}
		r.ResetShed(0)
		if behind.state != stateDead || live.state != stateOpen || e.shared.CutSessions.Load() != 1 {
			t.Errorf("states %d and %d, %d cut", behind.state, live.state, e.shared.CutSessions.Load())
		}
		r.doomed = nil
		for _, s := range all {
			r.end(s)
		}
		if m := &r.memory; m.backlogs != 0 || m.halves != 0 || m.shed != 0 {
			t.Errorf("at the end: %d, %d, %d", m.backlogs, m.halves, m.shed)
		}
	})
}

// TestSealedMemory: what is encrypted and waits is told.
func TestSealedMemory(t *testing.T) {
	r := startSim(t, func(o *Options) { o.Loops = 1 }).reactors[0]
	room := 1000
	onLoop(t, r, func() {
		s := securedSession(t, r, &room)
		r.memory.secured++
		if _, errno := sendSealed(s, make([]byte, 50_000)); errno != 0 {
			t.Fatal(errno)
		}
		if n := r.memory.sealed; n != int64(len(r.secured[s].sealed)) || n < 49_000 || r.holds(s) != n {
			t.Errorf("%d bytes, %d wait", n, len(r.secured[s].sealed))
		}
		room = 10_000
		s.ready()
		if n := r.memory.sealed; n != int64(len(r.secured[s].sealed)) || n > 42_000 {
			t.Errorf("%d bytes, %d wait", n, len(r.secured[s].sealed))
		}
		if err := halfCloseSealed(s); err != nil || r.memory.sealed != int64(len(r.secured[s].sealed)) {
			t.Errorf("%v, %d bytes", err, r.memory.sealed)
		}
		r.tellMemoryNow()
		if m := r.Memory(); m.TLS != r.memory.sealed+SecuredBytes {
			t.Errorf("told: %+v", m)
		}
		releaseSealed(s)
		if r.memory.sealed != 0 || r.memory.secured != 0 {
			t.Errorf("at the end: %+v", r.memory.sealed)
		}
	})
}

// TestMemoryIsToldInSteps: not for every message, but once it has moved far enough.
func TestMemoryIsToldInSteps(t *testing.T) {
	r := startSim(t, func(o *Options) { o.SendBufferBytes = 1 << 10 }).reactors[0]
	onLoop(t, r, func() {
		r.write = func(int32, []byte) (int, unix.Errno) { return 0, unix.EAGAIN }
		r.watch = func(*Session) error { return nil }
		r.simulate(1, protocol.ModeBare)[0].joinAs("g")
		told := r.Memory()
		steps := 0
		for range 100 {
			r.inject(textMessage("g", string(make([]byte, 5000))))
			r.turn()
			now := r.Memory()
			if behind := r.memory.sum(r.stats.BacklogSessions) - now.Backlogs - now.Kernel; behind >= budget.TellBytes {
				t.Fatalf("%d bytes are not told", behind)
			}
			if now != told {
				told = now
				steps++
			}
		}
		if steps < 5 || steps > 9 {
			t.Errorf("told %d times of half a megabyte", steps)
		}
	})
}
