package interest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWorld: whatever comes and goes, breaks and is late, no group is ever covered that is not
// known everywhere to be subscribed to, and once it is quiet every join is answered and every
// group without members is left.
func TestWorld(t *testing.T) {
	switches, anews, reused := 0, 0, 0
	world := func(rt *rapid.T) {
		linger := rapid.SampledFrom([]time.Duration{0, time.Second, 10 * time.Second}).Draw(rt, "linger")
		w := newWorld(rt, linger)
		some := func() *fakeReactor { return rapid.SampledFrom(w.reactors).Draw(rt, "reactor") }
		var names []string
		steps := map[string]func(){}
		one := func(weight int, name string, step func()) {
			names = append(names, slices.Repeat([]string{name}, weight)...)
			steps[name] = step
		}
		one(6, "join or leave", func() {
			groups := rapid.SampledFrom([]int{2, worldGroups, worldGroups}).Draw(rt, "groups")
			w.toggle(membership{
				rapid.IntRange(0, worldReactors-1).Draw(rt, "reactor"),
				rapid.IntRange(0, worldSessions-1).Draw(rt, "session"),
				fmt.Sprint(rapid.IntRange(0, groups-1).Draw(rt, "group")),
			})
		})
		one(1, "all leave", func() {
			r := some()
			for _, m := range r.sorted() {
				w.toggle(m)
			}
		})
		one(4, "deliver", func() { w.deliver(some()) })
		one(1, "overflow", func() { some().overflow() })
		one(1, "begin", func() { some().begin() })
		one(3, "read", func() { some().readOne() })
		one(5, "write", func() { w.write() })
		one(4, "whole", func() { w.mark(true) })
		one(1, "not whole", func() { w.mark(false) })
		one(1, "down", w.down)
		one(3, "up", w.up)
		one(1, "take out", w.takeOut)
		one(3, "look", func() { w.look(false) })
		one(1, "look in vain", func() { w.look(true) })
		one(3, "answer", w.answerUncover)
		one(3, "Cover fails", func() { w.coverFail = true })
		one(1, "lost", func() { w.lose(rapid.Bool().Draw(rt, "all"), "1") })
		one(2, "tell", func() { w.tellGaps(rapid.Bool().Draw(rt, "fails")) })
		one(2, "a moment", func() { w.now = w.now.Add(MarkerPause) })
		one(2, "a while", func() { w.now = w.now.Add(max(time.Second, linger)) })
		one(2, "an instant", func() { w.now = w.now.Add(AskAgainWait) })
		one(2, "long", func() { w.now = w.now.Add(NarrowAfter) })
		one(1, "settle", w.settle)
		for range 200 {
			steps[rapid.SampledFrom(names).Draw(rt, "step")]()
			w.after()
		}
		w.settle()
		for _, r := range w.reactors { // the last ones leave
			for _, m := range r.sorted() {
				w.toggle(m)
			}
		}
		for range 4 { // they linger, and the wildcard is given up
			w.settle()
			w.now = w.now.Add(NarrowAfter)
			w.after()
		}
		w.settle()
		if len(w.subs) > 0 || w.wildcard || w.switching || len(w.t.index) > 0 || len(w.covered) > 0 {
			rt.Fatalf("in the end: %v, %v, %v, %v", w.subs, w.wildcard, w.t.index, w.covered)
		}
		switches, anews, reused = switches+w.switches, anews+w.anews, reused+w.reused
	}
	for range 5 { // some of what it finds is rare, and a world takes little time
		rapid.Check(t, world)
	}
	t.Logf("%d changes of the wildcard, %d readings, %d used again", switches, anews, reused)
	if switches < 20 || anews < 20 || reused < 10 {
		t.Errorf("%d changes of the wildcard, %d readings, %d used again: this showed little", switches, anews, reused)
	}
}
