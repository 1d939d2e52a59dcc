package main

import (
	"runtime"
	"testing"
)

func TestProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(2)
	defer runtime.GOMAXPROCS(before)
	for _, c := range []struct {
		env         string
		loops, want int
	}{{"", 1, 2}, {"3", 8, 2}, {"", 2, 2}, {"", 3, 5}, {"", 8, 10}, {"", 2, 10}} {
		t.Setenv("GOMAXPROCS", c.env)
		addProcessors(c.loops, false)
		if got := runtime.GOMAXPROCS(0); got != c.want {
			t.Errorf("%d loops, GOMAXPROCS=%q: %d, want %d", c.loops, c.env, got, c.want)
		}
	}
}

// A node of a cluster has two processors at least, unless the operator has decided.
func TestProcessorsOfCluster(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	t.Setenv("GOMAXPROCS", "1")
	if addProcessors(1, true); runtime.GOMAXPROCS(0) != 1 {
		t.Errorf("the operator's word does not hold: %d", runtime.GOMAXPROCS(0))
	}
	t.Setenv("GOMAXPROCS", "")
	if addProcessors(1, true); runtime.GOMAXPROCS(0) != minOfCluster {
		t.Errorf("got %d, want %d", runtime.GOMAXPROCS(0), minOfCluster)
	}
}
