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
		addProcessors(c.loops)
		if got := runtime.GOMAXPROCS(0); got != c.want {
			t.Errorf("%d loops, GOMAXPROCS=%q: %d, want %d", c.loops, c.env, got, c.want)
		}
	}
}
