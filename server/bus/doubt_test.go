package bus

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"groupcast/server/bus/wire"
)

// TestDoubtBehindABreak: what a node has published while this one's connection was away is asked for by its places,
// and members of the groups that it was for are told.
func TestDoubtBehindABreak(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		place  uint64        // of b, when this node is back
		answer []wire.Ranged // what b says of the places behind 10
		told   []string
		asked  bool
	}{
		"nothing was sent": {place: 10},
		"a group":          {15, []wire.Ranged{{Hashes: []uint64{wire.Hash("g")}}}, []string{"g"}, true},
		"two groups": {
			15, []wire.Ranged{{Hashes: []uint64{wire.Hash("g"), wire.Hash("h")}}}, []string{"g", "h"}, true,
		},
		"others' groups": {11, []wire.Ranged{{Hashes: []uint64{wire.Hash("elsewhere")}}}, nil, true},
		"no group":       {11, []wire.Ranged{{}}, nil, true},
		"too many":       {15, []wire.Ranged{{All: true}}, allOf, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := known(t)
			r.breaks()
			r.toldNobody()
			r.connects()
			if !r.doubtful() {
				t.Fatal("what was published meanwhile is in no doubt")
			}
			q := r.synced(test.place)
			if (q != nil) != test.asked || q != nil && (q.After != 10 || q.Upto != test.place) {
				t.Fatalf("b is asked %+v", q)
			}
			for _, a := range test.answer {
				a.ID = q.ID
				r.ranges(a)
			}
			if r.doubtful() {
				t.Error("it is in doubt still")
			}
			switch {
			case test.told != nil:
				r.areTold(causeAway, test.told...)
			case len(test.answer) > 0 && (test.answer[0].Hashes == nil):
				r.toldNobody()
			}
			// What is left over of the connection that has ended is not published behind that.
			for order := test.place - 1; order <= test.place+1; order++ {
				r.sends(order)
			}
			r.came(string('0' + byte((test.place+1)%10)))
			if got := r.b.count.Late.Load(); got != 2 {
				t.Errorf("%d messages were late, want 2", got)
			}
		})
	}
}

// TestAnswerInParts: members are told of all parts, and nothing is in doubt behind the last one alone.
func TestAnswerInParts(t *testing.T) {
	t.Parallel()
	r := known(t)
	r.breaks()
	r.connects()
	q := r.synced(12)
	r.ranges(wire.Ranged{ID: q.ID, Hashes: []uint64{wire.Hash("g")}, More: true})
	r.areTold(causeAway, "g")
	if !r.doubtful() {
		t.Fatal("another part is to come")
	}
	r.ranges(wire.Ranged{ID: q.ID, Hashes: []uint64{wire.Hash("h")}})
	r.areTold(causeAway, "h")
	if r.doubtful() {
		t.Error("it is in doubt still")
	}
	r.ranges(wire.Ranged{ID: q.ID, All: true})
	r.toldNobody()
}

// TestAnswerIsLost: a question about a span whose answer does not come is asked again, later; an answer to one asked
// before says nothing.
func TestAnswerIsLost(t *testing.T) {
	t.Parallel()
	r := known(t)
	r.breaks()
	r.connects()
	first := r.synced(12)
	r.beatsAs(1, 12)
	r.pass(askAgain / 2)
	if ids := r.marks(); len(ids) != 0 {
		t.Fatalf("asked %d times more in less than %v", len(ids), askAgain)
	}
	r.now = time.Now().Add(askAgain / 2) // behind when it was asked
	r.pass(askAgain)
	second := r.synced(13)
	if second == nil || second.ID == first.ID || second.After != 10 || second.Upto != 13 {
		t.Fatalf("first asked %+v, then %+v", first, second)
	}
	r.ranges(wire.Ranged{ID: first.ID, Hashes: []uint64{wire.Hash("g")}})
	r.toldNobody()
	if !r.doubtful() {
		t.Fatal("an answer to another question is taken for that to this one")
	}
	r.ranges(wire.Ranged{ID: second.ID, Hashes: []uint64{wire.Hash("h")}})
	r.areTold(causeAway, "h")
	r.pass(2 * askAgain)
	if ids := r.marks(); len(ids) != 0 {
		t.Errorf("asked %d times more behind the answer", len(ids))
	}
}

