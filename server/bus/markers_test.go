package bus

import (
	"testing"
	"time"

	"groupcast/server/bus/wire"
)

// nodes has these nodes come, and forgets what the reader wants of that.
func (r *alone) nodes(names ...string) {
	for _, name := range names {
		r.beat(&wire.Control{Node: name, Epoch: 1, Heartbeat: &wire.Heartbeat{Connection: 1, Number: 1}}, r.now)
	}
	r.pass(0)
	r.wanted()
}

// marker has the interest's marker of that number under way, and returns it as it is on the wire.
func (r *alone) markerOf(number uint64) (id uint64) {
	r.hear(told{kind: toldMarker, number: number})
	r.now = time.Now()
	return r.b.markerID(number, false)
}

func (r *alone) answersAs(node string, id uint64) {
	r.t.Helper()
	r.says(node, 1, wire.Control{Marked: &wire.Marked{ID: id}})
}

// TestMarkerIsWhole: the groups in front of a marker are covered when all nodes that count have answered it, and this
// node's own server behind it.
func TestMarkerIsWhole(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) (r *alone, id uint64) {
		t.Helper()
		r = newAlone(t)
		r.connects()
		r.nodes("b", "c")
		return r, r.markerOf(7)
	}
	flushed := func(r *alone, number uint64, failed bool) {
		r.hear(told{kind: toldFlushed, number: number, failed: failed})
	}
	is := func(t *testing.T, r *alone, open bool, late uint64) {
		t.Helper()
		if got := r.b.count.MarkersLate.Load(); (r.marker.number != 0) != open || got != late {
			t.Fatalf("marker %d is under way, %d were not whole; want one: %v, and %d", r.marker.number, got, open, late)
		}
	}
	t.Run("nodes and server", func(t *testing.T) {
		t.Parallel()
		r, id := start(t)
		r.answersAs("b", id)
		flushed(r, 6, true) // that of an earlier one
		flushed(r, 7, false)
		r.answersAs("c", id-2)       // an earlier one
		r.answersAs("c", id^syncBit) // the reader's own
		r.answersAs("c", id^1<<40)   // of an earlier life of this node
		r.answersAs("elsewhere", id) // no node
		is(t, r, true, 0)
		r.answersAs("c", id)
		is(t, r, false, 0)
	})
	t.Run("the server is last", func(t *testing.T) {
		t.Parallel()
		r, id := start(t)
		r.answersAs("c", id)
		r.answersAs("b", id)
		is(t, r, true, 0)
		flushed(r, 6, false)
		is(t, r, true, 0)
		flushed(r, 7, false)
		is(t, r, false, 0)
	})
	t.Run("the server does not answer", func(t *testing.T) {
		t.Parallel()
		r, id := start(t)
		r.answersAs("b", id)
		r.answersAs("c", id)
		flushed(r, 7, true)
		is(t, r, false, 1)
	})
	t.Run("a node does not answer", func(t *testing.T) {
		t.Parallel()
		r, id := start(t)
		r.answersAs("b", id)
		flushed(r, 7, false)
		wait := r.b.opt.JoinWait
		again := 0
		for range int(wait/lookEvery) - 1 {
			r.pass(lookEvery)
			for _, q := range r.wanted() {
				if m := q.control.Marker; m != nil && m.ID == id {
					again++
				}
			}
		}
		is(t, r, true, 0)
		if again < 2 || again > int(wait/syncAgain) {
			t.Errorf("it is asked %d times again in %v", again, wait)
		}
		r.pass(2 * lookEvery)
		is(t, r, false, 1)
		r.answersAs("c", id)
		r.pass(time.Minute)
		is(t, r, false, 1)
	})
	t.Run("a node leaves", func(t *testing.T) {
		t.Parallel()
		r, id := start(t)
		r.answersAs("b", id)
		flushed(r, 7, false)
		r.beat(&wire.Control{Node: "c", Epoch: 1, Heartbeat: &wire.Heartbeat{Leaving: true}}, r.now)
		is(t, r, false, 0)
	})
	t.Run("a node is gone", func(t *testing.T) {
		t.Parallel()
		r, id := start(t)
		r.marker.until = r.now.Add(time.Hour)
		r.answersAs("b", id)
		flushed(r, 7, false)
		r.now = r.now.Add(r.b.opt.Lease)
		r.peers["b"].heard = r.now
		r.pass(time.Second)
		is(t, r, false, 0)
	})
	t.Run("nodes that are gone are not asked", func(t *testing.T) {
		t.Parallel()
		r, _ := start(t)
		for _, name := range []string{"b", "c"} {
			r.beat(&wire.Control{Node: name, Epoch: 1, Heartbeat: &wire.Heartbeat{Leaving: true}}, r.now)
		}
		r.markerOf(8)
		flushed(r, 8, false)
		is(t, r, false, 0)
	})
	t.Run("the connection ends", func(t *testing.T) {
		t.Parallel()
		r, id := start(t)
		r.answersAs("b", id)
		r.breaks()
		is(t, r, false, 0)
		r.answersAs("c", id)
		flushed(r, 7, false)
		r.pass(time.Minute)
		is(t, r, false, 0)
	})
}

