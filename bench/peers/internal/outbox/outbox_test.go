package outbox

import (
	"slices"
	"testing"
)

func TestOrderAndBound(t *testing.T) {
	o := New[int](10)
	for i, want := range []bool{true, true, false} {
		if got := o.Put(i, 5); got != want {
			t.Fatalf("put %d: %v", i, got)
		}
	}
	all, ok := o.Take(nil)
	if !ok || !slices.Equal(all, []int{0, 1}) {
		t.Fatal(all, ok)
	}
	if !o.Put(3, 10) {
		t.Fatal("what was taken still counts")
	}
	if all, ok = o.Take(all); !ok || !slices.Equal(all, []int{3}) {
		t.Fatal(all, ok)
	}
}

func TestCloseEndsTheWriter(t *testing.T) {
	o := New[int](10)
	ended := make(chan bool)
	go func() {
		_, ok := o.Take(nil)
		ended <- ok
	}()
	o.Close()
	if <-ended {
		t.Fatal("took something from a closed one")
	}
	if !o.Put(1, 1) {
		t.Fatal("a closed one asks to be closed")
	}
}

func TestManyPutOneTakes(t *testing.T) {
	const publishers, each = 4, 2000
	o := New[[2]int](publishers * each)
	for p := range publishers {
		go func() {
			for i := range each {
				o.Put([2]int{p, i}, 1)
			}
		}()
	}
	var next [publishers]int
	var used [][2]int
	for n := 0; n < publishers*each; {
		all, ok := o.Take(used)
		if !ok {
			t.Fatal("closed")
		}
		for _, m := range all {
			if next[m[0]] != m[1] {
				t.Fatalf("publisher %d: %d, want %d", m[0], m[1], next[m[0]])
			}
			next[m[0]]++
		}
		n += len(all)
		used = all
	}
}
