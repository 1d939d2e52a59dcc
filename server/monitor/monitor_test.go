package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"groupcast/loop"
)

// fakeEngine answers what a test has told it to; a reactor in silent does not answer.
type fakeEngine struct {
	mu     sync.Mutex
	stats  loop.Stats
	silent map[int]bool
	closed bool

	groups     []loop.GroupInfo
	groupsTook time.Duration
	groupsErr  error
	searches   int
}

func newFakeEngine(reactors int) *fakeEngine {
	return &fakeEngine{
		stats:  loop.Stats{Reactors: make([]loop.ReactorStats, reactors), Silence: make([]time.Duration, reactors)},
		silent: map[int]bool{},
	}
}

func (e *fakeEngine) change(f func(*loop.Stats)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(&e.stats)
}

func (e *fakeEngine) Stats(ctx context.Context) (loop.Stats, error) {
	e.mu.Lock()
	stats := e.stats
	stats.Taken = time.Now()
	stats.Reactors = append([]loop.ReactorStats(nil), e.stats.Reactors...)
	stats.Silence = append([]time.Duration(nil), e.stats.Silence...)
	waiting := len(e.silent) > 0
	for i := range e.silent {
		stats.Reactors[i] = loop.ReactorStats{}
	}
	closed := e.closed
	e.mu.Unlock()
	if closed {
		clear(stats.Reactors)
		return stats, fmt.Errorf("ask: %w", loop.ErrClosed)
	}
	if waiting {
		<-ctx.Done()
		return stats, ctx.Err()
	}
	return stats, nil
}

func (e *fakeEngine) LargestGroups(ctx context.Context, limit int) ([]loop.GroupInfo, error) {
	e.mu.Lock()
	e.searches++
	took, groups, err := e.groupsTook, e.groups, e.groupsErr
	e.mu.Unlock()
	select {
	case <-time.After(took):
		return groups[:min(limit, len(groups))], err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// run starts a monitor in the bubble of a synctest. pass lets time go by, and
// then waits until everybody has done what was due.
func run(t *testing.T, e Engine, info Info) (m *Monitor, pass func(time.Duration)) {
	t.Helper()
	info.StartedAt = time.Now()
	m = New(e, info)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { m.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return m, func(d time.Duration) {
		<-time.After(d)
		synctest.Wait()
	}
}

func TestRatesAreOfTheLastInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newFakeEngine(2)
		m, pass := run(t, e, Info{})
		pass(0)
		e.change(func(s *loop.Stats) {
			s.Conns, s.Order = 7, 30
			s.Reactors[0] = loop.ReactorStats{
				Sessions: 3, Groups: 2, Memberships: 4, EgressLen: 5, Messages: 30, Deliveries: 90, BytesIn: 1000, BytesOut: 4000,
				BusyNanos: 400e6, BlockedNanos: 150e6,
			}
			s.Reactors[1] = loop.ReactorStats{Sessions: 4, Messages: 30, Deliveries: 10, BusyNanos: 750e6}
		})
		pass(Every)
		s := m.Status()
		a, b := s.Reactors[0], s.Reactors[1]
		if a.MessagesPerSecond != 30 || a.DeliveriesPerSecond != 90 || a.BytesInPerSecond != 1000 ||
			a.BytesOutPerSecond != 4000 || a.Busy != 0.25 {
			t.Errorf("reactor 0: %+v", a)
		}
		if a.Sessions != 3 || a.Groups != 2 || a.Memberships != 4 || a.RingDepth != 5 {
			t.Errorf("reactor 0: %+v", a)
		}
		if b.Busy != 0.75 || b.DeliveriesPerSecond != 10 {
			t.Errorf("reactor 1: %+v", b)
		}
		if s.Total.Index != -1 || s.Total.Sessions != 7 || s.Total.Deliveries != 100 ||
			s.Total.DeliveriesPerSecond != 100 || s.Total.Busy != 0.5 {
			t.Errorf("total: %+v", s.Total)
		}
		// Both loops took the same 30 messages.
		if s.Total.Messages != 30 || s.Total.MessagesPerSecond != 30 {
			t.Errorf("total: %d messages, %v a second", s.Total.Messages, s.Total.MessagesPerSecond)
		}
		if s.State != StateOK || s.Connections != 7 || s.Order != 30 || s.UptimeSeconds != 1 {
			t.Errorf("%+v", s)
		}
		// Nothing more: the counters stay, the rates are gone.
		pass(Every)
		s = m.Status()
		if s.Total.Deliveries != 100 || s.Total.DeliveriesPerSecond != 0 || s.Total.Busy != 0 {
			t.Errorf("total: %+v", s.Total)
		}
	})
}

// More than all of the time is a matter of when a loop answered, not of work.
func TestBusyIsAShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newFakeEngine(1)
		m, pass := run(t, e, Info{})
		pass(0)
		for _, c := range []struct {
			busy, blocked uint64
			want          float64
		}{{3e9, 0, 1}, {3e9, 1e9, 0}, {3.5e9, 1.25e9, 0.25}} {
			e.change(func(s *loop.Stats) { s.Reactors[0].BusyNanos, s.Reactors[0].BlockedNanos = c.busy, c.blocked })
			pass(Every)
			if got := m.Status().Total.Busy; math.Abs(got-c.want) > 1e-9 {
				t.Errorf("busy %d, blocked %d: got %v, want %v", c.busy, c.blocked, got, c.want)
			}
		}
	})
}

