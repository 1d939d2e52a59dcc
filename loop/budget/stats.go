package budget

import "sync/atomic"

// Stats are what a budget counts, since the start, and gauges. A field's tag is all there
// is to say about it; package server/metrics tells what the keys mean.
type Stats struct {
	Limit int64 `metric:"memory_limit_bytes" help:"The budget of the process for memory; 0 is none."`
	Used  Bytes `metric:"memory_bytes{part}" help:"Memory that is alive, each byte once. Those of sessions and kernel are estimates, other is measured at each garbage collection."`

	Closed uint64 `metric:"limit_hits_total{limit=max_memory}"` // sessions, and connections to the Channel server
	// Publications from outside the loops.
	RefusedPublications uint64 `metric:"memory_refused_publications_total" help:"Publications from outside the loops that were refused for want of memory."`
}

// Counters are those that count on while they are read.
type Counters struct {
	Closed              atomic.Uint64
	RefusedPublications atomic.Uint64
}

// RefusePublication counts one more.
func (b *Budget) RefusePublication() { b.count.RefusedPublications.Add(1) }

// Stats are as of when all was last added up.
func (b *Budget) Stats() Stats {
	if b == nil {
		return Stats{}
	}
	return Stats{
		Limit: b.limit.Load(), Used: *b.last.Load(),
		Closed: b.count.Closed.Load(), RefusedPublications: b.count.RefusedPublications.Load(),
	}
}
