package reactor

import (
	"math"
	"math/bits"
)

// Histogram counts values in buckets of a quarter of a power of two: 12 % wide at
// their upper end, up to 2^27. What the unit is, the field that holds one says.
type Histogram struct {
	Buckets [histogramBuckets]uint64
	Count   uint64
	Sum     uint64
}

const (
	histogramMaxBits = 27
	histogramBuckets = 4 * (histogramMaxBits - 1)
)

// bucketOf: 0 to 3 have a bucket each; from there on four for each power of two.
func bucketOf(v uint64) int {
	if v < 4 {
		return int(v)
	}
	high := bits.Len64(v) - 1
	return min(4*(high-1)+int(v>>(high-2)&3), histogramBuckets-1)
}

// bucketEnd is the first value behind the bucket's.
func bucketEnd(i int) uint64 {
	if i < 4 {
		return uint64(i) + 1
	}
	return uint64(4+i%4+1) << (i/4 - 1)
}

func (h *Histogram) observe(v uint64) {
	h.Buckets[bucketOf(v)]++
	h.Count++
	h.Sum += v
}

// Add adds the counts of other.
func (h *Histogram) Add(other *Histogram) {
	for i, n := range other.Buckets {
		h.Buckets[i] += n
	}
	h.Count += other.Count
	h.Sum += other.Sum
}

// Sub takes an earlier state of the same histogram off it: what remains is
// what came in between.
func (h *Histogram) Sub(earlier *Histogram) {
	for i, n := range earlier.Buckets {
		h.Buckets[i] -= n
	}
	h.Count -= earlier.Count
	h.Sum -= earlier.Sum
}

// Quantile returns a value that the share q of all is not above, by at most the
// width of a bucket; 0 if there are none.
func (h *Histogram) Quantile(q float64) uint64 {
	if h.Count == 0 {
		return 0
	}
	rank := max(1, uint64(math.Ceil(q*float64(h.Count))))
	var seen uint64
	for i, n := range h.Buckets {
		if seen += n; seen >= rank {
			return bucketEnd(i) - 1
		}
	}
	return bucketEnd(histogramBuckets-1) - 1
}

// Below counts the values under 2^exponent.
func (h *Histogram) Below(exponent int) uint64 {
	var n uint64
	for i, count := range h.Buckets {
		if bucketEnd(i) > 1<<exponent {
			break
		}
		n += count
	}
	return n
}
