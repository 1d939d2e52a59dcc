package loop

import (
	"context"
	"time"

	"groupcast/loop/reactor"
)

// Stats is a snapshot of an Engine.
type Stats struct {
	Taken        time.Time // when it was asked for
	Conns        int       // connections now, handshaking ones included
	Handshakes   int       // of them not upgraded yet
	Accepted     uint64    // connections handed to a reactor
	AcceptErrors uint64    // failed accepts and enrolments: descriptors or memory
	Stalls       uint64    // times a loop did not answer for stallAfter
	Order        uint64    // last order the broker gave
	Draining     bool

	// Connections answered 503, by what they were too many for.
	RefusedConns      uint64 // MaxConns
	RefusedHandshakes uint64 // MaxHandshakes
	RefusedPerIP      uint64 // MaxConnsPerIP
	RefusedDraining   uint64

	// Sessions that were ended before they had acknowledged all that was queued
	// for them when their closing began, and those bytes.
	CutSessions uint64
	CutBytes    uint64

	// The door for publishers outside the loops.
	OutsideLen   int    // publications waiting for the broker
	OutsideFull  uint64 // publications that had to wait for room
	Overloaded   uint64 // of them refused, when their time was over
	OutsideTaken uint64 // publications taken

	Sinks    []SinkStats
	Reactors []ReactorStats  // by index
	Silence  []time.Duration // since each reactor last answered the clock
}

// Refused are all connections answered 503.
func (s Stats) Refused() uint64 {
	return s.RefusedConns + s.RefusedHandshakes + s.RefusedPerIP + s.RefusedDraining
}

// Sum adds up the reactors' stats; of the maxima it takes the largest.
func (s Stats) Sum() ReactorStats {
	var t ReactorStats
	for i := range s.Reactors {
		t.Add(&s.Reactors[i])
	}
	return t
}

// Stats asks every reactor for its counters. A reactor that does not answer
// before ctx ends contributes zeros and makes the error non-nil.
func (e *Engine) Stats(ctx context.Context) (Stats, error) {
	broker := e.broker.Stats()
	s := Stats{
		Taken:             time.Now(),
		Conns:             int(e.shared.Conns.Load()),
		Handshakes:        int(e.shared.Handshakes.Load()),
		Accepted:          e.accepted.Load(),
		AcceptErrors:      e.acceptErrors.Load(),
		Stalls:            e.stalls.Load(),
		Order:             broker.Order,
		Draining:          e.draining.Load(),
		RefusedConns:      e.refusedConns.Load(),
		RefusedHandshakes: e.refusedHandshakes.Load(),
		RefusedPerIP:      e.refusedPerIP.Load(),
		RefusedDraining:   e.refusedDraining.Load(),
		CutSessions:       e.shared.CutSessions.Load(),
		CutBytes:          e.shared.CutBytes.Load(),
		OutsideLen:        broker.Outside.Len,
		OutsideFull:       broker.Outside.Full,
		Overloaded:        broker.Outside.Overloaded,
		OutsideTaken:      broker.Outside.Taken,
		Sinks:             broker.Sinks,
		Reactors:          make([]ReactorStats, len(e.reactors)),
	}
	for _, r := range e.reactors {
		s.Silence = append(s.Silence, time.Since(e.shared.Start)-r.LastTick())
	}
	err := ask(ctx, e, (*reactor.Reactor).Snapshot, s.Reactors)
	return s, err
}
