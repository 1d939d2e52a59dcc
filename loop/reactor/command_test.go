package reactor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"

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
		r.flushBehind(s)
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
	// What follows takes the broker's place: it must have nothing more to give.
	<-r.drained
	onLoop(t, r, func() {
		s := r.sessions.slots[0]
		r.inject(order.NewBarrier(), order.NewOwn(s.ID(), order.ActReply,
			protocol.AppendFrame(nil, ws.OpText, []byte("last")), nil))
		r.deliverAll()
		if got := texts(t, written[s.fd]); got[len(got)-1] != "last" {
			t.Errorf("what came right behind the barrier was not carried out: %q", got)
		}
	})
	if got[0] != ackOf("1") || !strings.Contains(got[1], `"code":"draining"`) {
		t.Errorf("answers %q", got)
	}
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

// TestRefusalsBehindASendAreGathered: however many commands one read brings that are
// refused behind a send, they are few items in the ring; the answers keep their order.
func TestRefusalsBehindASendAreGathered(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	const refused = 500
	var written map[int32][]byte
	onLoop(t, r, func() {
		written = r.record(0)
		s := r.simulate(1, protocol.ModeBare)[0]
		segment := mask(`{"cmd":"send_to_group","group_id":"g","message":"x","req_id":"send"}`)
		for i := range refused {
			segment = append(segment, mask(fmt.Sprintf(`{"cmd":"nonsense","req_id":%d}`, i))...)
		}
		segment = append(segment, mask(`{"cmd":"add_group","group_id":"g","req_id":"join"}`)...)
		segment = append(segment, mask(`{"cmd":"ping","req_id":"last"}`)...) // nothing comes behind it
		r.read(s, segment)
		if n := r.sent; n > 20 {
			t.Errorf("%d items went round for a send, a join and %d refusals", n, refused)
		}
		if r.stats.Deferred != refused+2 {
			t.Errorf("%d waited, want %d", r.stats.Deferred, refused+2)
		}
	})
	var got []string
	waitFor(t, "all answers", func() bool {
		onLoop(t, r, func() { got = texts(t, written[simFD]) })
		return len(got) >= refused+3
	})
	if got[0] != ackOf(`"send"`) || got[refused+1] != ackOf(`"join"`) || got[refused+2] != ackOf(`"last"`) {
		t.Errorf("first %s, then %s", got[0], got[refused+1:])
	}
	for i, text := range got[1 : refused+1] {
		if !strings.HasPrefix(text, fmt.Sprintf(`{"cmd":"error","req_id":%d,`, i)) {
			t.Fatalf("answer %d is %s", i, text)
		}
	}
}

func mask(text string) []byte {
	return ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewTextFrame([]byte(text))))
}

// TestMembersStayWhileMarked: coming and going while members are being marked is a
// mistake that ends the process.
func TestMembersStayWhileMarked(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		s := r.simulate(1, protocol.ModeBare)[0]
		s.joinAs("g")
		for name, move := range map[string]func(){
			"join":  func() { s.joinAs("h") },
			"leave": func() { r.leaveAll(s) },
			"doom":  func() { r.doom(s) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s while members are being marked goes unnoticed", name)
					}
				}()
				r.marking = true
				defer func() { r.marking = false }()
				move()
			}()
		}
		s.state = stateOpen
	})
}

// TestAnswersBehindASendFitTheRing: what is gathered never is more than a ring holds,
// or its push would wait for ever.
func TestAnswersBehindASendFitTheRing(t *testing.T) {
	e := startSim(t, func(o *Options) {
		o.MaxMessageBytes = 100
		o.RingBytes = o.MaxFrameBytes()
	})
	r := e.reactors[0]
	var written map[int32][]byte
	onLoop(t, r, func() {
		written = r.record(0)
		s := r.simulate(1, protocol.ModeBare)[0]
		segment := mask(`{"cmd":"send_to_group","group_id":"g","message":"x","req_id":1}`)
		for range 100 {
			segment = append(segment, mask(`{"cmd":"nonsense","req_id":2}`)...)
		}
		r.read(s, segment)
	})
	waitFor(t, "all answers", func() (done bool) {
		onLoop(t, r, func() { done = len(texts(t, written[simFD])) == 101 })
		return done
	})
}
