package interest

import "context"

// countAsk asks how many members groups have.
type countAsk struct {
	names []string
	reply chan<- []int // capacity one
}

// Count returns how many members these groups have on this node, by their order, as far as the
// loops have told; ctx's error where the interest has ended. Any goroutine.
func (i *Interest) Count(ctx context.Context, names []string) ([]int, error) {
	reply := make(chan []int, 1)
	i.box.put(func(m *mail) { m.asks = append(m.asks, countAsk{names, reply}) })
	select {
	case counts := <-reply:
		return counts, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (t *table) count(names []string) []int {
	counts := make([]int, len(names))
	for i, name := range names {
		if slot, found := t.index[name]; found {
			counts[i] = int(t.groups[slot].members)
		}
	}
	return counts
}
