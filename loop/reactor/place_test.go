package reactor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// TestJoinHasAPlace: a member gets every message of its group behind the place in the order
// at which it joined, and none before, while loops and other goroutines publish, through
// rings that are full most of the time.
func TestJoinHasAPlace(t *testing.T) {
	const loops, each, joins = 3, 400, 60
	e := startSim(t, func(o *Options) {
		o.Loops, o.RingSlots, o.BatchMessages, o.FlushSlice = loops, 8, 4, 3
	})
	all := e.broker.NewSink(order.SinkOptions{Name: "all", MaxMessages: (loops + 1) * each, MaxBytes: 1 << 24})
	defer all.Close()
	written := make([]map[int32][]byte, loops)
	senders := make([]*Session, loops)
	for i, r := range e.reactors {
		onLoop(t, r, func() {
			written[i] = r.record(0)
			senders[i] = r.simulate(1, protocol.ModeBare)[0]
		})
	}
	type joined struct {
		s     *Session
		place uint64
	}
	members := make([][]joined, loops)
	var work sync.WaitGroup
	for i, r := range e.reactors {
		work.Go(func() {
			for n := range each {
				onLoop(t, r, func() {
					r.execCommand(senders[i], fmt.Appendf(nil, `{"cmd":"send_to_group","group_id":"g","message":"%d-%d"}`, i, n),
						false)
					r.settle()
				})
			}
		})
		work.Go(func() {
			for range joins {
				onLoop(t, r, func() {
					s := r.simulate(1, protocol.ModeBare)[0]
					place, err := r.Join(s.ID(), "g")
					if err != nil {
						t.Error(err)
					}
					members[i] = append(members[i], joined{s, place})
				})
			}
		})
	}
	work.Go(func() {
		for n := range each {
			m := textMessage("g", fmt.Sprintf("out-%d", n))
			m.Outside = &order.Outside{}
			if _, err := e.broker.Publish(context.Background(), m); err != nil {
				t.Error(err)
			}
		}
	})
	work.Wait()
	want := make([]string, 0, (loops+1)*each)
	for len(want) < cap(want) {
		m, err := all.Next(t.Context())
		if err != nil || m.Order != uint64(len(want))+1 {
			t.Fatalf("message %d: %v, %v", len(want), m.Order, err)
		}
		want = append(want, string(m.Payload))
	}
	between := 0
	for i, r := range e.reactors {
		waitFor(t, "a loop has taken and flushed all", func() (done bool) {
			onLoop(t, r, func() { done = r.place == uint64(len(want)) && len(r.dirty) == 0 })
			return done
		})
		for _, m := range members[i] {
			if got := texts(t, written[i][m.s.fd]); !slices.Equal(got, want[m.place:]) {
				t.Fatalf("who joined at %d got %d messages, want the %d behind it", m.place, len(got), len(want[m.place:]))
			}
			if m.place > 0 && m.place < uint64(len(want)) {
				between++
			}
		}
	}
	if between == 0 {
		t.Error("nobody joined while messages were under way: this showed nothing")
	}
}

// TestJoinAgainHasAPlace: joining a group that one is in is answered with where the loop is.
func TestJoinAgainHasAPlace(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	var s *Session
	join := func() (place uint64) {
		onLoop(t, r, func() {
			r.sink()
			if s == nil {
				s = r.simulate(1, protocol.ModeBare)[0]
			}
			var err error
			if place, err = r.Join(s.ID(), "g"); err != nil {
				t.Error(err)
			}
		})
		return place
	}
	if place := join(); place != 0 {
		t.Errorf("joined at %d before anything was sent", place)
	}
	m := textMessage("elsewhere", "x")
	m.Outside = &order.Outside{}
	if _, err := e.broker.Publish(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the loop has taken it", func() bool { return join() == 1 })
}
