package main

import (
	"testing"

	"pgregory.net/rapid"
)

func TestLedgerNoticesWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name      string
		arrivals  []uint32
		published uint32
		want      counts
	}{
		{"all well", []uint32{1, 2, 3}, 3, counts{fresh: 3}},
		{"nothing came", nil, 3, counts{lost: 3}},
		{"first lost", []uint32{2, 3}, 3, counts{fresh: 2, lost: 1}},
		{"one lost", []uint32{1, 3}, 3, counts{fresh: 2, lost: 1}},
		{"last lost", []uint32{1, 2}, 3, counts{fresh: 2, lost: 1}},
		{"several lost", []uint32{1, 5, 9}, 10, counts{fresh: 3, lost: 7}},
		{"duplicate", []uint32{1, 2, 2, 3}, 3, counts{fresh: 3, duplicate: 1}},
		{"late duplicate", []uint32{1, 2, 3, 1}, 3, counts{fresh: 3, duplicate: 1}},
		{"swapped", []uint32{2, 1, 3}, 3, counts{fresh: 2, reordered: 1}},
		{"reordered, then twice", []uint32{1, 3, 2, 2}, 3, counts{fresh: 2, reordered: 1, duplicate: 1}},
		{"out of the middle of a hole", []uint32{1, 9, 5}, 9, counts{fresh: 2, reordered: 1, lost: 6}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := judgeAll(c.arrivals, c.published); got != c.want {
				t.Errorf("%v of %d: got %+v, want %+v", c.arrivals, c.published, got, c.want)
			}
		})
	}
}

func TestLedgerOfOneWhoComesAndGoes(t *testing.T) {
	var l ledger
	slot := l.reserve(1)
	l.reset(slot, absent)
	if v := l.judge(slot, 5); v != stray {
		t.Errorf("a delivery to an absent member was %v", v)
	}
	l.reset(slot, adopting)
	if v := l.judge(slot, 5); v != fresh {
		t.Errorf("the first delivery after joining was %v", v)
	}
	if v := l.judge(slot, 7); v != fresh || l.open != 1 {
		t.Errorf("a gap after joining: %v, %d missing", v, l.open)
	}
	if lost := l.tail(slot, 9); lost != 2 {
		t.Errorf("tail = %d, want 2", lost)
	}
}

// The oracle keeps sets; the ledger must agree with it on any arrivals.
func TestLedgerAgreesWithAnOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const published = 12
		arrivals := rapid.SliceOf(rapid.Uint32Range(1, published)).Draw(t, "arrivals")
		seen, highest, want := map[uint32]bool{}, uint32(0), counts{}
		for _, seq := range arrivals {
			switch {
			case seen[seq]:
				want.duplicate++
			case seq < highest:
				want.reordered++
			default:
				want.fresh++
			}
			seen[seq], highest = true, max(highest, seq)
		}
		want.lost = uint64(published - len(seen))
		if got := judgeAll(arrivals, published); got != want {
			t.Fatalf("%v: got %+v, want %+v", arrivals, got, want)
		}
	})
}

type counts struct{ fresh, reordered, duplicate, lost uint64 }

func judgeAll(arrivals []uint32, published uint32) (c counts) {
	var l ledger
	slot := l.reserve(1)
	for _, seq := range arrivals {
		switch l.judge(slot, seq) {
		case fresh:
			c.fresh++
		case reordered:
			c.reordered++
		case duplicate:
			c.duplicate++
		case stray:
			panic("stray")
		}
	}
	c.lost = l.open + l.tail(slot, published)
	return c
}
