package sent

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"groupcast/server/bus/wire"
)

func TestEntryBytes(t *testing.T) {
	if got := unsafe.Sizeof(wire.Entry{}); got != 16 {
		t.Errorf("an entry has %d bytes", got)
	}
	r := NewRing(100)
	order := uint64(0)
	if got := testing.AllocsPerRun(500, func() {
		order++
		r.Add(order%7, order)
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
	if r.Len() != 100 || NewRing(0).Len() != 0 {
		t.Errorf("%d in a ring of 100", r.Len())
	}
}

func TestPlacesAscend(t *testing.T) {
	r := NewRing(2)
	for _, order := range []uint64{5, 5, 5, 9} { // one message for three groups, and another one
		r.Add(order, order)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	r.Add(1, 8)
}

// TestForget: what was forgotten is any group, and what comes behind it is told apart.
func TestForget(t *testing.T) {
	r := NewRing(2)
	if r.Last() != 0 {
		t.Errorf("the last of none is %d", r.Last())
	}
	r.Add(1, 5)
	r.Forget(7)
	r.Forget(6)
	if _, all := r.Between(6, 9); !all || r.Last() != 7 {
		t.Errorf("all %v, the last is %d", all, r.Last())
	}
	r.Add(2, 9)
	if hashes, all := r.Between(7, 9); all || !slices.Equal(hashes, []uint64{2}) || r.Last() != 9 {
		t.Errorf("%v, all %v, the last is %d", hashes, all, r.Last())
	}
}

// TestNaive holds the ring to a list that forgets nothing.
func TestNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.IntRange(1, 20).Draw(t, "slots")
		r := NewRing(slots)
		order := rapid.SampledFrom([]uint64{0, 1, 1000, math.MaxUint64 - 500}).Draw(t, "first")
		first := order
		var list []wire.Entry
		steps := rapid.IntRange(0, 100).Draw(t, "messages")
		for range steps {
			hash := rapid.Uint64Range(0, 8).Draw(t, "hash")
			r.Add(hash, order)
			list = append(list, wire.Entry{Hash: hash, Order: order})
			if rapid.IntRange(0, 3).Draw(t, "rare") == 0 {
				checkRing(t, r, list, slots, first)
			}
			order += rapid.Uint64Range(0, 4).Draw(t, "step")
		}
		checkRing(t, r, list, slots, first)
	})
}

func checkRing(t *rapid.T, r *Ring, list []wire.Entry, slots int, first uint64) {
	place := rapid.OneOf(rapid.Uint64Range(max(first, 3)-3, first+min(400, math.MaxUint64-first)), rapid.Uint64())
	after, upto := place.Draw(t, "after"), place.Draw(t, "upto")
	want := map[uint64]uint64{}
	mustAll := false // a message of the range is not in the ring any more
	forgotten := list[:max(len(list)-slots, 0)]
	for i, e := range list {
		if e.Order > after && e.Order <= upto {
			want[e.Hash] = e.Order
			mustAll = mustAll || i < len(forgotten)
		}
	}
	// It does not tell whether the forgotten ones before its newest were in the range.
	mayAll := mustAll || after < upto && len(forgotten) > 0 && after < forgotten[len(forgotten)-1].Order
	entries, all := r.Entries(after, upto)
	hashes, all2 := r.Between(after, upto)
	if all != all2 || mustAll && !all || all && !mayAll {
		t.Fatalf("(%d, %d]: all is %v and %v, must be %v, may be %v", after, upto, all, all2, mustAll, mayAll)
	}
	if all {
		if len(entries)+len(hashes) > 0 {
			t.Fatalf("all, and %v, %v", entries, hashes)
		}
		return
	}
	got := map[uint64]uint64{}
	for _, e := range entries {
		got[e.Hash] = e.Order
	}
	if !maps.Equal(got, want) || len(got) != len(entries) {
		t.Fatalf("(%d, %d]: %v, want %v", after, upto, entries, want)
	}
	newestFirst := func(a, b wire.Entry) int { return cmp.Compare(b.Order, a.Order) }
	if !slices.IsSortedFunc(entries, newestFirst) || len(hashes) != len(entries) {
		t.Fatalf("(%d, %d]: %v, %v", after, upto, entries, hashes)
	}
	for i, e := range entries {
		if hashes[i] != e.Hash {
			t.Fatalf("(%d, %d]: %v, %v", after, upto, entries, hashes)
		}
	}
}

func BenchmarkEntries(b *testing.B) {
	for _, groups := range []uint64{100, 5000, 1 << 16} {
		b.Run(fmt.Sprintf("%d-groups", groups), func(b *testing.B) {
			r := NewRing(1 << 16)
			for i := range uint64(1 << 17) {
				r.Add(i*0x9e3779b97f4a7c15%groups, i)
			}
			b.ReportAllocs()
			for b.Loop() {
				if list, all := r.Entries(1<<16, 1<<17); all || len(list) == 0 {
					b.Fatal(len(list), all)
				}
			}
		})
	}
}
