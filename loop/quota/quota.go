// Package quota bounds how many there may be of something, by key.
package quota

import "sync"

// Quota bounds the holders of each key. It does nothing at all, and costs a
// comparison, unless a limit is set when it is made. It may be used from anywhere.
type Quota[K comparable] struct {
	counting bool // whether there is a limit at all; never changes

	mu    sync.Mutex
	limit int
	count map[K]int
}

// New makes a quota of limit holders of each key; 0 is no limit, for good.
func New[K comparable](limit int) *Quota[K] {
	return &Quota[K]{counting: limit != 0, limit: limit, count: make(map[K]int)}
}

// Counting reports whether there is a limit. Where there is none, a caller may save
// itself the making of a key.
func (q *Quota[K]) Counting() bool { return q.counting }

// SetLimit replaces a limit by another; who is over it stays.
func (q *Quota[K]) SetLimit(limit int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limit = limit
}

// Enter takes a place; it reports false if there is none.
func (q *Quota[K]) Enter(key K) bool {
	if !q.counting {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.count[key]
	if n >= q.limit {
		return false
	}
	q.count[key] = n + 1
	return true
}

// Exit gives a place back.
func (q *Quota[K]) Exit(key K) {
	if !q.counting {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count[key]--; q.count[key] == 0 {
		delete(q.count, key)
	}
}

// Keys is how many keys have a holder.
func (q *Quota[K]) Keys() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.count)
}
