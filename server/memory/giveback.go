package memory

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// When memory is given back.
const (
	lookEvery = 10 * time.Second
	// calmBelow is how many bytes may be allocated between two looks in a calm process. One
	// connection that comes takes some 3 KiB, a delivery none.
	calmBelow = 1 << 20
	// surplusFrom is the least that is worth a collection, and surplusShare the part of what is
	// alive that is: small heaps are collected in no time, large ones seldom.
	surplusFrom  = 2 << 20
	surplusShare = 8
	// restAfter is the shortest time between two collections.
	restAfter = time.Minute
)

// GiveBack gives the kernel, until ctx ends, what the heap keeps and does not use, whenever the
// process is calm. Go by itself lets the heap grow to twice of what is alive, and keeps that: after
// everybody has connected, and for as long as nothing more happens, half of it is garbage. Where
// GOGC=off says that nothing is to be collected, nothing is.
func GiveBack(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	k := keeper{reading: readHeap()}
	for {
		select {
		case now := <-ticker.C:
			if k.look(now, readHeap()) {
				debug.FreeOSMemory()
				k.gaveBack(readHeap())
			}
		case <-ctx.Done():
			return
		}
	}
}

// heap is a reading of Go's heap, in bytes.
type heap struct {
	allocated uint64 // since the start
	alive     uint64 // at the last collection
	resident  uint64 // objects, alive or not, and room for more, as far as the kernel has lent it
	gogc      uint64
}

// keeper decides when memory is given back.
type keeper struct {
	reading heap // of the last look
	last    time.Time
	loose   float64 // how many bytes were resident for each that was alive, after the last collection
}

// look reports whether what the heap keeps is to be given back now.
func (k *keeper) look(now time.Time, h heap) bool {
	allocated := h.allocated - k.reading.allocated
	k.reading = h
	const off = 1 << 63 // GOGC=off is more than any percentage
	if h.gogc >= off || allocated >= calmBelow || now.Sub(k.last) < restAfter {
		return false
	}
	// What lies between objects no collection brings back.
	least := float64(h.alive) * max(k.loose, 1)
	if float64(h.resident) < least+max(surplusFrom, least/surplusShare) {
		return false
	}
	k.last = now
	return true
}

// gaveBack notes what a collection has left.
func (k *keeper) gaveBack(h heap) { k.loose = float64(h.resident) / float64(max(h.alive, 1)) }

// readHeap asks Go's runtime, which stops nothing for it.
func readHeap() heap {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/gc/gogc:percent"},
	}
	metrics.Read(samples)
	value := func(i int) uint64 { return samples[i].Value.Uint64() }
	return heap{
		allocated: value(0), alive: value(1), resident: value(2) + value(3) + value(4), gogc: value(5),
	}
}
