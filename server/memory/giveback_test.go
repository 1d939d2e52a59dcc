package memory

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// TestWhenMemoryIsGivenBack is a calm process with a surplus, and each way of not being one.
func TestWhenMemoryIsGivenBack(t *testing.T) {
	now := time.Now()
	calm := heap{allocated: 1000, alive: 16 << 20, resident: 20 << 20, gogc: 100}
	for _, test := range []struct {
		name string
		h    heap
		last time.Time
		want bool
	}{
		{"calm", calm, time.Time{}, true},
		{"allocating", heap{allocated: 1000 + calmBelow, alive: 16 << 20, resident: 40 << 20, gogc: 100}, time.Time{}, false},
		{"just done", calm, now.Add(1 - restAfter), false},
		{"rested", calm, now.Add(-restAfter), true},
		{"little", heap{allocated: 1000, alive: 1 << 20, resident: 1<<20 + surplusFrom - 1, gogc: 100}, time.Time{}, false},
		{"small part", heap{allocated: 1000, alive: 80 << 20, resident: 90<<20 - 1, gogc: 100}, time.Time{}, false},
		{"large part", heap{allocated: 1000, alive: 80 << 20, resident: 90 << 20, gogc: 100}, time.Time{}, true},
		{"GOGC=off", heap{allocated: 1000, alive: 16 << 20, resident: 20 << 20, gogc: 1<<64 - 1}, time.Time{}, false},
	} {
		k := keeper{reading: heap{allocated: 1000}, last: test.last}
		if got := k.look(now, test.h); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
		if k.reading != test.h {
			t.Errorf("%s: the reading is not kept", test.name)
		}
		if test.want && k.last != now {
			t.Errorf("%s: the time is not kept", test.name)
		}
	}
}

// TestMemoryBetweenObjects: what a collection did not bring back does not bring the next one.
func TestMemoryBetweenObjects(t *testing.T) {
	var k keeper
	h := heap{alive: 16 << 20, resident: 32 << 20, gogc: 100}
	if !k.look(time.Now(), h) {
		t.Fatal("nothing is given back")
	}
	h.resident = 24 << 20
	k.gaveBack(h)
	if later := time.Now().Add(2 * restAfter); k.look(later, h) {
		t.Error("given back again, for nothing")
	} else if h.resident += 4 << 20; !k.look(later, h) {
		t.Error("not given back, with garbage")
	}
}

// TestHeapReading is of a real heap: garbage is in it, and gone from it afterwards.
func TestHeapReading(t *testing.T) {
	const size = 64 << 20
	before := readHeap()
	held := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		held[i] = 1
	}
	full := readHeap()
	if full.allocated < before.allocated+size || full.resident < size {
		t.Errorf("with %d bytes more: %+v, before %+v", size, full, before)
	}
	runtime.KeepAlive(held)
	debug.FreeOSMemory()
	if empty := readHeap(); empty.resident >= size || empty.alive >= size || empty.alive == 0 {
		t.Errorf("given back: %+v", empty)
	}
	was := debug.SetGCPercent(-1)
	defer debug.SetGCPercent(was)
	if off := readHeap(); off.gogc < 1<<63 {
		t.Errorf("GOGC=off reads %d", off.gogc)
	}
}
