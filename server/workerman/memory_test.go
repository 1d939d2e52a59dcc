package workerman

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	memory "groupcast/loop/budget"
)

const processLimit = 8 << 30

// startShort starts a server under a budget of which the test can take a part.
func startShort(t *testing.T) (s *testServer, b *memory.Budget, rest *memory.Account) {
	t.Helper()
	b = memory.New(processLimit, slog.New(slog.DiscardHandler))
	s = startServer(t, NewNode(), nil, func(o *Options) { o.Budget = b })
	return s, b, b.Account(memory.Rings)
}

// TestMemoryCountsOnce: frames that wait, half frames and queues count for the process, a
// frame once however many connections it waits for, and not at all once it is gone.
func TestMemoryCountsOnce(t *testing.T) {
	s, b, _ := startShort(t)
	used := func() int64 { return int64(b.Look()[memory.Channel]) }
	data := strings.Repeat("x", 100_000)
	_, open := gated(t, s, "c")
	_, openToo := gated(t, s, "c")
	defer open()
	defer openToo()
	eventually(t, "two subscribers", func() bool { return s.Stats().Subscriptions == 2 })
	w := dial(t, s.addr)
	w.send(with("publish", "c", `s:100000:"`+data+`";`))
	eventually(t, "the frame", func() bool { return used() > 100_000 })
	if n := used(); n > 110_000 {
		t.Errorf("%d bytes for one frame of 100,000 to two", n)
	}
	w.send(with("enqueue", "q", `s:100000:"`+data+`";`))
	eventually(t, "the job", func() bool { return used() > 200_000 })
	h := dial(t, s.addr)
	h.write(frameOf(with("publish", "c", `s:100000:"`+data+`";`))[:50_000])
	eventually(t, "half a frame", func() bool { return used() > 240_000 })
	_ = h.conn.Close()
	eventually(t, "its end", func() bool { return used() < 220_000 })
	if _, ok := s.PurgeQueue("q"); !ok {
		t.Error("no queue")
	}
	open()
	openToo()
	eventually(t, "nothing more to be held", func() bool { return used() == 0 })
}

// TestMemoryClosesLargest: near the limit those connections are closed for which most waits
// or that hold most of half a frame, and not one that holds a job.
func TestMemoryClosesLargest(t *testing.T) {
	s, b, _ := startShort(t)
	_, open := gated(t, s, "c")
	defer open()
	worker := dial(t, s.addr)
	worker.send(about("watch", "jobs"))
	worker.send(`a:1:{s:4:"type";s:7:"reserve";}`)
	worker.sync()
	w := dial(t, s.addr)
	w.send(with("enqueue", "jobs", "N;"))
	worker.next()
	data := strings.Repeat("x", 100_000)
	half := frameOf(with("publish", "c", `s:100000:"`+data+`";`))[:50_000]
	worker.write(half)
	h := dial(t, s.addr)
	h.write(half)
	w.send(with("publish", "c", `s:100000:"`+data+`";`))
	eventually(t, "all to be held", func() bool { return b.Look()[memory.Channel] > 2*50_000+100_000 })
	list := holders{s.Server}.Behind(t.Context(), 4<<10)
	if len(list) != 2 {
		t.Fatalf("%d could be closed, want the one that reads nothing and that with half a frame", len(list))
	}
	for _, one := range list {
		if one.Bytes < 50_000 || one.Bytes > 110_000 || one.Quiet < 0 || one.Quiet > time.Hour {
			t.Errorf("holds %d, quiet for %s", one.Bytes, one.Quiet)
		}
	}
	if list := (holders{s.Server}).Behind(t.Context(), 60_000); len(list) != 1 {
		t.Errorf("%d hold 60,000", len(list))
	}
	// The guard closes the one that holds most; what else it does depends on this test's own heap.
	b.SetLimit(b.Look().Sum() + 100_000)
	b.Check(t.Context())
	b.SetLimit(processLimit)
	if n := (holders{s.Server}).Close(t.Context(), list); n != 2 {
		t.Errorf("%d closed", n)
	}
	wantCause(t, s, "memory", 2)
	h.wantClosed()
	w.sync()
	worker.write(frameOf(with("publish", "c", `s:100000:"`+data+`";`))[50_000:])
	worker.sync()
}

// TestMemoryRefuses: with nothing left nobody new is served, jobs and events are dropped and
// counted, and those who are there stay.
func TestMemoryRefuses(t *testing.T) {
	s, b, rest := startShort(t)
	listener := subscriber(t, s.addr, "c")
	w := dial(t, s.addr)
	w.sync()
	rest.Add(processLimit / 100 * memory.RefuseAt)
	b.Look()
	dial(t, s.addr).wantClosed()
	w.send(with("publish", "c", "N;"))
	w.send(with("publishLoop", "c", "N;"))
	w.send(with("enqueue", "q", "N;"))
	eventually(t, "all to be refused", func() bool { return s.Stats().QueueDropped == 1 })
	st := s.Stats()
	if st.EventsDropped != 2 || st.QueueDropped != 1 || st.ConnsRefused.Load() != 1 || st.Queues != 0 {
		t.Errorf("%d events and %d jobs dropped, %d connections refused, %d queues", st.EventsDropped, st.QueueDropped,
			st.ConnsRefused.Load(), st.Queues)
	}
	rest.Add(-processLimit / 100 * memory.RefuseAt)
	b.Look()
	dial(t, s.addr).sync()
	listener.sync()
	w.send(with("publish", "c", "N;"))
	if got := listener.next(); !strings.Contains(got, "event") {
		t.Errorf("got %q", got)
	}
}
