package bus

import (
	"testing"
	"time"

	"groupcast/server/bus/wire"
)

// TestHoleInHeartbeats: behind a heartbeat that has not come, what the node has published since the last one that has
// is asked for, whatever has come since.
func TestHoleInHeartbeats(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		next wire.Heartbeat // behind number 2 of connection 1
		lost bool
	}{
		"the next one":                  {wire.Heartbeat{Connection: 1, Number: 3}, false},
		"one is missing":                {wire.Heartbeat{Connection: 1, Number: 4}, true},
		"the same":                      {wire.Heartbeat{Connection: 1, Number: 2}, true},
		"an earlier one":                {wire.Heartbeat{Connection: 1, Number: 1}, true},
		"the next connection":           {wire.Heartbeat{Connection: 2, Number: 1}, false},
		"the second of a connection":    {wire.Heartbeat{Connection: 2, Number: 2}, true},
		"the third of a connection":     {wire.Heartbeat{Connection: 2, Number: 3}, true},
		"nothing goes out":              {wire.Heartbeat{Connection: 2}, false},
		"nothing goes out by this one":  {wire.Heartbeat{Connection: 1}, false},
		"of a program without a number": {wire.Heartbeat{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := known(t)
			r.beatsAs(2, 10)
			r.sends(14) // behind the hole
			r.now = r.now.Add(time.Second)
			test.next.Place = 15
			r.beats(test.next)
			if r.doubtful() != test.lost {
				t.Fatalf("in doubt: %v, want %v", r.doubtful(), test.lost)
			}
			if ids := r.marks(); !test.lost {
				if len(ids) != 0 {
					t.Errorf("markers %x, and nothing is missing", ids)
				}
				return
			} else if q := r.answersMarker(ids[0], 16); q == nil || q.After != 10 || q.Upto != 16 {
				t.Errorf("b is asked %+v", q)
			}
		})
	}
}

// TestHoleBehindNothing: heartbeats of a connection that this node's has not seen the beginning of have no hole in
// front.
func TestHoleBehindNothing(t *testing.T) {
	t.Parallel()
	r := newAlone(t)
	r.connects()
	r.beats(wire.Heartbeat{}) // it is there, and nothing goes out yet
	r.beatsAs(7, 0)
	if r.doubtful() {
		t.Error("in doubt")
	}
	r.beatsAs(8, 0)
	r.breaks()
	r.connects()
	r.synced(0)
	r.beatsAs(12, 0)
	if r.doubtful() {
		t.Error("in doubt for what was asked for already")
	}
	r.beatsAs(14, 0)
	if !r.doubtful() {
		t.Error("a hole behind that is not seen")
	}
}

// TestSilence: a node that is not heard of for so long is silent, and may have been parted from this one.
func TestSilence(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		next  wire.Heartbeat
		asked bool
	}{
		"it has stood still":  {wire.Heartbeat{Connection: 1, Number: 3}, false},
		"one is missing":      {wire.Heartbeat{Connection: 1, Number: 4}, true},
		"nothing goes out":    {wire.Heartbeat{Connection: 1}, true},
		"another connection":  {wire.Heartbeat{Connection: 2, Number: 1}, false},
		"its second is first": {wire.Heartbeat{Connection: 2, Number: 2}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := known(t)
			r.beatsAs(2, 10)
			r.pass(silentAfter)
			if n := r.others()["b"]; n.State != NodeUp || r.doubtful() {
				t.Fatalf("it is %s after %v", n.State, silentAfter)
			}
			r.pass(1)
			if n := r.others()["b"]; n.State != NodeSilent || !r.doubtful() {
				t.Fatalf("it is %s, in doubt: %v", n.State, r.doubtful())
			}
			r.pass(time.Second)
			if ids := r.marks(); len(ids) != 0 {
				t.Error("one that is silent is asked")
			}
			r.sends(14) // it is back; what was sent in front of it may be missing
			test.next.Place = 15
			r.beats(test.next)
			if n := r.others()["b"]; n.State != NodeUp || r.doubtful() != test.asked {
				t.Fatalf("it is %s, in doubt: %v", n.State, r.doubtful())
			}
			if ids := r.marks(); !test.asked {
				if len(ids) != 0 {
					t.Errorf("markers %x, and nothing is missing", ids)
				}
				return
			} else if q := r.answersMarker(ids[0], 16); q == nil || q.After != 10 || q.Upto != 16 {
				t.Errorf("b is asked %+v", q)
			}
			r.toldNobody()
		})
	}
}