// TestMarkerOfDoubtIsLost: a node that has not said how far it has come is asked again, and the question about the
// span follows its answer alone.
func TestMarkerOfDoubtIsLost(t *testing.T) {
	t.Parallel()
	r := known(t)
	r.breaks()
	r.connects()
	first := r.marks()
	if len(first) != 1 || first[0]&syncBit == 0 {
		t.Fatalf("markers %x", first)
	}
	r.pass(syncAgain / 2)
	if ids := r.marks(); len(ids) != 0 {
		t.Fatalf("asked again in less than %v: %x", syncAgain, ids)
	}
	r.now = time.Now()
	r.pass(2 * syncAgain)
	if ids := r.marks(); len(ids) != 1 || ids[0] != first[0] {
		t.Fatalf("asked again %x, want %x", ids, first)
	}
	for _, wrong := range []uint64{first[0] + 2, first[0] ^ syncBit, first[0] ^ 1<<32} {
		if q := r.answersMarker(wrong, 15); q != nil || !r.doubtful() {
			t.Errorf("the answer to marker %x is taken for one to %x", wrong, first[0])
		}
	}
	if q := r.answersMarker(first[0], 15); q == nil {
		t.Error("nothing is asked")
	}
}

// TestSecondBreak: what was asked before it says nothing of it, and what was in doubt before it is.
func TestSecondBreak(t *testing.T) {
	t.Parallel()
	r := known(t)
	r.breaks()
	r.connects()
	first := r.synced(12)
	r.sends(13)
	r.came("3")
	r.breaks()
	r.ranges(wire.Ranged{ID: first.ID, All: true})
	r.toldNobody()
	r.connects()
	second := r.synced(20)
	if second == nil || second.After != 10 || second.Upto != 20 {
		t.Fatalf("b is asked %+v", second)
	}
	r.ranges(wire.Ranged{ID: second.ID, Hashes: []uint64{wire.Hash("quiet")}})
	r.areTold(causeAway, "quiet")
	r.breaks()
	r.connects()
	// What has come up to here is in no doubt: a heartbeat says which places were not for this node.
	if third := r.synced(21); third == nil || third.After != 13 {
		t.Errorf("b is asked %+v", third)
	}
}

// TestHeartbeatsPlace: what a node has published in front of a heartbeat has come, or was not for this node: unless
// something is in doubt.
func TestHeartbeatsPlace(t *testing.T) {
	t.Parallel()
	r := known(t)
	r.beatsAs(2, 30)
	r.breaks()
	r.beatsAs(3, 40) // of the next connection's, before the reader knows that it can be used
	r.connects()
	r.beatsAs(1, 50)
	if q := r.synced(60); q == nil || q.After != 30 || q.Upto != 60 {
		t.Errorf("b is asked %+v", q)
	}
}

// TestOverflow: what nats.go has dropped, since the reader was slow, is asked for, and heartbeats among it are not
// missed.
func TestOverflow(t *testing.T) {
	t.Parallel()
	r := known(t)
	r.b.overflow.Store(true)
	r.look()
	if r.b.overflow.Load() {
		t.Error("it is looked at again")
	}
	if !r.doubtful() {
		t.Fatal("nothing is in doubt")
	}
	q := r.synced(15)
	if q == nil || q.After != 10 || q.Upto != 15 {
		t.Fatalf("b is asked %+v", q)
	}
	r.ranges(wire.Ranged{ID: q.ID, Hashes: []uint64{wire.Hash("g")}})
	r.areTold(causeOverflow, "g")
	r.beatsAs(7, 15)
	if r.doubtful() {
		t.Error("heartbeats that were dropped here are taken for lost on the way")
	}
}

