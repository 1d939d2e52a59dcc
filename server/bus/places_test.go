package bus

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"

	"groupcast/loop"
	"groupcast/server/bus/wire"
)

// TestNotices: members are told of what a node says that others have not got: unless it has come.
func TestNotices(t *testing.T) {
	t.Parallel()
	entry := func(group string, order uint64) wire.Entry { return wire.Entry{Hash: wire.Hash(group), Order: order} }
	for name, test := range map[string]struct {
		notice wire.Notice // to a node that has got place 10
		told   []string
	}{
		"of what has come": {wire.Notice{After: 8, Upto: 10, Lost: wire.Entries{entry("g", 9), entry("h", 10)}}, nil},
		"of what is behind that": {
			wire.Notice{After: 8, Upto: 12, Lost: wire.Entries{entry("g", 10), entry("h", 11)}}, []string{"h"},
		},
		"of all that has come":    {wire.Notice{After: 8, Upto: 10, All: true}, nil},
		"of all behind that":      {wire.Notice{After: 8, Upto: 11, All: true}, allOf},
		"of what nobody got":      {wire.Notice{Nobody: true, Lost: wire.Entries{entry("quiet", 3)}}, []string{"quiet"}},
		"of all that nobody got":  {wire.Notice{Nobody: true, All: true}, allOf},
		"of groups not used here": {wire.Notice{Nobody: true, Lost: wire.Entries{entry("elsewhere", 12)}}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := known(t)
			r.says("b", 1, wire.Control{Notice: &test.notice})
			switch {
			case len(test.told) > 0:
				r.areTold(causeNotice, test.told...)
			case test.told == nil:
				r.toldNobody()
			}
			// What comes up to there was told of, or had come.
			upto := max(10, test.notice.Upto)
			r.sends(upto)
			r.sends(upto + 1)
			want := []string{fmt.Sprint((upto + 1) % 10)}
			if test.notice.Upto == 0 { // it says nothing of places
				want = []string{"0", "1"}
			}
			r.came(want...)
		})
	}
	r := known(t)
	r.says("b", 1, wire.Control{Notice: &wire.Notice{Upto: 10}})
	r.says("b", 1, wire.Control{Notice: &wire.Notice{Upto: 5, Nobody: true}})
	r.sends(10)
	r.came() // an earlier span does not take back what a later one has said
}

// TestPlaces: whose places are believed, up to where, and what is published of those that are not.
func TestPlaces(t *testing.T) {
	t.Parallel()
	r := known(t)
	r.beatsAs(2, 50)
	own := r.b.epoch
	for _, c := range []struct {
		name         string
		node         string
		epoch, order uint64
		published    bool
		highest      uint64 // of b, then
		counts       string
	}{
		{"an earlier place", "b", 1, 5, true, 50, ""},
		{"the next one", "b", 1, 51, true, 51, ""},
		{"as far as is believed", "b", 1, 51 + placeLead, true, 51 + placeLead, ""},
		{"further", "b", 1, 52 + 2*placeLead, true, 51 + placeLead, "unknown"},
		{"another life", "b", 2, 60, true, 51 + placeLead, "unknown"},
		{"another node", "c", 1, 60, true, 51 + placeLead, "unknown"},
		{"an echo", "a", own, 1, false, 51 + placeLead, "echo"},
		{"an earlier life of this node", "a", own + 1, 1, true, 51 + placeLead, "unknown"},
		{"this node's epoch, another node", "c", own, 1, true, 51 + placeLead, "unknown"},
	} {
		unknown, echoes := r.b.count.PlacesUnknown.Load(), r.b.count.Echoes.Load()
		r.sendsAs(c.node, c.epoch, c.order, "g")
		if c.published {
			r.came(string('0' + byte(c.order%10)))
		} else {
			r.came()
		}
		if got := r.peers["b"].highest; got != c.highest {
			t.Errorf("%s: b has come to %d, want %d", c.name, got, c.highest)
		}
		unknown, echoes = r.b.count.PlacesUnknown.Load()-unknown, r.b.count.Echoes.Load()-echoes
		if (unknown == 1) != (c.counts == "unknown") || (echoes == 1) != (c.counts == "echo") {
			t.Errorf("%s: %d unknown places and %d echoes", c.name, unknown, echoes)
		}
	}
	// A heartbeat's place is believed as it is, and those a little beyond it.
	r.beatsAs(3, 10*placeLead)
	r.sends(10*placeLead + 1)
	if got := r.peers["b"].highest; got != 10*placeLead+1 {
		t.Errorf("b has come to %d", got)
	}
	r.breaks() // what is in doubt raises no place by a heartbeat, which says up to where places are believed all the same
	r.beatsAs(4, 20*placeLead)
	r.sends(20*placeLead + 5)
	if got := r.peers["b"].highest; got != 20*placeLead+5 {
		t.Errorf("b has come to %d", got)
	}
}

