package workerman

import "sync"

// halves are what is kept of frames that are not all there, over all connections.
// Its methods may be called from any goroutine.
type halves struct {
	limit int

	mu    sync.Mutex
	total int
	held  map[*conn]int
}

// set notes that c holds n bytes. Beyond the limit, the connections that hold most
// are evicted until the others fit.
func (h *halves) set(c *conn, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
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

// bytes is what all hold.
func (h *halves) bytes() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.total
}