// TestRunLooksFirst: places are taken as they were before the message that the reader has in its hand, and
// before the connection ends.
func TestRunLooksFirst(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]func(r *alone){
		"overflow": func(r *alone) { r.b.overflow.Store(true) },
		"break":    func(r *alone) { r.b.dials.Add(1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := known(t)
			r.sends(11)
			r.came("1")
			at := wire.Place{Node: "b", Epoch: 1, Order: 20}
			m := wire.Message{Payload: []byte("x"), IsText: true, Origin: at}
			r.in("g", m)
			cause(r)
			r.b.running.Go(r.run)
			if got := string(r.next().Payload); got != "x" {
				t.Fatalf("published %q", got)
			}
			r.b.cancel()
			r.b.running.Wait()
			if p := r.peers["b"]; !p.doubt || p.since != 11 || p.highest != 20 {
				t.Errorf("in doubt: %v, from %d on, of %d", p.doubt, p.since, p.highest)
			}
		})
	}
}

// TestVanished: a node that cannot be asked, since it is silent for the lease, has all groups told, once; should it
// come back, what it has sent meanwhile is asked for.
func TestVanished(t *testing.T) {
	t.Parallel()
	r := known(t)
	r.breaks()
	r.connects()
	r.marks()
	r.pass(r.b.opt.Lease)
	r.toldNobody()
	if r.others()["b"].State == NodeGone {
		t.Fatal("it is gone at the lease")
	}
	r.pass(time.Second)
	r.areTold(causeVanished, allOf...)
	if got := r.b.count.NodesGone.Load(); got != 1 || r.others()["b"].State != NodeGone {
		t.Errorf("%d nodes are gone, b is %s", got, r.others()["b"].State)
	}
	r.pass(time.Minute)
	r.toldNobody()
	if got := r.b.count.NodesGone.Load(); got != 1 {
		t.Errorf("it is gone %d times", got)
	}
	r.wanted()
	r.beatsAs(1, 20)
	if !r.doubtful() {
		t.Fatal("what it has sent meanwhile is in no doubt")
	}
	if q := r.synced(20); q == nil || q.After != 10 || q.Upto != 20 {
		t.Errorf("b is asked %+v", q)
	}
}

// TestGoneOfItself: a node that ends while this one's connection holds has lost nothing that this one knows of.
func TestGoneOfItself(t *testing.T) {
	t.Parallel()
	r := known(t)
	r.pass(2 * r.b.opt.Lease)
	r.toldNobody()
	if r.others()["b"].State != NodeGone {
		t.Error("it is not gone")
	}
	r.breaks() // a node that is gone has nothing in doubt of this node's break
	r.connects()
	r.pass(2 * r.b.opt.Lease)
	r.toldNobody()
}

// TestLeftInDoubt: a node that leaves cannot be asked for what it has published while this one was away: members of
// all groups are told if there was anything.
func TestLeftInDoubt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		away  bool
		place uint64
		told  bool
	}{
		"nothing in doubt":        {false, 20, false},
		"nothing was sent":        {true, 10, false},
		"something was sent":      {true, 11, true},
		"less than what has come": {true, 9, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := known(t)
			if test.away {
				r.breaks()
				r.connects()
			}
			r.beats(wire.Heartbeat{Place: test.place, Leaving: true})
			if n := r.others()["b"]; n.State != NodeGone || !n.Left || r.doubtful() {
				t.Errorf("it is %+v, in doubt: %v", n, r.doubtful())
			}
			if test.told {
				r.areTold(causeVanished, allOf...)
			}
			r.toldNobody()
			r.pass(time.Minute)
			r.toldNobody()
		})
	}
}

// TestRestarted: a node that has begun another life cannot be asked for what it has published in the last one while
// this node was away.
func TestRestarted(t *testing.T) {
	t.Parallel()
	r := known(t)
	next := func(epoch uint64) {
		r.beat(&wire.Control{Node: "b", Epoch: epoch, Heartbeat: &wire.Heartbeat{Connection: 1, Number: 1}}, r.now)
	}
	next(2) // while this node was there
	r.toldNobody()
	if p := r.peers["b"]; p.highest != 0 || p.gone || p.doubt {
		t.Errorf("its next life begins as %+v", p)
	}
	r.breaks()
	r.connects()
	next(3)
	r.areTold(causeRestarted, allOf...)
	if r.doubtful() {
		t.Error("what a life is to be asked for that has ended is in doubt")
	}
	// What it says and sends in the life that has ended is nothing of the next one's.
	r.says("b", 2, wire.Control{Notice: &wire.Notice{Nobody: true, All: true}})
	r.sendsAs("b", 2, 5, "g")
	r.toldNobody()
	if got := r.peers["b"].highest; got != 0 {
		t.Errorf("the place is %d", got)
	}
	if got := r.b.count.Strangers.Load(); got != 1 {
		t.Errorf("%d strangers", got)
	}
}

