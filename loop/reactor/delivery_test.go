package reactor

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// TestDeliveryModel sends random messages to random groups, with members in
// several groups, both modes, writes that take only a part, and compares what
// every session was sent with the obvious: each message of each of its groups,
// in order.
func TestDeliveryModel(t *testing.T) {
	e := startSim(t, func(o *Options) { o.BatchMessages, o.FlushSlice = 8, 3 })
	r := e.reactors[0]
	rapid.Check(t, func(rt *rapid.T) {
		onLoop(t, r, func() {
			limit := rapid.SampledFrom([]int{0, 1, 7, 40}).Draw(rt, "bytes a write")
			written := r.record(limit)
			before := r.stats.Blocked
			var blocked []*Session
			r.watch = func(s *Session) error { blocked = append(blocked, s); return nil }
			var sessions []*Session
			want := map[*Session][]string{}
			for i := range 6 {
				sessions = append(sessions, r.simulate(1, protocol.Mode(i%2))...)
			}
			for _, s := range sessions {
				for g := range 4 {
					if rapid.Bool().Draw(rt, "joins") {
						s.joinAs(fmt.Sprint(g))
					}
				}
			}
			for i := range rapid.IntRange(0, 40).Draw(rt, "messages") {
				group := fmt.Sprint(rapid.IntRange(0, 4).Draw(rt, "group"))
				m := textMessage(group, fmt.Sprintf("%s:%d", group, i))
				from := rapid.SampledFrom(sessions).Draw(rt, "from")
				m.Origin = from.ID()
				m.ExcludeSelf = rapid.IntRange(0, 3).Draw(rt, "exclude") == 0
				if rapid.IntRange(0, 3).Draw(rt, "ack") == 0 {
					m.ReqID = fmt.Append(nil, i)
				}
				r.inject(m)
				for _, s := range sessions {
					g := r.groups.find(group)
					if g == nil || s.membershipOf(g) < 0 || m.ExcludeSelf && s == from {
						continue
					}
					text := string(m.Payload())
					if s.mode == protocol.ModeEnvelope {
						text = fmt.Sprintf(`{"type":"message","group_id":%q,"message":%q}`, group, text)
					}
					want[s] = append(want[s], text)
				}
				if m.ReqID != nil {
					want[from] = append(want[from], string(protocol.AppendAck(nil, from.mode, m.ReqID)))
				}
				if rapid.IntRange(0, 9).Draw(rt, "turn") == 0 {
					r.turn()
				}
			}
			r.deliverAll()
			for len(blocked) > 0 {
				s := blocked[0]
				blocked = blocked[1:]
				r.unblock(s)
				r.deliverAll()
			}
			// A frame has more than one byte, so one that goes out byte by byte
			// is stopped and resumed behind each but the last.
			if times := r.stats.Blocked - before; limit == 0 && times != 0 || limit == 1 && times == 0 && len(written) > 0 {
				rt.Fatalf("blocked %d times by a kernel that takes %d bytes (0: all)", times, limit)
			}
			for i, s := range sessions {
				// Acks of one run follow the run, so compare messages and acks
				// each in their order, and that no ack comes before its message.
				got := texts(t, written[s.fd])
				if !sameStreams(got, want[s]) {
					rt.Fatalf("session %d got %q, want %q", i, got, want[s])
				}
				if s.backlog != 0 || s.next != nil || s.more != nil {
					rt.Fatalf("session %d: backlog %d remains", i, s.backlog)
				}
			}
			for _, s := range sessions {
				r.leaveAll(s)
				r.sessions.remove(s)
			}
		})
	})
}

// sameStreams compares messages in order and acks in order, and demands that
// every ack stands at or behind its place in want.
func sameStreams(got, want []string) bool {
	isAck := func(s string) bool { return len(s) > 8 && (s[2:5] == "cmd" || s[9:12] == "ack") }
	split := func(list []string) (messages, acks []string) {
		for _, s := range list {
			if isAck(s) {
				acks = append(acks, s)
			} else {
				messages = append(messages, s)
			}
		}
		return messages, acks
	}
	gm, ga := split(got)
	wm, wa := split(want)
	if !slices.Equal(gm, wm) || !slices.Equal(ga, wa) {
		return false
	}
	for _, ack := range wa {
		before := func(list []string) int {
			n := 0
			for _, s := range list[:slices.Index(list, ack)] {
				if !isAck(s) {
					n++
				}
			}
			return n
		}
		if before(got) < before(want) {
			return false
		}
	}
	return true
}