// A loop that hangs stops nothing: the others are sampled, its own counters stay
// as they were, and after five seconds it is said to be stalled. It may come back.
func TestALoopThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newFakeEngine(2)
		e.change(func(s *loop.Stats) {
			s.Reactors[0] = loop.ReactorStats{Sessions: 5, Deliveries: 500}
			s.Reactors[1] = loop.ReactorStats{Sessions: 6, Deliveries: 600}
		})
		m, pass := run(t, e, Info{})
		pass(0)
		e.change(func(s *loop.Stats) {
			e.silent[0] = true
			s.Reactors[1].Deliveries = 700
		})
		pass(2 * Every)
		s := m.Status()
		if s.State != StateOK || s.Reactors[0].State != StateOK {
			t.Errorf("after two seconds: %s", s.State)
		}
		if s.Reactors[0].Deliveries != 500 || s.Reactors[0].Sessions != 5 || s.Reactors[1].Deliveries != 700 ||
			s.Total.Deliveries != 1200 {
			t.Errorf("%+v", s)
		}
		if got := m.Stats().Reactors[0].Deliveries; got != 500 {
			t.Errorf("a counter fell to %d", got)
		}
		pass(6 * Every)
		s = m.Status()
		if s.State != StateStalled || s.Total.State != StateStalled || s.Reactors[0].State != StateStalled ||
			s.Reactors[1].State != StateOK {
			t.Errorf("%+v", s)
		}
		if age := time.Since(s.TakenAt); age > 3*time.Second {
			t.Errorf("the last sample is %s old", age)
		}
		// Again: what it did meanwhile is spread over the time that it took.
		e.change(func(s *loop.Stats) {
			delete(e.silent, 0)
			s.Reactors[0].Deliveries = 1400
		})
		pass(2 * Every)
		s = m.Status()
		if s.State != StateOK || s.Reactors[0].Deliveries != 1400 {
			t.Errorf("%+v", s)
		}
	})
}

// What the engine's own watch says counts, even if a question came through.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newFakeEngine(2)
		m, pass := run(t, e, Info{})
		for silence, want := range map[time.Duration]string{
			0: StateOK, stalledAfter - 1: StateOK,
			stalledAfter: StateStalled,
		} {
			e.change(func(s *loop.Stats) { s.Silence[1] = silence })
			pass(2 * Every)
			if s := m.Status(); s.State != want || s.Reactors[1].State != want || s.Reactors[0].State != StateOK {
				t.Errorf("silent for %s: %s, %+v", silence, s.State, s.Reactors)
			}
		}
	})
}

func TestDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newFakeEngine(1)
		leaving := make(chan struct{})
		m, pass := run(t, e, Info{Draining: func() bool {
			select {
			case <-leaving:
				return true
			default:
				return false
			}
		}})
		pass(Every)
		if s := m.Status(); s.State != StateOK {
			t.Errorf("before: %s", s.State)
		}
		close(leaving)
		pass(Every)
		if s := m.Status(); s.State != StateDraining || s.Reactors[0].State != StateOK {
			t.Errorf("on the way out: %s, its loop %s", s.State, s.Reactors[0].State)
		}
		e.change(func(s *loop.Stats) { s.Draining = true })
		pass(Every)
		if s := m.Status(); s.State != StateDraining || s.Reactors[0].State != StateDraining ||
			s.Total.State != StateDraining {
			t.Errorf("draining: %+v", s)
		}
		// The engine is closed: the last that was known stays.
		e.change(func(s *loop.Stats) { s.Reactors[0].Deliveries = 5 })
		pass(Every)
		e.change(func(*loop.Stats) { e.closed = true })
		pass(2 * Every)
		if s := m.Status(); s.Total.Deliveries != 5 || len(s.Reactors) != 1 {
			t.Errorf("closed: %+v", s)
		}
	})
}

// Latency is that of the last ten seconds: what was before has no part in it.
func TestLatencyForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newFakeEngine(2)
		m, pass := run(t, e, Info{})
		pass(0)
		observe := func(reactor int, bucket int, n uint64) {
			e.change(func(s *loop.Stats) {
				h := &s.Reactors[reactor].Latency
				h.Buckets[bucket] += n
				h.Count += n
			})
		}
		const slow, fast = 60, 20 // bucket 60: 40,960 microseconds at most; 20: 48
		observe(0, slow, 100)
		pass(Every)
		s := m.Status()
		was := s.Reactors[0].LatencyP50
		if was < 0.01 || s.Reactors[0].LatencyP99 != was || s.Total.LatencyP99 != was || s.Reactors[1].LatencyP99 != 0 {
			t.Errorf("%+v", s)
		}
		observe(1, fast, 900)
		pass(Every)
		s = m.Status()
		if s.Total.LatencyP50 >= 0.0001 || s.Total.LatencyP50 == 0 || s.Total.LatencyP99 != was ||
			s.Reactors[1].LatencyP99 >= 0.0001 {
			t.Errorf("%+v", s)
		}
		pass(latencyOver - 2*Every)
		if s = m.Status(); s.Reactors[0].LatencyP99 != was {
			t.Errorf("forgotten too early: %+v", s.Reactors[0])
		}
		pass(2 * Every)
		if s = m.Status(); s.Reactors[0].LatencyP99 != 0 || s.Total.LatencyP99 != 0 {
			t.Errorf("not forgotten: %+v", s.Reactors[0])
		}
		if len(m.window) > int(latencyOver/Every)+1 {
			t.Errorf("%d states are kept", len(m.window))
		}
	})
}

func TestTopGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newFakeEngine(1)
		for i := range 20 {
			e.groups = append(e.groups, loop.GroupInfo{Name: fmt.Sprint("g", i), Members: 100 - i})
		}
		m, pass := run(t, e, Info{})
		pass(Every)
		if top := m.Status().TopGroups; len(top) != topGroups || top[0] != (Group{"g0", 100}) {
			t.Errorf("got %v", top)
		}
		// A search that found nothing out leaves what was known.
		e.change(func(*loop.Stats) { e.groupsErr = errors.New("asked too late") })
		pass(2 * groupsEvery)
		if top := m.Status().TopGroups; len(top) != topGroups {
			t.Errorf("got %v", top)
		}
	})
}

// However long a search takes, it is at work one per cent of the time.
func TestSearchesRest(t *testing.T) {
	for took, want := range map[time.Duration]int{
		0: 200, 20 * time.Millisecond: 200, time.Second: 10,
		3 * time.Second: 4,
	} {
		synctest.Test(t, func(t *testing.T) {
			e := newFakeEngine(1)
			e.groupsTook = took
			_, pass := run(t, e, Info{})
			pass(999 * time.Second)
			e.mu.Lock()
			defer e.mu.Unlock()
			if e.searches > want || e.searches < want/2 {
				t.Errorf("%s a search: %d of them, want %d", took, e.searches, want)
			}
			if rested := e.searches - 1; time.Duration(rested)*took > 999*time.Second/groupsRest {
				t.Errorf("%s a search: %d of them is too much", took, e.searches)
			}
		})
	}
}

// A search that hangs is given up, and tried again within a minute or so.
func TestASearchThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newFakeEngine(1)
		e.groupsTook = time.Hour
		_, pass := run(t, e, Info{})
		pass(groupsWithin + groupsRetry + 2*time.Second)
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.searches != 2 {
			t.Errorf("%d searches", e.searches)
		}
	})
}

// The first snapshot is there before the first sample, and nothing in one is null.
func TestBeforeTheFirstSample(t *testing.T) {
	m := New(newFakeEngine(3), Info{
		Version: "1", PID: 4711, CPUs: 8, StartedAt: time.Now(),
		MaxConnections: func() int { return 99 },
		Listeners:      func() []Listener { return []Listener{{KindControl, "unix:/x", ListenerOK}} },
	})
	s := m.Status()
	if s.Version != "1" || s.PID != 4711 || s.CPUs != 8 || s.MaxConnections != 99 || len(s.Listeners) != 1 ||
		s.State != StateOK {
		t.Errorf("%+v", s)
	}
	if !m.Stats().Taken.IsZero() {
		t.Errorf("taken at %s, and nobody has been asked", m.Stats().Taken)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for name, value := range fields {
		if value == nil {
			t.Errorf("%s is null", name)
		}
	}
}

func TestBridges(t *testing.T) {
	m := New(newFakeEngine(1), Info{
		StartedAt:   time.Now(),
		Channel:     func() *Channel { return &Channel{Connections: 3} },
		ChannelJoin: func() *ChannelJoin { return nil },
	})
	if s := m.Status(); s.Channel == nil || s.Channel.Connections != 3 || s.ChannelJoin != nil {
		t.Errorf("%+v", s)
	}
}

// What the system says of this process: not nothing, where it can be known.
func TestProcess(t *testing.T) {
	if residentBytes() < 1<<20 {
		t.Errorf("resident: %d bytes", residentBytes())
	}
	if cpuSeconds() <= 0 {
		t.Errorf("CPU time: %v s", cpuSeconds())
	}
	if load := loadAverage(); reflect.DeepEqual(load, [3]float64{}) {
		t.Logf("no load at all: %v", load)
	}
}

// The real thing, once.
func TestARealEngine(t *testing.T) {
	o := loop.DefaultOptions()
	o.Loops = 2
	engine, err := loop.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}()
	m := New(engine, Info{StartedAt: time.Now()})
	if _, err := engine.Publish(t.Context(), "g", []byte("hi")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() { m.Run(ctx); close(done) }()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(30 * time.Second); m.Status().Total.Messages < 1; <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", m.Status())
		}
	}
	if s := m.Status(); s.Order != 1 || len(s.Reactors) != 2 || s.State != StateOK {
		t.Errorf("%+v", s)
	}
	cancel()
	<-done
}
