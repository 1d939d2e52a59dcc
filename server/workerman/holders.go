package workerman

import (
	"context"
	"time"

	memory "groupcast/loop/budget"
)

// holders are the connections as the guard of the process's memory sees them. Those that
// are busy with a job are not among them: what waits for them is bounded, and the job would
// be lost.
type holders struct{ server *Server }

func (h holders) Behind(_ context.Context, least int64) (all []memory.Holder) {
	s, now := h.server, time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_, bytes := c.out.waiting()
		if n := int64(bytes + s.halves.of(c)); n >= least && !now.Before(c.jobUntil()) {
			all = append(all, memory.Holder{Bytes: n, Quiet: now.Sub(time.Unix(0, c.heard.Load())), Who: c})
		}
	}
	return all
}

func (h holders) Close(_ context.Context, them []memory.Holder) (closed int) {
	for _, one := range them {
		c := one.Who.(*conn)
		c.evict(closedMemory)
		h.server.halves.set(c, 0)
	}
	return len(them)
}

// Leaving is nothing: who is evicted has nothing any more.
func (h holders) Leaving() int64 { return 0 }

func (h holders) Reset(context.Context) {}
