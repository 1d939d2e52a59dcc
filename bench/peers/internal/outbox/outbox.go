// Package outbox is what stands between a publisher and a connection's write goroutine: bounded, and never waited for.
//
// The usual thing here is a buffered channel. It is a slice because a channel that is long enough for a busy
// group (512 messages may be under way) takes its memory at once, for each of the thousands that are idle; and
// because a writer that wakes up once for all that has come is cheaper than one that wakes up for each.
package outbox

import "sync"

// Outbox queues messages of one connection.
type Outbox[T any] struct {
	mu      sync.Mutex
	filled  sync.Cond
	waiting []T
	bytes   int
	max     int
	closed  bool
}

// New makes one that holds at most so many bytes.
func New[T any](maxBytes int) *Outbox[T] {
	o := &Outbox[T]{max: maxBytes}
	o.filled.L = &o.mu
	return o
}

// Put queues a message of the given size. False: no room, the client is too slow and must be closed.
func (o *Outbox[T]) Put(message T, bytes int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return true // it is on its way out: nothing more to be done about it
	}
	if o.bytes+bytes > o.max {
		return false
	}
	o.bytes += bytes
	o.waiting = append(o.waiting, message)
	if len(o.waiting) == 1 {
		o.filled.Signal()
	}
	return true
}

// Take waits until there is something, and returns all of it. The slice given back by the writer is used for what comes
// next. False: closed.
func (o *Outbox[T]) Take(used []T) ([]T, bool) {
	clear(used)
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.waiting) == 0 && !o.closed {
		o.filled.Wait()
	}
	if o.closed {
		return nil, false
	}
	all := o.waiting
	o.waiting, o.bytes = used[:0], 0
	return all, true
}

// Close ends the writer; what waits is dropped.
func (o *Outbox[T]) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.waiting = true, nil
	o.filled.Signal()
}