// TestSilentInDoubt: where more than its silence is in doubt of a node, that it has stood still settles nothing.
func TestSilentInDoubt(t *testing.T) {
	t.Parallel()
	for name, doubt := range map[string]func(r *alone){
		"this node was away": func(r *alone) {
			r.breaks()
			r.connects()
			r.beatsAs(1, 10)
		},
		"and it was silent before": func(r *alone) {
			r.pass(silentAfter + 1)
			r.breaks()
			r.connects()
			r.beatsAs(1, 10)
		},
		"a hole": func(r *alone) {
			r.beatsAs(2, 10)
			r.beatsAs(4, 10)
		},
		"a hole behind its silence": func(r *alone) {
			r.beatsAs(2, 10)
			r.pass(silentAfter + 1)
			r.beatsAs(5, 10)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := known(t)
			doubt(r)
			next := r.peers["b"].beat.Number + 1
			r.pass(silentAfter + 1)
			if n := r.others()["b"]; n.State != NodeSilent {
				t.Fatalf("it is %s", n.State)
			}
			r.marks()
			r.beatsAs(next, 15)
			if !r.doubtful() {
				t.Fatal("nothing is in doubt")
			}
			if q := r.synced(15); q == nil || q.After != 10 {
				t.Errorf("b is asked %+v", q)
			}
		})
	}
}

// TestHoleWhileAsked: an answer to what was asked before a hole says nothing of it.
func TestHoleWhileAsked(t *testing.T) {
	t.Parallel()
	r := known(t)
	r.beatsAs(2, 10)
	r.beatsAs(4, 11)
	first := r.synced(12)
	r.beatsAs(6, 20)
	r.ranges(wire.Ranged{ID: first.ID})
	if !r.doubtful() {
		t.Fatal("nothing is in doubt")
	}
	if second := r.synced(21); second == nil || second.After != 10 || second.Upto != 21 {
		t.Errorf("b is asked %+v", second)
	}
}

// TestLeftBehindAHole: a node that leaves behind a hole cannot be asked.
func TestLeftBehindAHole(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		number, place uint64
		told          bool
	}{"no hole": {3, 20, false}, "nothing was sent": {4, 10, false}, "something was sent": {4, 11, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := known(t)
			r.beatsAs(2, 10)
			r.beats(wire.Heartbeat{Place: test.place, Connection: 1, Number: test.number, Leaving: true})
			if test.told {
				r.areTold(causeVanished, allOf...)
			}
			r.toldNobody()
		})
	}
}

// TestHidden: a node whose first heartbeat to come is not one of its first was behind a partition.
func TestHidden(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		there  time.Duration // for how long this node was, 0: its connection is away
		number uint64
		hidden bool
	}{
		"its first":                  {time.Hour, 1, false},
		"its second":                 {time.Hour, 2, false}, // that greets may have come before
		"its third":                  {time.Hour, 3, true},
		"this node is new":           {silentAfter, 3, false},
		"this node is new no longer": {silentAfter + 1, 3, true},
		"this node is away":          {0, 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			there := func() *alone {
				r := newAlone(t)
				r.connects()
				r.now = r.now.Add(test.there)
				if test.there == 0 {
					r.now = r.now.Add(time.Hour)
					r.breaks()
				}
				r.wanted()
				return r
			}
			r := there()
			if r.beats(wire.Heartbeat{Number: test.number, Leaving: true}); test.hidden {
				r.areTold(causeVanished, allOf...) // since it cannot be asked
			} else {
				r.toldNobody()
			}
			r = there()
			r.beatsAs(test.number, 5)
			if r.doubtful() != test.hidden {
				t.Fatalf("in doubt: %v", r.doubtful())
			}
			if !test.hidden {
				return
			}
			if q := r.synced(7); q == nil || q.After != 0 || q.Upto != 7 {
				t.Errorf("b is asked %+v", q)
			}
		})
	}
}

// TestNobodyIsSilentForWhatWaits: a heartbeat may stand among what has come, and is not looked at yet.
func TestNobodyIsSilentForWhatWaits(t *testing.T) {
	t.Parallel()
	r := known(t)
	r.pass(0)
	for range 2 {
		r.b.in <- nil
	}
	r.pass(time.Minute) // the reader had no time
	<-r.b.in
	r.caught.took()
	r.pass(time.Second)
	if n := r.others()["b"]; n.State != NodeUp {
		t.Fatalf("it is %s, and a message of it may wait", n.State)
	}
	<-r.b.in
	r.caught.took()
	r.pass(time.Second)
	if n := r.others()["b"]; n.State != NodeGone {
		t.Errorf("it is %s", n.State)
	}
}

// TestCaughtUp: it is the time at which the last message had come that was taken, while others come.
func TestCaughtUp(t *testing.T) {
	t.Parallel()
	var c caughtUp
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	is := func(second int) {
		t.Helper()
		if !c.at.Equal(at(second)) {
			t.Errorf("caught up to %v, want %v", c.at, at(second))
		}
	}
	c.tick(at(1), 0)
	is(1)
	c.took() // came behind it
	is(1)
	c.tick(at(2), 2)
	is(1)
	c.tick(at(3), 5) // two of them had come by then
	c.took()
	is(1)
	c.tick(at(4), 0)
	is(1)
	c.took()
	is(2)
	c.took()
	is(2)
	c.tick(at(5), 1)
	is(2)
	c.took()
	is(5)
	c.tick(at(6), 0)
	is(6)
}