// TestOneWritePerMemberAndBatch is the spine: mark, then flush.
func TestOneWritePerMemberAndBatch(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		writes := map[int32]int{}
		r.write = func(fd int32, b []byte) (int, unix.Errno) { writes[fd]++; return len(b), 0 }
		members := r.simulate(100, protocol.ModeBare)
		for _, s := range members {
			s.joinAs("a")
			s.joinAs("b")
		}
		for i := range 60 {
			r.inject(textMessage([]string{"a", "b"}[i/7%2], "text"))
		}
		r.takeBatch()
		for r.flushSlice() {
		}
		for _, s := range members {
			if writes[s.fd] != 1 {
				t.Fatalf("%d writes to one member for one batch of 60 messages", writes[s.fd])
			}
		}
	})
}

// TestBatchEnds: a batch ends at its messages, bytes or marks, whichever first.
func TestBatchEnds(t *testing.T) {
	e := startSim(t, func(o *Options) { o.BatchMessages, o.BatchMarks = 64, 1000 })
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.sink()
		for _, s := range r.simulate(100, protocol.ModeBare) {
			s.joinAs("hundred")
			for g := range 20 {
				s.joinAs(fmt.Sprint(g))
			}
		}
		count := func(ms ...*order.Message) int {
			r.inject(ms...)
			before := r.stats.Messages
			r.takeBatch()
			n := int(r.stats.Messages - before)
			r.deliverAll()
			return n
		}
		repeat := func(n int, f func(i int) *order.Message) (ms []*order.Message) {
			for i := range n {
				ms = append(ms, f(i))
			}
			return ms
		}
		if n := count(repeat(100,
			func(int) *order.Message { return textMessage("nobody", "x") })...); n != r.opt.BatchMessages {
			t.Errorf("%d messages in a batch, want %d", n, r.opt.BatchMessages)
		}
		big := string(make([]byte, 10_000))
		if n := count(repeat(20, func(int) *order.Message { return textMessage("hundred", big) })...); n != 7 {
			t.Errorf("%d messages of 10,004 bytes in a batch, want 7: the first that reaches %d", n, r.opt.BatchBytes)
		}
		if n := count(repeat(20, func(i int) *order.Message { return textMessage(fmt.Sprint(i), "x") })...); n != 10 {
			t.Errorf("%d messages to groups of 100 in a batch, want 10: the first that reaches 1,000 marks", n)
		}
		// A run to one group marks each member once, so it costs one time 100.
		if n := count(repeat(20, func(int) *order.Message { return textMessage("hundred", "x") })...); n != 20 {
			t.Errorf("%d messages of one run in a batch, want 20", n)
		}
		// An excluded session has to be looked for: that counts as a mark.
		gone := make([]order.SessionID, 400)
		for i := range gone {
			gone[i] = order.NewSessionID(0, uint32(i), 99)
		}
		excluding := func(int) *order.Message {
			m := textMessage("hundred", "x")
			m.Outside = &order.Outside{Exclude: gone}
			return m
		}
		if n := count(repeat(20, excluding)...); n != 2 {
			t.Errorf("%d messages that exclude 400 sessions in a batch, want 2: the first that reaches 1,000 marks", n)
		}
	})
}

// TestBatchBytesAreWhatMembersGet: where members are in envelope mode, a batch
// ends by the bytes of their frames, which may be far more than what came.
func TestBatchBytesAreWhatMembersGet(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		written := 0
		r.write = func(_ int32, b []byte) (int, unix.Errno) { written = max(written, len(b)); return len(b), 0 }
		name := strings.Repeat("\x01", 256) // six bytes each in JSON
		r.simulate(1, protocol.ModeEnvelope)[0].joinAs(name)
		r.simulate(1, protocol.ModeBare)[0].joinAs("bare")
		for range r.opt.BatchMessages {
			r.inject(textMessage(name, "x"))
		}
		r.deliverAll()
		if limit := r.opt.BatchBytes + 2000; written > limit || written < r.opt.BatchBytes {
			t.Errorf("%d bytes were written at once, want up to %d and one frame", written, r.opt.BatchBytes)
		}
		before := r.stats.Batches
		for range r.opt.BatchMessages {
			r.inject(textMessage("bare", "x"))
		}
		r.deliverAll()
		if n := r.stats.Batches - before; n != 1 {
			t.Errorf("%d batches where nobody is in envelope mode, want 1", n)
		}
	})
}

