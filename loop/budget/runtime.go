package budget

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
)

// heap is what Go's runtime knows.
type heap struct {
	samples []metrics.Sample
	cycle   uint64    // the last collection that was looked at
	besides [3]uint64 // what the last three found beside what was counted
	runtime uint64    // what the runtime has for itself: stacks, tables of its own
}

// What is read of the runtime.
const (
	heapLive = iota
	heapCycles
	firstOwn // of what the runtime has for itself
)

var heapMetrics = []string{
	heapLive:   "/gc/heap/live:bytes",
	heapCycles: "/gc/cycles/total:gc-cycles",
	firstOwn:   "/memory/classes/heap/stacks:bytes",
	"/memory/classes/metadata/mcache/inuse:bytes",
	"/memory/classes/metadata/mspan/inuse:bytes",
	"/memory/classes/metadata/other:bytes",
	"/memory/classes/os-stacks:bytes",
	"/memory/classes/other:bytes",
	"/memory/classes/profiling/buckets:bytes",
}

// beside is what there is beside counted bytes of the heap.
func (h *heap) beside(counted int64) int64 {
	if h.samples == nil {
		h.samples = make([]metrics.Sample, len(heapMetrics))
		for i, name := range heapMetrics {
			h.samples[i].Name = name
		}
	}
	metrics.Read(h.samples)
	value := func(i int) uint64 {
		if v := h.samples[i].Value; v.Kind() == metrics.KindUint64 {
			return v.Uint64()
		}
		return 0 // one that this version of Go does not have
	}
	h.runtime = 0
	for i := firstOwn; i < len(h.samples); i++ {
		h.runtime += value(i)
	}
	h.note(value(heapCycles), int64(value(heapLive))-counted)
	return int64(min(h.besides[0], h.besides[1], h.besides[2]) + h.runtime)
}

// note takes in what a collection has found beside, unless it was looked at before.
func (h *heap) note(cycle uint64, beside int64) {
	if cycle == h.cycle {
		return
	}
	found := uint64(max(0, beside))
	if h.cycle == 0 {
		h.besides = [3]uint64{found, found, found}
	}
	h.cycle = cycle
	h.besides = [3]uint64{found, h.besides[0], h.besides[1]}
}

// OwnGoLimit has the budget set Go's soft memory limit, unless the operator did.
func (b *Budget) OwnGoLimit() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ownLimit = os.Getenv("GOMEMLIMIT") == ""
}

// GoLimit is the soft limit of Go's runtime under limit, where the kernel has so much.
func GoLimit(limit, kernel int64) int64 {
	if limit == 0 {
		return math.MaxInt64
	}
	return max(share(limit, ResetAt)-kernel, limit/4)
}

// setGoLimit sets it anew where it has moved by a sixteenth: each time, the world stops for
// a moment.
func (b *Budget) setGoLimit(limit, kernel int64) {
	b.mu.Lock()
	own := b.ownLimit
	b.mu.Unlock()
	if !own {
		return
	}
	wanted, now := GoLimit(limit, kernel), debug.SetMemoryLimit(-1)
	if wanted != now && (now == math.MaxInt64 || wanted == math.MaxInt64 || max(wanted-now, now-wanted) >= limit/16) {
		debug.SetMemoryLimit(wanted)
	}
}
