package reactor

import (
	"fmt"
	"testing"

	"github.com/gobwas/ws"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// allocs counts the allocations of f on r's goroutine.
func allocs(tb testing.TB, r *Reactor, f func()) (n float64) {
	tb.Helper()
	onLoop(tb, r, func() { n = testing.AllocsPerRun(100, f) })
	return n
}

// TestDeliverAllocatesNothing: taking a batch, marking and flushing allocate
// nothing, in a busy group, over many groups, and in both modes.
func TestDeliverAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	e := startSim(t, nil)
	r := e.reactors[0]
	hot := make([]*order.Message, 32)
	many := make([]*order.Message, 32)
	onLoop(t, r, func() {
		r.sink()
		for mode := range 2 {
			for i, s := range r.simulate(200, protocol.Mode(mode)) {
				s.joinAs("hot")
				s.joinAs(fmt.Sprint(i % 32))
				s.joinAs(fmt.Sprint((i + 1) % 32))
			}
		}
		for i := range hot {
			hot[i] = textMessage("hot", "a message of some length")
			many[i] = textMessage(fmt.Sprint(i), "a message of some length")
		}
	})
	for name, batch := range map[string][]*order.Message{"hot": hot, "many": many} {
		if n := allocs(t, r, func() { r.inject(batch...); r.deliverAll() }); n != 0 {
			t.Errorf("%s: %v allocations a batch of %d messages, want 0", name, n, len(batch))
		}
	}
}

// TestPublishAllocatesTwice: from the bytes of the command to the ring, a
// message is a struct and a buffer.
func TestPublishAllocatesTwice(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	e := startSim(t, func(o *Options) { o.RingSlots = 4096 })
	r := e.reactors[0]
	for _, text := range []string{
		`{"cmd":"send_to_group","group_id":"123","message":"hi"}`,
		`{"cmd":"send_to_group","group_id":123,"message":"a \"quoted\" \u00e9","req_id":7}`,
		`{"cmd":"send_to_group","group_id":"123","message":{"a":1},"exclude_self":true}`,
	} {
		var s *Session
		payload := []byte(text)
		onLoop(t, r, func() {
			r.sink()
			s = r.simulate(1, protocol.ModeBare)[0]
		})
		if n := allocs(t, r, func() { r.handle(s, protocol.Event{Op: ws.OpText, Payload: payload}) }); n > 2 {
			t.Errorf("%s: %v allocations, want at most 2", text, n)
		}
		onLoop(t, r, r.settle)
	}
}

// TestRepliesAllocateNothing: joins to a group one is in, pings, acks, errors.
func TestRepliesAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	e := startSim(t, nil)
	r := e.reactors[0]
	for _, text := range []string{
		`{"cmd":"add_group","group_id":"123","req_id":1}`,
		`{"cmd":"leave_group","group_id":"none","req_id":1}`,
		`{"cmd":"ping","req_id":"x"}`,
		`{"cmd":"nonsense"}`,
	} {
		var s *Session
		payload := []byte(text)
		onLoop(t, r, func() {
			r.sink()
			s = r.simulate(1, protocol.ModeBare)[0]
			s.joinAs("123")
		})
		n := allocs(t, r, func() {
			r.handle(s, protocol.Event{Op: ws.OpText, Payload: payload})
			r.settle()
		})
		if n != 0 {
			t.Errorf("%s: %v allocations, want 0", text, n)
		}
	}
}

// TestReadAllocatesNothing: a read of whole frames borrows all it needs.
func TestReadAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	e := startSim(t, nil)
	r := e.reactors[0]
	var s *Session
	onLoop(t, r, func() {
		r.sink()
		s = r.simulate(1, protocol.ModeBare)[0]
	})
	frame := ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewTextFrame([]byte(`{"cmd":"ping"}`))))
	buf := make([]byte, len(frame))
	if n := allocs(t, r, func() { copy(buf, frame); r.read(s, buf) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	if r.stats.BytesOut == 0 {
		t.Error("nothing was answered")
	}
}
