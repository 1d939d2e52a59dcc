package reactor

import (
	"strings"
	"testing"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// TestOwnBehindTheBarrier: what a session asked for behind a send, after a drain
// has begun, is not lost behind the barrier.
func TestOwnBehindTheBarrier(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	var written map[int32][]byte
	onLoop(t, r, func() {
		written = r.record(0)
		s := r.simulate(1, protocol.ModeBare)[0]
		r.execCommand(s, []byte(`{"cmd":"send_to_group","group_id":"g","message":"x","req_id":1}`), false)
		r.StartDrain()
		r.execCommand(s, []byte(`{"cmd":"send_to_group","group_id":"g","message":"x","req_id":2}`), false)
		r.port.WakeBroker()
		if got := texts(t, written[s.fd]); len(got) != 0 {
			t.Errorf("%q came before the send that it stands behind", got)
		}
	})
	if err := e.broker.CloseOutside(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	waitFor(t, "both answers", func() bool {
		onLoop(t, r, func() { got = texts(t, written[simFD]) })
		return len(got) >= 2
	})
	onLoop(t, r, func() {
		s := r.sessions.slots[0]
		r.inject(order.NewBarrier(), order.NewOwn(s.ID(), order.ActReply, []byte("last"), nil))
		r.deliverAll()
		if got := texts(t, written[s.fd]); got[len(got)-1] != "last" {
			t.Errorf("what came right behind the barrier was not carried out: %q", got)
		}
	})
	if got[0] != ackOf("1") || !strings.Contains(got[1], `"code":"draining"`) {
		t.Errorf("answers %q", got)
	}
	<-r.drained
}

// TestUnderwayAcrossWrap: the counters of what is under way may wrap.
func TestUnderwayAcrossWrap(t *testing.T) {
	r := &Reactor{}
	s := &Session{}
	for _, base := range []uint32{0, 1, 1<<31 - 2, 1 << 31, ^uint32(0) - 1, ^uint32(0)} {
		r.sent, r.returned, s.lastSend = base, base, base
		if r.underway(s) {
			t.Errorf("%d: under way before anything was sent", base)
		}
		r.sent += 3
		s.lastSend = r.sent
		for range 3 {
			if !r.underway(s) {
				t.Errorf("%d: not under way with %d of 3 back", base, r.returned-base)
			}
			r.returned++
		}
		if r.underway(s) {
			t.Errorf("%d: under way when all is back", base)
		}
	}
}
