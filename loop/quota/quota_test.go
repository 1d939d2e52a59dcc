package quota

import (
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// TestModel compares a quota with the obvious counter, also where the limit
// changes meanwhile.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 4).Draw(t, "limit")
		q := New[string](limit)
		held := map[string]int{}
		for range rapid.IntRange(0, 100).Draw(t, "operations") {
			key := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
			switch rapid.IntRange(0, 4).Draw(t, "operation") {
			case 0:
				limit = rapid.IntRange(1, 4).Draw(t, "new limit")
				q.SetLimit(limit)
			case 1, 2:
				if held[key] > 0 {
					q.Exit(key)
					held[key]--
				}
			default:
				if got, want := q.Enter(key), held[key] < limit; got != want {
					t.Fatalf("enter: %v with %d of %d", got, held[key], limit)
				} else if got {
					held[key]++
				}
			}
			keys := 0
			for _, n := range held {
				if n > 0 {
					keys++
				}
			}
			if q.Keys() != keys {
				t.Fatalf("%d keys are kept, want %d", q.Keys(), keys)
			}
		}
	})
}

// TestNoLimit: a quota without a limit counts nothing, and never begins to.
func TestNoLimit(t *testing.T) {
	q := New[int](0)
	q.SetLimit(1)
	for range 10 {
		if !q.Enter(7) {
			t.Fatal("refused without a limit")
		}
	}
	if q.Counting() || q.Keys() != 0 {
		t.Errorf("counting: %v, %d keys", q.Counting(), q.Keys())
	}
}

// TestAtOnce: many callers at once get exactly as many places as there are.
func TestAtOnce(t *testing.T) {
	const limit, callers = 5, 50
	q := New[int](limit)
	var wg sync.WaitGroup
	entered := make(chan struct{}, callers)
	for range callers {
		wg.Go(func() {
			if q.Enter(1) {
				entered <- struct{}{}
			}
		})
	}
	wg.Wait()
	if len(entered) != limit {
		t.Errorf("%d of %d entered", len(entered), limit)
	}
}
