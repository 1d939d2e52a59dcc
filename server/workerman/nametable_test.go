package workerman

import (
	"runtime"
	"strconv"
	"testing"
)

// TestNameTableGivesMemoryBack: what many names took is free again once they are removed,
// also while they are ranged over, and those that stay are found.
func TestNameTableGivesMemoryBack(t *testing.T) {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const many, stay, little = 1 << 18, 100, 2 << 20
	var n nameTable[int]
	before := heap()
	for i := range many {
		n.put(strconv.Itoa(i), &i)
	}
	if grown := heap() - before; grown < 4*little {
		t.Fatalf("%d names take %d bytes: too few to tell", many, grown)
	}
	visited := 0
	for name, one := range n.all {
		visited++
		if *one >= stay {
			n.remove(name)
		}
	}
	if visited != many || len(n.all) != stay {
		t.Errorf("%d of %d were visited, and %d of %d stay", visited, many, len(n.all), stay)
	}
	if after := heap(); after > before+little {
		t.Errorf("the heap is %d bytes larger than before", after-before)
	}
	for i := range stay {
		if one := n.all[strconv.Itoa(i)]; one == nil || *one != i {
			t.Errorf("%d is not found", i)
		}
	}
}
