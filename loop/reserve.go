package loop

import "sync/atomic"

// Places for connections, which are counted before any loop is touched.

// reserve counts one more connection, unless a limit forbids it: then it returns
// that limit's counter. The count goes down in bury, or in unreserve.
func (e *Engine) reserve() (full *atomic.Uint64) {
	conns, handshakes := e.shared.Conns.Add(1), e.shared.Handshakes.Add(1)
	switch {
	case e.draining.Load():
		full = &e.refusedDraining
	case e.shared.Budget.Refuses():
		full = &e.refusedMemory
	case conns > int64(e.options().MaxConns):
		full = &e.refusedConns
	case handshakes > int64(e.options().MaxHandshakes):
		full = &e.refusedHandshakes
	default:
		return nil
	}
	e.unreserve()
	return full
}

func (e *Engine) unreserve() {
	e.shared.Conns.Add(-1)
	e.shared.Handshakes.Add(-1)
}