// TestTooLargeHere: members miss what another node's have, where that takes larger messages than this one; what a
// backend publishes that is too large nobody has.
func TestTooLargeHere(t *testing.T) {
	t.Parallel()
	r := known(t)
	most := r.b.engine.MaxMessageBytes()
	large := strings.Repeat("x", most+1)
	escaped := strings.Repeat("\x01", most/2) // as large in the form that members get
	for i, test := range []struct {
		subject, of string
		m           wire.Message
		told        []string
	}{
		{"g.g", "b", wire.Message{Payload: []byte(large)}, []string{"g"}},
		{"g.g", "b", wire.Message{Payload: []byte(escaped)}, []string{"g"}},
		{"m", "b", wire.Message{Payload: []byte(large), Groups: []string{"h", "quiet"}}, []string{"h", "quiet"}},
		{"m", "b", wire.Message{Payload: []byte(large), Users: []string{"7"}}, nil},
		{"g.g", "", wire.Message{Payload: []byte(large)}, nil},
		{"g.g", "", wire.Message{Payload: []byte(escaped)}, nil},
	} {
		m := test.m
		if m.IsText = true; test.of != "" {
			m.Origin = wire.Place{Node: test.of, Epoch: 1, Order: uint64(11 + i)}
		}
		subject := r.b.subjects.prefix.String() + "." + test.subject
		r.come(subject, &nats.Msg{Subject: subject, Data: m.Payload, Header: m.Header()})
		if test.told == nil {
			r.toldNobody()
		} else {
			r.areTold(causeTooLarge, test.told...)
		}
		if got := r.b.count.Ignored[wire.ReasonTooLarge].Load(); got != uint64(i+1) {
			t.Errorf("%d messages are ignored, want %d", got, i+1)
		}
	}
	if got := r.peers["b"].highest; got != 14 {
		t.Errorf("the highest place of b is %d, want 14", got)
	}
	r.came()
}

// TestNobodyGotIt: members miss what nobody got of another node, where this one did not hear that; once.
func TestNobodyGotIt(t *testing.T) {
	t.Parallel()
	r := known(t)
	back := func(m wire.Marked) (asked *wire.Range) {
		t.Helper()
		r.breaks()
		r.connects()
		ids := r.marks()
		m.ID = ids[len(ids)-1]
		r.says("b", 1, wire.Control{Marked: &m})
		for _, q := range r.wanted() {
			if q.control.Range != nil {
				asked = q.control.Range
			}
		}
		if (asked != nil) != r.doubtful() {
			t.Fatalf("in doubt %v, asked %+v", r.doubtful(), asked)
		}
		return asked
	}
	q := back(wire.Marked{Place: 10, Nobody: 11})
	if q == nil || q.After != 10 || q.Upto != 11 {
		t.Fatalf("b is asked %+v", q)
	}
	r.ranges(wire.Ranged{ID: q.ID, Hashes: []uint64{wire.Hash("g")}})
	r.areTold(causeAway, "g")
	if q := back(wire.Marked{Place: 10, Nobody: 11}); q != nil {
		t.Errorf("behind the answer b is asked %+v", q)
	}
	r.says("b", 1, wire.Control{Notice: &wire.Notice{Nobody: true, Place: 12, Lost: []wire.Entry{{Hash: wire.Hash("h")}}}})
	r.areTold(causeNotice, "h")
	if q := back(wire.Marked{Place: 10, Nobody: 12}); q != nil {
		t.Errorf("behind the notice b is asked %+v", q)
	}
	if q := back(wire.Marked{Place: 10, Nobody: 13}); q == nil || q.After != 10 || q.Upto != 13 {
		t.Errorf("behind another one b is asked %+v", q)
	}
}
