package reactor

import "time"

// A reactor's time is the ticks of its wheel. It falls behind the clock where
// the loop, the process or the machine stood still: nobody could be heard
// meanwhile, so that time is nobody's silence and uses up nobody's deadline.

// TickFor is how the engine's clock divides its timeouts: fine enough for
// the shortest of them, never finer than 10 ms, never coarser than a second.
func TickFor(o *Options) time.Duration {
	shortest := min(o.HandshakeTimeout, o.PingAfter, o.CloseAfter-o.PingAfter, o.CloseTimeout)
	return min(time.Second, max(shortest/5, 10*time.Millisecond))
}

// ticks is how many ticks d lasts, rounded up and one more, so that a deadline
// set in the middle of a tick is never early.
func (r *Reactor) ticks(d time.Duration) uint32 {
	return uint32((d+r.every-1)/r.every) + 1
}
