package loop

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"golang.org/x/sync/errgroup"

	"groupcast/loop/budget"
)

const limitBytes = 1 << 30

// startShort starts an engine under a budget of which a part can be taken by the test: what
// the test's own process holds is far from the limit.
func startShort(t *testing.T, adapt func(*Options)) (e *Engine, addr string, taken *budget.Account) {
	t.Helper()
	b := budget.New(limitBytes, slog.New(slog.DiscardHandler))
	e, addr = start(t, func(o *Options) {
		o.Budget = b
		if adapt != nil {
			adapt(o)
		}
	})
	return e, addr, b.Account(budget.API)
}

// hundredths of the limit, and a bit.
func hundredths(n int64) int64 { return limitBytes/100*n + 1<<20 }

// TestShortOfMemoryRefuses: who is new is answered 503 with Retry-After, publications from
// outside are refused, and those who are in go on, until there is memory again.
func TestShortOfMemoryRefuses(t *testing.T) {
	e, addr, taken := startShort(t, nil)
	w := open(t, addr)
	w.join("g")
	taken.Add(hundredths(budget.RefuseAt))
	waitFor(t, "refusals", e.shared.Budget.Refuses)
	connect(t, addr).wantUnavailable()
	for _, err := range []error{
		func() error { _, err := e.Publish(t.Context(), "g", []byte("outside")); return err }(),
		e.Submit(t.Context(), Publication{Groups: []string{"g"}, Payload: []byte("outside"), IsText: true}),
	} {
		if !errors.Is(err, ErrNoMemory) || !errors.Is(err, ErrOverloaded) {
			t.Errorf("publishing from outside: %v", err)
		}
	}
	w.say(`{"cmd":"send_to_group","group_id":"g","message":"inside"}`)
	w.want("inside")
	stats, err := e.Stats(t.Context())
	if err != nil || stats.RefusedMemory != 1 || stats.Refused() != 1 || stats.Memory.RefusedPublications != 2 {
		t.Errorf("%v: %d connections refused, %d publications", err, stats.RefusedMemory, stats.Memory.RefusedPublications)
	}
	if stats.Memory.Limit != limitBytes || stats.Memory.Used[budget.API] < uint64(hundredths(budget.RefuseAt)) {
		t.Errorf("told: %+v", stats.Memory)
	}
	taken.Add(-hundredths(budget.RefuseAt))
	waitFor(t, "memory", func() bool { return !e.shared.Budget.Refuses() })
	open(t, addr)
	if _, err := e.Publish(t.Context(), "g", []byte("again")); err != nil {
		t.Error(err)
	}
	w.want("again")
}

// TestShortOfMemoryCloses: readers that are behind and peers with half a message are closed
// with 1008, which says why; those who read lose nothing.
func TestShortOfMemoryCloses(t *testing.T) {
	e, addr, taken := startShort(t, func(o *Options) {
		smallBuffers(o)
		o.MaxBacklogBytes, o.MaxMessageBytes = 64<<20, 1<<20
	})
	const size, n, behind, half = 60_000, 60, 4, 40
	var stalled, live []*wire
	for range behind {
		w := openWith(t, smallWindow(), addr)
		w.join("g")
		stalled = append(stalled, w)
		w = open(t, addr)
		w.join("g")
		live = append(live, w)
	}
	for range half {
		open(t, addr).write(textFrame(strings.Repeat("h", 1<<20))[:1_000_000])
	}
	publisher := open(t, addr)
	round := func(from, to int) {
		t.Helper()
		var reading errgroup.Group
		for _, w := range live {
			reading.Go(func() error { return wantNumbered(w, from, to, size) })
		}
		if err := errors.Join(publish(publisher, from, to, size), reading.Wait()); err != nil {
			t.Fatal(err)
		}
	}
	round(0, n)
	waitFor(t, "what they hold to be told", func() bool {
		used := e.shared.Budget.Stats().Used
		return used[budget.Halves] > half*900_000 && used[budget.Backlogs] > n*size/2
	})
	if used := e.shared.Budget.Stats().Used[budget.Backlogs]; used > 2*n*size {
		t.Errorf("%d bytes of backlogs, though all hold the same %d", used, n*size)
	}
	// What is beside is measured, and may have become less by the next look: hence some more.
	missing := hundredths(budget.CloseAt) - e.shared.Budget.Look().Sum() + 16<<20
	taken.Add(missing)
	waitStats(t, e, "most of them to be closed", func(s ReactorStats) bool { return s.MemoryClosed >= behind+half/2 })
	for _, w := range stalled {
		code, reason, _ := w.untilClose()
		if code != ws.StatusPolicyViolation || !strings.Contains(reason, "short of memory") {
			t.Errorf("closed with %d: %s", code, reason)
		}
	}
	stats, err := e.Stats(t.Context())
	all := stats.Sum()
	if err != nil || stats.Memory.Closed != all.MemoryClosed || stats.RefusedMemory != 0 || all.HalfBytes > half*600_000 {
		t.Errorf("%v: %d closed, %d refused, %d bytes of halves", err, stats.Memory.Closed, stats.RefusedMemory,
			all.HalfBytes)
	}
	taken.Add(-missing)
	waitFor(t, "memory", func() bool { return e.shared.Budget.Stats().Used.Sum() < hundredths(budget.CloseAt) })
	round(n, 2*n)
}

// TestShortOfMemoryResets: beyond ResetAt those are ended that were closed and are still
// there: what the kernel has of them is free again, long before their time is over.
func TestShortOfMemoryResets(t *testing.T) {
	e, addr, taken := startShort(t, func(o *Options) {
		smallBuffers(o) // who is closed has an hour
		o.MaxBacklogBytes = 64 << 20
	})
	w := openWith(t, smallWindow(), addr)
	w.join("g")
	publisher := open(t, addr)
	if err := publish(publisher, 0, 120, 60_000); err != nil {
		t.Fatal(err)
	}
	waitStats(t, e, "a backlog", func(s ReactorStats) bool { return s.BacklogSessions == 1 })
	taken.Add(hundredths(budget.ResetAt))
	waitStats(t, e, "a reset", func(s ReactorStats) bool { return s.MemoryClosed == 1 && s.Resets == 1 })
	w.wantReset()
	taken.Add(-hundredths(budget.ResetAt))
	publisher.sync()
}

// TestMemoryOfSessions: connections count with their estimates, and those that take no more
// with a full send buffer.
func TestMemoryOfSessions(t *testing.T) {
	e, addr, _ := startShort(t, smallBuffers)
	used := func() budget.Bytes { return e.shared.Budget.Look() }
	before := used()
	w := openWith(t, smallWindow(), addr)
	w.join("g")
	waitFor(t, "its estimate", func() bool {
		now := used()
		return now[budget.Sessions] > before[budget.Sessions] && now[budget.Kernel] > before[budget.Kernel]
	})
	idle := used()[budget.Kernel]
	publisher := open(t, addr)
	if err := publish(publisher, 0, 10, 60_000); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "its send buffer", func() bool { return used()[budget.Kernel] >= idle+2*8<<10 })
}
