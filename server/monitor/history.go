package monitor

import (
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// HistorySamples is how many samples are kept: two minutes of them.
	HistorySamples = 120
	// HistoryEvents is how many events are kept.
	HistoryEvents = 64
)

// History is what GET /v1/history answers: the last samples, and what has happened.
type History struct {
	EverySeconds float64 `json:"every_seconds"` // the time between two samples
	Samples      Samples `json:"samples"`
	// Events has the newest first. What goes on is one event, until it has been
	// quiet for a while.
	Events []Event `json:"events"`
}

// Samples has a list for each quantity, all of one length, the oldest first: a third
// of what a list of objects would take.
type Samples struct {
	AtMillis            []int64   `json:"at_ms"` // Unix time
	Sessions            []int     `json:"sessions"`
	MessagesPerSecond   []float64 `json:"messages_per_second"`
	DeliveriesPerSecond []float64 `json:"deliveries_per_second"`
	LatencyP50          []float64 `json:"latency_p50_seconds"` // 0 if nothing was delivered
	LatencyP99          []float64 `json:"latency_p99_seconds"`
	BacklogBytes        []int     `json:"backlog_bytes"`
	ResidentBytes       []int64   `json:"resident_bytes"`
	CPUs                []float64 `json:"cpus"` // CPU seconds a second
}

// Event is something that an operator may ask about: a counter rose, or a state began.
type Event struct {
	Kind string `json:"kind"` // one of the constants below
	// Cause says more where a kind has several: a limit, an error's code, a loop.
	Cause string    `json:"cause,omitempty"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"` // when it was last seen
	// Count is by how much the counter rose; 0 where nothing is counted.
	Count uint64 `json:"count"`
}

// Kinds of events.
const (
	EventSlowReaders    = "slow_readers"    // sessions closed because they read too slowly
	EventRateClosed     = "rate_closed"     // sessions closed because they sent too fast
	EventIdleClosed     = "idle_closed"     // sessions closed because they were silent
	EventMemoryClosed   = "memory_closed"   // sessions and Channel connections closed for want of memory
	EventCutSessions    = "cut_sessions"    // sessions ended before they had everything
	EventPanics         = "panics"          // sessions closed after a mistake in the server
	EventRefused        = "refused"         // connections answered 503; Cause is the limit, or memory
	EventAcceptErrors   = "accept_errors"   // connections that the kernel could not give
	EventCommandErrors  = "command_errors"  // commands answered with an error; Cause is its code
	EventOverloaded     = "overloaded"      // publications refused for want of room, or of memory (Cause)
	EventChannelDropped = "channel_dropped" // events that the Channel server had no room for
	EventBadFrames      = "bad_frames"      // frames that are no Channel protocol
	EventNotForwarded   = "not_forwarded"   // messages that the joined Channel server did not get
	EventJoinLost       = "join_lost"       // no connection to the joined Channel server
	EventBusAway        = "bus_away"        // no connection to NATS; Cause is the connection's state
	EventBusLost        = "bus_lost"        // messages that did not cross to or from other nodes
	EventBusLosses      = "bus_losses"      // members told of messages of other nodes that they have missed
	EventBusSlow        = "bus_slow"        // messages came from NATS faster than they could be published
	EventNameTaken      = "name_taken"      // another node has this one's name (Cause)
	EventNodeSilent     = "node_silent"     // a node's heartbeats are missed; Cause is its name
	EventNodeGone       = "node_gone"       // a node was silent for too long; likewise
	EventNodeLeft       = "node_left"       // a node has left in order; likewise
	EventJoinTwice      = "join_twice"      // another node (Cause) has --channel-join as well
	EventStalled        = "stalled"         // a loop does not answer; Cause is its index
	EventDraining       = "draining"        // the server is on its way out
	EventReload         = "reload"          // the settings were read again; Cause is those that changed
	EventReloadRefused  = "reload_refused"  // the new settings were not put in force
)

// eventQuiet is how long nothing more of a kind happens before the next is an event of
// its own: a reader a second for an hour would otherwise push out all the rest.
const eventQuiet = 10 * time.Second

// past is one sample of the history.
type past struct {
	at                     time.Time
	sessions, backlog      int
	messages, deliveries   float64
	latencyP50, latencyP99 float64
	resident               int64
	cpus                   float64
}

