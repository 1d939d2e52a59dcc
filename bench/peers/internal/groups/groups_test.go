package groups

import (
	"maps"
	"math/rand/v2"
	"strconv"
	"testing"
)

// A plain map of sets is the oracle.
func TestAgainstOracle(t *testing.T) {
	g := New[int]()
	oracle := map[string]map[int]bool{}
	r := rand.New(rand.NewPCG(1, 2))
	for step := range 20000 {
		name, m := strconv.Itoa(r.IntN(5)), r.IntN(20)
		if r.IntN(2) == 0 {
			g.Join(name, m)
			if oracle[name] == nil {
				oracle[name] = map[int]bool{}
			}
			oracle[name][m] = true
		} else {
			g.Leave(name, m)
			delete(oracle[name], m)
		}
		got := map[int]bool{}
		g.Each(name, func(m int) {
			if got[m] {
				t.Fatalf("step %d: %d twice", step, m)
			}
			got[m] = true
		})
		if !maps.Equal(got, oracle[name]) {
			t.Fatalf("step %d: %v, want %v", step, got, oracle[name])
		}
	}
	for name, members := range oracle {
		for m := range members {
			g.Leave(name, m)
		}
	}
	for i := range g.shards {
		if n := len(g.shards[i].groups); n > 0 {
			t.Errorf("%d empty groups stay", n)
		}
	}
}
