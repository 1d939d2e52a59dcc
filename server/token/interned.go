package token

import (
	"runtime"
	"sync"
	"weak"
)

// interned has values that never change, one of each kind, as long as anybody else has them.
// Every method may be called by any goroutine.
type interned[K comparable, V any] struct {
	mu     sync.Mutex
	values map[K]weak.Pointer[V]
}

func newInterned[K comparable, V any]() *interned[K, V] {
	return &interned[K, V]{values: make(map[K]weak.Pointer[V])}
}

// get is the value for k: the one that is there, or else v.
func (t *interned[K, V]) get(k K, v *V) *V {
	t.mu.Lock()
	defer t.mu.Unlock()
	if there := t.values[k].Value(); there != nil {
		return there
	}
	t.values[k] = weak.Make(v)
	runtime.AddCleanup(v, t.forget, k)
	return v
}

// forget drops k, unless it has got another value since.
func (t *interned[K, V]) forget(k K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.values[k].Value() == nil {
		delete(t.values, k)
	}
}

// size is how many values there are, some of which may be about to go.
func (t *interned[K, V]) size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.values)
}
