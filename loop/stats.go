package loop

import (
	"context"
	"time"

	"groupcast/loop/budget"
	"groupcast/loop/reactor"
)

// Stats is a snapshot of an Engine. A field's tag is all there is to say about it;
// package server/metrics tells what the keys mean.
type Stats struct {
	// When it was asked for.
	Taken    time.Time `metric:"sample_age_seconds" help:"Age of the sample that the loops' figures come from. They are sampled once a second."`
	Draining bool      `metric:"draining" help:"1 while the server is going away and takes no new messages."`

	Conns        int    `metric:"connections" help:"Connections to the WebSocket port, handshaking ones included."`
	Handshakes   int    `metric:"handshakes" help:"Connections that are not upgraded yet."`
	Accepted     uint64 `metric:"connections_accepted_total" help:"Connections handed to an event loop."`
	AcceptErrors uint64 `metric:"accept_errors_total" help:"Connections that failed to be accepted for want of descriptors or memory."`
	// Connections answered 503, by what they were too many for.
	RefusedConns      uint64 `metric:"connections_refused_total{cause=connections}" also:"limit_hits_total{limit=max_conns}" help:"Connections answered 503: a limit (connections, handshakes, connections_per_ip, memory), or draining."`
	RefusedHandshakes uint64 `metric:"connections_refused_total{cause=handshakes}" also:"limit_hits_total{limit=max_handshakes}"`
	RefusedPerIP      uint64 `metric:"connections_refused_total{cause=connections_per_ip}" also:"limit_hits_total{limit=max_conns_per_ip}"`
	RefusedPerUser    uint64 `metric:"connections_refused_total{cause=connections_per_user}" also:"limit_hits_total{limit=max_conns_per_user}"`
	RefusedDraining   uint64 `metric:"connections_refused_total{cause=draining}"`
	RefusedMemory     uint64 `metric:"connections_refused_total{cause=memory}"`

	CutSessions uint64 `metric:"cut_sessions_total" help:"Sessions ended before they had acknowledged all that was queued for them: too slow for a close handshake, or a drain."`
	CutBytes    uint64 `metric:"cut_bytes_total" help:"Bytes that these had not acknowledged."`

	// The last order that the broker gave.
	Order uint64 `metric:"ordered_messages_total" help:"Messages that the broker gave a place in the order."`
	// The door for publishers outside the loops.
	OutsideTaken uint64 `metric:"published_messages_total{source=outside}"`
	OutsideLen   int    `metric:"outside_queued_messages" help:"Publications from outside the loops that wait for the broker."`
	OutsideFull  uint64 `metric:"outside_full_total" help:"Publications from outside the loops that had to wait for room."`
	Overloaded   uint64 `metric:"outside_overloaded_total" also:"limit_hits_total{limit=ring}" help:"Of these, those refused when their time was over."`

	Reactors []ReactorStats  `index:"reactor"`
	Silence  []time.Duration `index:"reactor" metric:"reactor_silence_seconds{reactor}" help:"Time since an event loop last answered the clock, when the sample was taken."`
	Stalls   uint64          `metric:"loop_stalls_total" help:"Times that an event loop did not answer for 5 seconds."`
	Sinks    []SinkStats
	Memory   budget.Stats
}

// Refused are all connections answered 503.
func (s Stats) Refused() uint64 {
	return s.RefusedConns + s.RefusedHandshakes + s.RefusedPerIP + s.RefusedPerUser + s.RefusedDraining +
		s.RefusedMemory
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
		RefusedPerUser:    e.refusedPerUser.Load(),
		RefusedDraining:   e.refusedDraining.Load(),
		RefusedMemory:     e.refusedMemory.Load(),
		Memory:            e.shared.Budget.Stats(),
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