// TestAvoidedIsCounted: of what a node has sent between two heartbeats, what did not come was for nobody here.
func TestAvoidedIsCounted(t *testing.T) {
	t.Parallel()
	r := newAlone(t)
	beat := func(number, sent, avoided uint64) {
		t.Helper()
		r.beats(wire.Heartbeat{Connection: 1, Number: number, Sent: sent, Place: 100})
		if got := r.b.count.Avoided.Load(); got != avoided {
			t.Errorf("heartbeat %d: %d messages did not have to come, want %d", number, got, avoided)
		}
	}
	beat(1, 50, 0) // sent before this node knew of it
	r.sends(51)
	r.sends(52)
	beat(2, 57, 5)
	r.sends(58)
	beat(3, 58, 5)
	beat(4, 60, 7)
	beat(5, 1, 7) // a count that goes back says nothing
}

// TestForeign: behind a break, members of the groups are told that have had a message without a place, and no others.
func TestForeign(t *testing.T) {
	t.Parallel()
	send := func(r *alone, group string) {
		text := "groupcast.g." + group
		r.come(text, &nats.Msg{Subject: text, Data: []byte("x")})
	}
	for name, lose := range map[string]func(r *alone){
		"a break": func(r *alone) {
			r.breaks()
			r.toldNobody() // there may be more
			r.connects()
		},
		"an overflow": func(r *alone) { r.overflowed() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := known(t)
			lose(r)
			r.toldNobody()
			r.synced(10)
			send(r, "h")
			send(r, "h")
			r.sends(11)
			r.come("groupcast.u.*", &nats.Msg{Subject: "groupcast.u.7", Data: []byte("x")})
			for range 2 { // it is known for good
				lose(r)
				r.areTold(causeForeign, "h")
			}
		})
	}
	t.Run("the first connection", func(t *testing.T) {
		t.Parallel()
		r := newAlone(t)
		send(r, "h")
		r.connects()
		r.toldNobody()
	})
	t.Run("more than are told apart", func(t *testing.T) {
		t.Parallel()
		r := known(t)
		// Groups without members are forgotten first.
		if err := r.b.engine.Cover([]string{"g"}); err != nil {
			t.Fatal(err)
		}
		r.noteForeign([]string{"g"})
		for i := range maxForeign {
			r.noteForeign([]string{fmt.Sprint(i)})
		}
		if _, there := r.foreign["g"]; !there || r.allForeign || len(r.foreign) != 2 {
			t.Fatalf("of %d groups of which one has members %d are remembered, all: %v", maxForeign+1, len(r.foreign),
				r.allForeign)
		}
		var used []string
		for i := range maxForeign {
			used = append(used, fmt.Sprint("used", i))
		}
		if err := r.b.engine.Cover(used); err != nil {
			t.Fatal(err)
		}
		r.noteForeign(used)
		if !r.allForeign || len(r.foreign) > 1 {
			t.Fatalf("all: %v, and %d are remembered", r.allForeign, len(r.foreign))
		}
		r.breaks()
		r.connects()
		r.areTold(causeForeign, allOf...)
	})
}

// TestNoRoomForAMessage: members of its groups are told, and a requester.
func TestNoRoomForAMessage(t *testing.T) {
	t.Parallel()
	r := known(t)
	m := &nats.Msg{Subject: "groupcast.m", Reply: "inbox"}
	r.unpublished(m, loop.Publication{Groups: []string{"g", "h"}}, false, loop.ErrOverloaded)
	r.areTold(causeOverloaded, "g", "h")
	r.unpublished(m, loop.Publication{Groups: []string{"g"}}, false, loop.ErrDraining)
	r.unpublished(m, loop.Publication{Groups: []string{"g"}}, false, loop.ErrTooLarge)
	r.toldNobody()
	if n := r.b.count.LostOverloaded.Load(); n != 1 {
		t.Errorf("%d messages found no room", n)
	}
	codes := []string{"overloaded", "draining", "too_large"}
	all := r.wanted()
	if len(all) != len(codes) {
		t.Fatalf("%d answers", len(all))
	}
	for i, q := range all {
		if want := `{"error":"` + codes[i] + `"`; q.subject != "inbox" || string(q.data[:len(want)]) != want {
			t.Errorf("answered %s: %s, want %s", q.subject, q.data, want)
		}
	}
}