// TestMarkersOfOthers: each is answered, a stranger's too.
func TestMarkersOfOthers(t *testing.T) {
	t.Parallel()
	r := newAlone(t)
	r.connects()
	r.nodes("b")
	for _, node := range []string{"b", "stranger"} {
		r.says(node, 1, wire.Control{Marker: &wire.Marker{ID: 98}})
		if all := r.wanted(); len(all) != 1 || all[0].marker != 98 || all[0].subject != "groupcast.n."+node {
			t.Errorf("%s is answered %+v", node, all)
		}
	}
}

// TestAskedBeforeTheAnswer: of two nodes that are back, each knows what the other has published before it publishes
// again: the question stands in front of the answer.
func TestAskedBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		set  func(r *alone)
		id   uint64
		asks bool
	}{
		"both are back":              {func(*alone) {}, 99, true},
		"its marker is of its joins": {func(*alone) {}, 98, false},
		"nothing is in doubt":        {func(r *alone) { r.peers["b"].settled() }, 99, false},
		"it is asked already":        {func(r *alone) { r.peers["b"].asked = 5 }, 99, false},
		"this one is away":           {func(r *alone) { r.breaks() }, 99, false},
		"nobody is asked":            {func(r *alone) { r.sync = pending{} }, 99, false},
		"it was asked a moment ago":  {func(r *alone) { r.syncAsked = time.Now().Add(time.Hour) }, 99, false},
		"of a stranger":              {func(r *alone) { delete(r.peers, "b") }, 99, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := known(t)
			r.breaks()
			r.connects()
			r.wanted()
			r.syncAsked = time.Time{}
			test.set(r)
			sync := r.sync.wire
			r.says("b", 1, wire.Control{Marker: &wire.Marker{ID: test.id}})
			all := r.wanted()
			if len(all) == 0 || all[len(all)-1].marker != test.id {
				t.Fatalf("the last of %+v is no answer", all)
			}
			if asked := len(all) == 2; asked != test.asks {
				t.Fatalf("asked in front of it: %v", asked)
			}
			if test.asks {
				if m := all[0].control.Marker; m == nil || m.ID != sync {
					t.Errorf("asked %+v", all[0])
				}
				r.says("b", 1, wire.Control{Marker: &wire.Marker{ID: test.id}})
				if time.Since(r.syncAsked) < syncAgain/10 && len(r.wanted()) != 1 {
					t.Error("asked at each marker")
				}
			}
		})
	}
}

// TestHealed: the writer goes on when all nodes have said how far they have come, or were waited for.
func TestHealed(t *testing.T) {
	t.Parallel()
	healed := func(r *alone) uint64 {
		select {
		case round := <-r.b.healed:
			return round
		default:
			return 0
		}
	}
	start := func(t *testing.T) *alone {
		t.Helper()
		r := newAlone(t)
		r.connects()
		if got := healed(r); got != 1 {
			t.Fatalf("round %d, want the first: nobody is waited for", got)
		}
		r.nodes("b", "c")
		r.breaks()
		r.connects()
		if got := healed(r); got != 0 {
			t.Fatalf("round %d, and two nodes have not answered", got)
		}
		return r
	}
	const round = 3 // by the count of dials
	t.Run("all answer", func(t *testing.T) {
		t.Parallel()
		r := start(t)
		id := r.marks()[0]
		r.answersAs("b", id)
		if got := healed(r); got != 0 {
			t.Fatalf("round %d, and one has not answered", got)
		}
		r.answersAs("c", id)
		if got := healed(r); got != round {
			t.Fatalf("round %d, want %d", got, round)
		}
		r.pass(time.Minute)
		if got := healed(r); got != 0 {
			t.Errorf("round %d once more", got)
		}
	})
	t.Run("one is gone", func(t *testing.T) {
		t.Parallel()
		r := start(t)
		r.answersAs("b", r.marks()[0])
		r.beat(&wire.Control{Node: "c", Epoch: 1, Heartbeat: &wire.Heartbeat{Leaving: true}}, r.now)
		r.pass(lookEvery)
		if got := healed(r); got != round {
			t.Errorf("round %d, want %d", got, round)
		}
	})
	t.Run("one is waited for", func(t *testing.T) {
		t.Parallel()
		r := start(t)
		r.pass(healWait / 2)
		if got := healed(r); got != 0 {
			t.Fatalf("round %d after half of %v", got, healWait)
		}
		r.overflowed() // what is asked meanwhile makes it no longer, and no shorter
		if got := healed(r); got != 0 {
			t.Fatalf("round %d after half of %v", got, healWait)
		}
		r.now = time.Now()
		r.pass(healWait)
		if got := healed(r); got != round {
			t.Errorf("round %d, want %d", got, round)
		}
	})
	t.Run("it breaks again", func(t *testing.T) {
		t.Parallel()
		r := start(t)
		r.breaks()
		r.pass(time.Minute)
		if got := healed(r); got != 0 {
			t.Errorf("round %d, and the connection is away", got)
		}
		if ids := r.marks(); len(ids) > 1 {
			t.Errorf("nodes are asked by no connection: %x", ids)
		}
	})
	t.Run("the writer has not taken the last one", func(t *testing.T) {
		t.Parallel()
		r := start(t)
		r.b.healed <- 2
		id := r.marks()[0]
		r.answersAs("b", id)
		r.answersAs("c", id)
		if got := healed(r); got != 2 {
			t.Fatalf("round %d, want the one that waits", got)
		}
		r.pass(lookEvery)
		if got := healed(r); got != round {
			t.Errorf("round %d, want %d", got, round)
		}
	})
}
