package loop

import (
	"sync"
	"sync/atomic"
)

// joinWaiters are goroutines outside the loops that wait for a group to be covered. The zero
// value has none.
type joinWaiters struct {
	count   atomic.Int32 // so that nobody locks where nobody waits
	mu      sync.Mutex
	byGroup map[string]map[chan struct{}]struct{} // guarded by mu
}

// enter has wake get a token when the group is covered, or what is believed of the bus changes.
// The caller looks once more behind it, and calls exit in the end.
func (w *joinWaiters) enter(group string) (wake chan struct{}, exit func()) {
	wake = make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byGroup == nil {
		w.byGroup = make(map[string]map[chan struct{}]struct{})
	}
	if w.byGroup[group] == nil {
		w.byGroup[group] = make(map[chan struct{}]struct{})
	}
	w.byGroup[group][wake] = struct{}{}
	w.count.Add(1)
	return wake, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.count.Add(-1)
		if delete(w.byGroup[group], wake); len(w.byGroup[group]) == 0 {
			delete(w.byGroup, group)
		}
	}
}

// wake has those look again that wait for one of the groups.
func (w *joinWaiters) wake(groups []string) {
	if w.count.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, group := range groups {
		wakeAll(w.byGroup[group])
	}
}

// wakeAll has all look again.
func (w *joinWaiters) wakeAll() {
	if w.count.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, waiting := range w.byGroup {
		wakeAll(waiting)
	}
}

func wakeAll(waiting map[chan struct{}]struct{}) {
	for wake := range waiting {
		select {
		case wake <- struct{}{}:
		default: // it has not looked at the token before
		}
	}
}