// TestFlushYields: a group of 19,000 is flushed in slices, between which other
// sessions join, leave and die, and everybody else gets the message once.
func TestFlushYields(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		writes := map[int32]int{}
		r.write = func(fd int32, b []byte) (int, unix.Errno) {
			if fd < simFD {
				return rawWrite(fd, b)
			}
			writes[fd]++
			return len(b), 0
		}
		members := r.simulate(19_000, protocol.ModeBare)
		for _, s := range members {
			s.joinAs("g")
		}
		r.inject(textMessage("g", "once"))
		slices := 0
		for more := true; more; slices++ {
			before := len(writes)
			if slices == 0 {
				r.takeBatch()
			}
			more = r.flushSlice()
			if n := len(writes) - before; n > r.opt.FlushSlice {
				t.Fatalf("%d writes in one slice, want at most %d", n, r.opt.FlushSlice)
			}
			// Others have their turn: the last one leaves, one joins.
			r.leaveAll(members[len(members)-1-slices])
			r.simulate(1, protocol.ModeBare)[0].joinAs("g")
		}
		if want := 19_000/r.opt.FlushSlice + 1; slices != want {
			t.Errorf("%d slices, want %d", slices, want)
		}
		for i, s := range members {
			if writes[s.fd] != 1 {
				t.Fatalf("member %d: %d writes, want 1", i, writes[s.fd])
			}
		}
		if len(writes) != len(members) {
			t.Errorf("%d sessions were written to, want %d: who joined later gets nothing", len(writes), len(members))
		}
	})
}

// TestTurnTakesNothingNew: no message is taken from the ring while the list of
// the batch before is not done, or a session could get the later one first.
func TestTurnTakesNothingNew(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.record(0)
		for _, s := range r.simulate(1000, protocol.ModeBare) {
			s.joinAs("g")
		}
		r.inject(textMessage("g", "1"))
		r.turn()
		r.inject(textMessage("g", "2"))
		for range 2 {
			r.turn()
			if r.port.Empty() {
				t.Fatal("the next batch was taken before the last was flushed")
			}
		}
		if !r.yielding {
			t.Error("a turn with work left did not yield")
		}
		r.deliverAll()
	})
}

// TestDeadMemberIsSkipped: a failed write ends that session and nobody else.
func TestDeadMemberIsSkipped(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		members := r.simulate(10, protocol.ModeBare)
		got := 0
		r.write = func(fd int32, b []byte) (int, unix.Errno) {
			if fd == members[4].fd {
				return 0, unix.ECONNRESET
			}
			got++
			return len(b), 0
		}
		for _, s := range members {
			s.joinAs("g")
		}
		r.inject(textMessage("g", "1"), textMessage("g", "2"))
		r.deliverAll()
		if got != 9 || members[4].state != stateDead || len(r.doomed) != 1 {
			t.Errorf("%d writes, state %d, %d doomed", got, members[4].state, len(r.doomed))
		}
		r.doomed = nil // it has no connection to bury
	})
}

// TestSlowReaderKeepsItsFrame: who is closed for its backlog is sent the rest of
// the one frame that is partly out, of a chunk of many, and then the close.
func TestSlowReaderKeepsItsFrame(t *testing.T) {
	e := startSim(t, func(o *Options) { o.MaxMessageBytes, o.MaxBacklogBytes = 1000, 5000 })
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.watch = func(*Session) error { return nil }
		room := 250 // two frames of 102 bytes, and 46 bytes of the third
		var written []byte
		r.write = func(fd int32, b []byte) (int, unix.Errno) {
			n := min(room, len(b))
			room -= n
			written = append(written, b[:n]...)
			if n == 0 {
				return 0, unix.EAGAIN
			}
			return n, 0
		}
		s := r.simulate(1, protocol.ModeBare)[0]
		s.joinAs("g")
		for i := range 60 {
			r.inject(textMessage("g", fmt.Sprintf("%0100d", i)))
		}
		r.deliverAll()
		if s.state != stateClosing || s.groupCount() != 0 {
			t.Fatalf("state %d, in %d groups, after %d bytes", s.state, s.groupCount(), len(written))
		}
		r.inject(textMessage("g", "too late"))
		r.deliverAll()
		room = 1 << 20
		r.unblock(s)
		r.deliverAll()
		frames := texts(t, written)
		if len(frames) != 4 || frames[2] != fmt.Sprintf("%0100d", 2) {
			t.Fatalf("%d frames were written: %.200q", len(frames), frames)
		}
		if code, err := protocol.ParseClose([]byte(frames[3])); err != nil || code != 1008 {
			t.Errorf("the last frame is %q: code %d, %v", frames[3], code, err)
		}
		r.doomed = nil // it has no connection to bury
	})
}
