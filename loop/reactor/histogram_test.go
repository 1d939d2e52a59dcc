package reactor

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestHistogram against the sorted list of the values.
func TestHistogram(t *testing.T) {
	value := rapid.OneOf(rapid.Uint64Range(0, 20), rapid.Uint64Range(0, 1<<histogramMaxBits-1))
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(value, 1, 200).Draw(t, "values")
		earlier := rapid.SliceOfN(value, 0, 20).Draw(t, "earlier values")
		var h, before Histogram
		for _, v := range earlier {
			h.observe(v)
			before.observe(v)
		}
		for _, v := range list {
			h.observe(v)
		}
		both := h
		h.Sub(&before)
		again := h
		again.Add(&before)
		if again != both {
			t.Fatal("Add does not undo Sub")
		}
		slices.Sort(list)
		var sum uint64
		for _, v := range list {
			sum += v
		}
		if h.Count != uint64(len(list)) || h.Sum != sum {
			t.Fatalf("count %d, sum %d; want %d, %d", h.Count, h.Sum, len(list), sum)
		}
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		exact := list[max(0, int(math.Ceil(q*float64(len(list))))-1)] // the share q is not above it
		if got := h.Quantile(q); got < exact || got > exact+exact/4 {
			t.Fatalf("quantile %g is %d, exactly %d", q, got, exact)
		}
		exponent := rapid.IntRange(0, histogramMaxBits).Draw(t, "exponent")
		n, _ := slices.BinarySearch(list, 1<<exponent)
		if got := h.Below(exponent); got != uint64(n) {
			t.Fatalf("%d below 2^%d, want %d", got, exponent, n)
		}
	})
	var h Histogram
	if h.Quantile(0.5) != 0 {
		t.Error("a quantile of nothing is not 0")
	}
	h.observe(1 << 60) // beyond the last bucket: counted in it
	if h.Buckets[histogramBuckets-1] != 1 {
		t.Error("a value beyond the last bucket is lost")
	}
}
