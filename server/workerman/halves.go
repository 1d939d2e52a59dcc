package workerman

import (
	"sync"

	memory "groupcast/loop/budget"
)

// halves are what is kept of frames that are not all there, over all connections.
// Its methods may be called from any goroutine.
type halves struct {
	limit   int
	process *memory.Account // where they count for the whole process

	mu    sync.Mutex
	total int
	held  map[*conn]int
}

// set notes that c holds n bytes. Beyond the limit, the connections that hold most
// are evicted until the others fit.
func (h *halves) set(c *conn, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.total
	defer func() { h.process.Add(int64(h.total - before)) }()
	if c.isEvicted() {
		n = 0 // it is ending, and was taken out
	}
	h.total += n - h.held[c]
	if n == 0 {
		delete(h.held, c)
		return
	}
	if h.held == nil {
		h.held = make(map[*conn]int)
	}
	h.held[c] = n
	for h.total > h.limit {
		var largest *conn
		for one, bytes := range h.held {
			if largest == nil || bytes > h.held[largest] {
				largest = one
			}
		}
		h.total -= h.held[largest]
		delete(h.held, largest)
		largest.evict(closedPartial)
	}
}

// of is what one holds.
func (h *halves) of(c *conn) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held[c]
}

// bytes is what all hold.
func (h *halves) bytes() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.total
}