// history keeps what has been. It may be used from any goroutine: Monitor's adds
// samples, others ask for it and tell of reloads.
type history struct {
	mu      sync.Mutex
	samples []past  // oldest first; at most HistorySamples
	events  []Event // oldest first, by their To; at most HistoryEvents

	// Owner: Monitor.Run's goroutine.
	counted    map[counter]uint64 // as of the last sample
	cpuSeconds float64            // likewise
	taken      time.Time          // likewise
	nodes      map[string]bool    // likewise: other nodes of the cluster, and whether they were there
}

func newHistory() history {
	return history{counted: make(map[counter]uint64), nodes: make(map[string]bool)}
}

// counter is what an Event counts.
type counter struct{ kind, cause string }

// add takes in a sample.
func (h *history) add(now *sample) {
	s, at := &now.status, now.status.TakenAt
	cpus := 0.0
	if seconds := at.Sub(h.taken).Seconds(); !h.taken.IsZero() && seconds > 0 {
		cpus = max(0, s.CPUSeconds-h.cpuSeconds) / seconds
	}
	h.taken, h.cpuSeconds = at, s.CPUSeconds
	h.mu.Lock()
	defer h.mu.Unlock()
	h.samples = append(h.samples, past{
		at: at, sessions: s.Total.Sessions, backlog: s.Total.BacklogBytes,
		messages: s.Total.MessagesPerSecond, deliveries: s.Total.DeliveriesPerSecond,
		latencyP50: s.Total.LatencyP50, latencyP99: s.Total.LatencyP99,
		resident: s.ResidentBytes, cpus: cpus,
	})
	if n := len(h.samples) - HistorySamples; n > 0 {
		h.samples = slices.Delete(h.samples, 0, n)
	}
	counters(now, func(c counter, n uint64) {
		if before := h.counted[c]; n > before {
			h.note(c, at, n-before)
		}
		h.counted[c] = n
	})
	happens := func(c counter) { h.note(c, at, 0) }
	states(s, happens)
	if s.Cluster != nil {
		departures(s.Cluster, h.nodes, happens)
	}
}

// note records that something happened, or goes on. Called with mu held.
func (h *history) note(c counter, at time.Time, count uint64) {
	at = at.Truncate(time.Millisecond) // as JSON shows it
	e := Event{Kind: c.kind, Cause: c.cause, From: at}
	i := slices.IndexFunc(h.events, func(e Event) bool {
		return e.Kind == c.kind && e.Cause == c.cause && at.Sub(e.To) <= eventQuiet
	})
	if i >= 0 {
		e = h.events[i]
		h.events = slices.Delete(h.events, i, i+1)
	}
	e.To = at
	e.Count += count
	h.events = append(h.events, e)
	if n := len(h.events) - HistoryEvents; n > 0 {
		h.events = slices.Delete(h.events, 0, n)
	}
}

// tell records what no counter says.
func (h *history) tell(c counter, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note(c, at, 0)
}

// answer is the history as it is given away.
func (h *history) answer() History {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.samples)
	s := Samples{
		AtMillis: make([]int64, n), Sessions: make([]int, n),
		MessagesPerSecond: make([]float64, n), DeliveriesPerSecond: make([]float64, n),
		LatencyP50: make([]float64, n), LatencyP99: make([]float64, n),
		BacklogBytes: make([]int, n), ResidentBytes: make([]int64, n), CPUs: make([]float64, n),
	}
	for i, p := range h.samples {
		s.AtMillis[i], s.Sessions[i] = p.at.UnixMilli(), p.sessions
		s.MessagesPerSecond[i], s.DeliveriesPerSecond[i] = rounded(p.messages), rounded(p.deliveries)
		s.LatencyP50[i], s.LatencyP99[i] = p.latencyP50, p.latencyP99
		s.BacklogBytes[i], s.ResidentBytes[i], s.CPUs[i] = p.backlog, p.resident, rounded(p.cpus)
	}
	events := append([]Event{}, h.events...) // never null
	slices.Reverse(events)
	return History{EverySeconds: Every.Seconds(), Samples: s, Events: events}
}

// rounded leaves a number three decimals: more digits say nothing and take room.
func rounded(v float64) float64 { return math.Round(v*1000) / 1000 }
