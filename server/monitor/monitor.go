package monitor

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"groupcast/loop"
)

// Engine is what the monitor asks; *loop.Engine is one.
type Engine interface {
	Stats(ctx context.Context) (loop.Stats, error)
	LargestGroups(ctx context.Context, limit int) ([]loop.GroupInfo, error)
}

// Info is what the monitor cannot find out from the loops. The functions are
// called once a sample and must answer at once; nil ones are not called.
type Info struct {
	Version   string
	Go        string
	PID       int
	Host      string
	StartedAt time.Time
	CPUs      int

	MaxConnections func() int
	Listeners      func() []Listener
	// Draining says that the server is on its way out, even if the loops have
	// not been told yet.
	Draining    func() bool
	Access      func() string       // nil: not said
	Channel     func() *Channel     // nil where there is none
	ChannelJoin func() *ChannelJoin // likewise
	Cluster     func() *Cluster     // likewise; what it answers is the monitor's own
}

const (
	// Every is the time between two samples.
	Every = time.Second
	// answerWithin is how long a loop may take to answer for one of them.
	answerWithin = time.Second
	// stalledAfter is how long it may be silent before it counts as stalled.
	stalledAfter = 5 * time.Second
	// latencyOver is the time that latencies are looked at over.
	latencyOver = 10 * time.Second
)

// Monitor samples an engine. Status and Stats may be called from any goroutine
// and never wait for a loop.
type Monitor struct {
	engine Engine
	info   Info
	last   atomic.Pointer[sample] // what it points to is never changed
	top    atomic.Pointer[[]Group]
	past   history

	// Owner of the rest: Run's goroutine.
	reactors []reactorState
	window   []pastLatency // oldest first; at least one that is latencyOver old, if there is one
}

// sample is what was found at one time.
type sample struct {
	status Status
	stats  loop.Stats
}

// New makes a Monitor that knows nothing of the loops until Run has been called.
func New(engine Engine, info Info) *Monitor {
	m := &Monitor{engine: engine, info: info, past: newHistory()}
	m.top.Store(&[]Group{})
	m.last.Store(&sample{status: m.status(&loop.Stats{Taken: info.StartedAt}, []Reactor{},
		Reactor{Index: -1, State: StateOK})})
	return m
}

// Status is the last snapshot. Its slices are shared: read only.
func (m *Monitor) Status() Status { return m.last.Load().status }

// Stats are the counters of the last sample; a reactor that did not answer is in
// it with its last answer. Before the first sample, Taken is zero. What they hold
// is shared: read only.
func (m *Monitor) Stats() loop.Stats { return m.last.Load().stats }

// History is the last samples and events, the caller's own.
func (m *Monitor) History() History { return m.past.answer() }

// Reloaded records that the settings were read again, and which of them changed.
func (m *Monitor) Reloaded(changed []string) {
	m.past.tell(counter{EventReload, strings.Join(changed, " ")}, time.Now())
}

// ReloadRefused records that they were read again and not put in force.
func (m *Monitor) ReloadRefused() { m.past.tell(counter{EventReloadRefused, ""}, time.Now()) }

// Run takes samples until ctx ends.
func (m *Monitor) Run(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { m.watchGroups(ctx) })
	ticker := time.NewTicker(Every)
	defer ticker.Stop()
	for {
		m.sample(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// sample asks the loops, once.
func (m *Monitor) sample(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, answerWithin)
	stats, err := m.engine.Stats(asking)
	cancel()
	if errors.Is(err, loop.ErrClosed) || ctx.Err() != nil {
		stats.Reactors = nil // nobody was asked
	}
	m.publish(stats, err)
}

// publish makes a sample of what the engine said, err included, the newest.
func (m *Monitor) publish(stats loop.Stats, err error) {
	// Those that did not answer are zeros, which only one that has just been
	// born answers.
	answered := func(i int) bool {
		return i < len(stats.Reactors) && (err == nil || stats.Reactors[i] != (loop.ReactorStats{}))
	}
	if m.reactors == nil && len(stats.Reactors) > 0 {
		m.reactors = make([]reactorState, len(stats.Reactors))
		for i := range m.reactors {
			m.reactors[i].at = stats.Taken
		}
	}
	known := make([]loop.ReactorStats, len(m.reactors))
	latest := make([]Reactor, len(m.reactors))
	for i := range m.reactors {
		r := &m.reactors[i]
		if answered(i) {
			r.update(&stats.Reactors[i], stats.Taken)
		}
		r.stalled = stats.Taken.Sub(r.at) >= stalledAfter || i < len(stats.Silence) && stats.Silence[i] >= stalledAfter
		known[i] = r.stats
		latest[i] = r.describe(i, stats.Draining)
	}
	stats.Reactors = known
	total := sumUp(latest, &stats)
	m.addLatencies(&stats, latest, &total)
	now := &sample{status: m.status(&stats, latest, total), stats: stats}
	m.past.add(now)
	m.last.Store(now)
}

// status puts a snapshot together.
func (m *Monitor) status(stats *loop.Stats, reactors []Reactor, total Reactor) Status {
	s := Status{
		Version:       m.info.Version,
		Go:            m.info.Go,
		PID:           m.info.PID,
		Host:          m.info.Host,
		StartedAt:     m.info.StartedAt,
		TakenAt:       stats.Taken,
		UptimeSeconds: stats.Taken.Sub(m.info.StartedAt).Seconds(),
		Load:          loadAverage(),
		CPUs:          m.info.CPUs,
		Listeners:     []Listener{},
		ResidentBytes: residentBytes(),
		CPUSeconds:    cpuSeconds(),

		MemoryBytes: stats.Memory.Used.Sum(), MemoryLimitBytes: stats.Memory.Limit,

		Connections:    stats.Conns,
		Handshakes:     stats.Handshakes,
		Accepted:       stats.Accepted,
		Refused:        stats.Refused(),
		AcceptErrors:   stats.AcceptErrors,
		Order:          stats.Order,
		OutsideWaiting: stats.OutsideLen,
		Overloaded:     stats.Overloaded,

		Reactors:  reactors,
		Total:     total,
		TopGroups: *m.top.Load(),
	}
	for i := range stats.Reactors {
		s.Closed += stats.Reactors[i].Closed
	}
	if m.info.MaxConnections != nil {
		s.MaxConnections = m.info.MaxConnections()
	}
	if m.info.Listeners != nil {
		s.Listeners = append(s.Listeners, m.info.Listeners()...)
	}
	if m.info.Channel != nil {
		s.Channel = m.info.Channel()
	}
	if m.info.ChannelJoin != nil {
		s.ChannelJoin = m.info.ChannelJoin()
	}
	if m.info.Cluster != nil {
		if s.Cluster = m.info.Cluster(); s.Cluster != nil {
			sum := stats.Sum()
			s.Cluster.WaitingJoins = sum.JoinsWaiting
		}
	}
	s.State = total.State
	if m.info.Access != nil {
		s.Access = m.info.Access()
	}
	if s.State == StateOK && m.info.Draining != nil && m.info.Draining() {
		s.State = StateDraining
	}
	return s
}
