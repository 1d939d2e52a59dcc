package interest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"groupcast/loop"
	"groupcast/loop/order"
	"groupcast/server/bus/wire"
)

// fakeLoops notes what it is told.
type fakeLoops struct {
	mu       sync.Mutex
	coverage Coverage
	covered  map[string]bool
	used     map[string]bool // what Uncover finds
	gaps     map[string]int
	largest  int           // of a call
	busy     chan struct{} // Uncover and Gap wait for it, if it is not nil
	fails    error         // what Cover, Uncover and Gap return
}

func (f *fakeLoops) do(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeLoops) SetCoverage(c Coverage) {
	f.do(func() { f.coverage = c })
}

func (f *fakeLoops) Cover(groups []string) (err error) {
	f.do(func() {
		if err = f.fails; err != nil {
			return
		}
		f.largest = max(f.largest, len(groups))
		for _, g := range groups {
			f.covered[g] = true
		}
	})
	return err
}

func (f *fakeLoops) wait(ctx context.Context) error {
	f.mu.Lock()
	busy, fails := f.busy, f.fails
	f.mu.Unlock()
	if busy == nil {
		return fails
	}
	select {
	case <-busy:
		return fails
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fakeLoops) Uncover(ctx context.Context, groups []string) (used []string, err error) {
	if err := f.wait(ctx); err != nil {
		return nil, err
	}
	f.do(func() {
		f.largest = max(f.largest, len(groups))
		for _, g := range groups {
			if f.covered[g] = f.used[g]; f.used[g] {
				used = append(used, g)
			} else {
				delete(f.covered, g)
			}
		}
	})
	return used, nil
}

func (f *fakeLoops) Gap(ctx context.Context, groups []string) error {
	if err := f.wait(ctx); err != nil {
		return err
	}
	f.do(func() {
		f.largest = max(f.largest, len(groups))
		for _, g := range groups {
			f.gaps[g]++
		}
	})
	return nil
}

// fakeMembers hands over what a test puts in; it ends with its error.
type fakeMembers struct {
	updates chan loop.MembersUpdate
	err     chan error
}

func (f *fakeMembers) Next(ctx context.Context) (loop.MembersUpdate, error) {
	select {
	case u := <-f.updates:
		return u, nil
	case err := <-f.err:
		return loop.MembersUpdate{}, err
	case <-ctx.Done():
		return loop.MembersUpdate{}, ctx.Err()
	}
}

// bed is an Interest that runs, within a bubble of synctest.
type bed struct {
	*Interest
	tb      testing.TB
	loops   *fakeLoops
	members *fakeMembers
	ended   chan error
	stop    func()
}

func start(t *testing.T, change func(*Options)) *bed {
	t.Helper()
	o := DefaultOptions(2)
	if change != nil {
		change(&o)
	}
	b := &bed{
		tb:      t,
		loops:   &fakeLoops{covered: map[string]bool{}, used: map[string]bool{}, gaps: map[string]int{}},
		members: &fakeMembers{make(chan loop.MembersUpdate), make(chan error)},
		ended:   make(chan error, 1),
	}
	var err error
	if b.Interest, err = New(b.loops, b.members, o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.stop = cancel
	go func() { b.ended <- b.Run(ctx) }()
	t.Cleanup(cancel)
	return b
}

// change tells of one session of reactor 0 that joins groups, or leaves them.
func (b *bed) change(joined bool, groups ...string) {
	u := loop.MembersUpdate{}
	for _, g := range groups {
		c := loop.MemberChange{Joined: joined}
		c.Session, c.Group = order.NewSessionID(0, 1, 1), g
		u.Changes = append(u.Changes, c)
	}
	b.members.updates <- u
	synctest.Wait()
}

// next is the next batch; the test fails if there is none now.
func (b *bed) next() (batch Batch) {
	b.tb.Helper()
	synctest.Wait()
	select {
	case batch = <-b.Batches():
	default:
		b.tb.Fatal("no batch")
	}
	synctest.Wait()
	return batch
}

// none fails if there is a batch.
func (b *bed) none(when string) {
	b.tb.Helper()
	synctest.Wait()
	select {
	case batch := <-b.Batches():
		b.tb.Fatalf("%s: a batch %+v", when, batch)
	default:
	}
}

// is fails unless exactly these are covered.
func (b *bed) is(when string, c Coverage, groups ...string) {
	b.tb.Helper()
	synctest.Wait()
	b.loops.do(func() {
		if got := slices.Sorted(maps.Keys(b.loops.covered)); b.loops.coverage != c || !slices.Equal(got, groups) {
			b.tb.Fatalf("%s: %s, %v, want %s, %v", when, b.loops.coverage, got, c, groups)
		}
	})
}

// pass has time pass by the bubble's clock.
func (b *bed) pass(d time.Duration) { <-time.After(d) }

// connect is Up, and a marker that is answered.
func (b *bed) connect() {
	b.tb.Helper()
	b.Up()
	b.Marked(b.next().Marker, true)
}

func names(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("g%06d", i))
	}
	return list
}

// TestRun: from a join to its SUB, the marker, the linger and the UNSUB.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		b.change(true, "a")
		b.is("before there is a connection", Away)
		b.none("before there is a connection")
		b.Up()
		b.is("connected", Pending)
		one := b.next()
		if !slices.Equal(one.Subscribe, []string{"a"}) || one.Marker == 0 || one.Switching || one.WildcardOn {
			t.Errorf("%+v", one)
		}
		b.is("not answered", Pending)
		b.change(true, "b")
		b.change(true, "c")
		b.change(false, "c") // takes it back
		if two := b.next(); !slices.Equal(two.Subscribe, []string{"b"}) || two.Marker != 0 {
			t.Errorf("while a marker is under way: %+v", two)
		}
		b.Marked(one.Marker, true)
		b.is("answered", On, "a")
		three := b.next()
		if three.Marker == 0 || len(three.Subscribe) > 0 {
			t.Errorf("the next marker: %+v", three)
		}
		b.Marked(three.Marker, false)
		b.is("not by all", On, "a")
		b.none("within the pause")
		b.pass(MarkerPause)
		four := b.next()
		b.Marked(four.Marker, true)
		b.is("by all", On, "a", "b")
		b.change(false, "a", "b")
		b.loops.do(func() { b.loops.used["b"] = true })
		b.pass(DefaultLinger - 1)
		b.none("lingering")
		if s := b.Stats(); s.Groups != 2 || s.Subjects != 2 || s.Lingering != 2 || s.Waiting != 0 || s.Marks != 2 ||
			s.MarksFew != 1 {
			t.Errorf("%+v", s)
		}
		b.pass(1)
		if five := b.next(); !slices.Equal(five.Unsubscribe, []string{"a"}) || five.Marker != 0 {
			t.Errorf("%+v", five)
		}
		b.is("b has a member that was not told of", On, "b")
		b.loops.do(func() { clear(b.loops.used) })
		b.pass(DefaultLinger)
		if six := b.next(); !slices.Equal(six.Unsubscribe, []string{"b"}) {
			t.Errorf("%+v", six)
		}
		b.is("all are gone", On)
		b.Down()
		b.is("down", Away)
		b.Marked(17, true)
		b.Up()
		b.Down()
		b.Up()
		b.is("up", Pending)
		b.connect()
		b.is("and answered", On)
		b.stop()
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
	})
}

// TestRunUp: who runs with a connection is not Away first.
func TestRunUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loops := &recordingLoops{}
		i, err := New(loops, &fakeMembers{}, DefaultOptions(1))
		if err != nil {
			t.Fatal(err)
		}
		i.Up()
		ctx, cancel := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { _ = i.Run(ctx) })
		synctest.Wait()
		cancel()
		work.Wait()
		if !slices.Equal(loops.told, []Coverage{Pending}) {
			t.Errorf("%v", loops.told)
		}
	})
}

type recordingLoops struct {
	fakeLoops
	told []Coverage
}

func (r *recordingLoops) SetCoverage(c Coverage) { r.told = append(r.told, c) }

// TestRunChunks: neither a batch nor a call has more groups than its limit, and no group is
// left out.
func TestRunChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		b.connect()
		all := names(2*MaxBatchGroups + 1)
		b.change(true, all...)
		var got []string
		take := func(list func(Batch) []string) {
			t.Helper()
			got = nil
			for len(got) < len(all) {
				batch := b.next()
				if n := len(list(batch)); n == 0 && batch.Marker == 0 || n > MaxBatchGroups {
					t.Fatalf("a batch of %d", n)
				}
				got = append(got, list(batch)...)
				b.Marked(batch.Marker, true)
			}
			slices.Sort(got)
			if !slices.Equal(got, all) {
				t.Errorf("%d groups, want %d", len(got), len(all))
			}
		}
		take(func(b Batch) []string { return b.Subscribe })
		b.is("all", On, all...)
		b.Lost(nil, true)
		synctest.Wait()
		b.loops.do(func() {
			if got := slices.Sorted(maps.Keys(b.loops.gaps)); !slices.Equal(got, all) {
				t.Errorf("gaps of %d", len(got))
			}
		})
		b.change(false, all...)
		b.pass(DefaultLinger)
		take(func(b Batch) []string { return b.Unsubscribe })
		b.is("all gone", On)
		if b.loops.largest != MaxCallGroups {
			t.Errorf("a call of %d groups", b.loops.largest)
		}
	})
}

// TestRunBusyLoop: a loop that does not answer keeps neither joins nor the callers waiting,
// and what it was to be told it is told later.
func TestRunBusyLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		b.connect()
		b.change(true, "a", "b")
		b.Marked(b.next().Marker, true)
		busy := make(chan struct{})
		b.loops.do(func() { b.loops.busy = busy })
		b.change(false, "a")
		b.pass(DefaultLinger)
		b.Lost(func(hash uint64) bool { return hash == wire.Hash("b") }, false)
		b.change(true, "c")
		one := b.next()
		if !slices.Equal(one.Subscribe, []string{"c"}) || len(one.Unsubscribe) > 0 {
			t.Errorf("%+v", one)
		}
		b.Marked(one.Marker, true)
		b.pass(UncoverWait)
		b.none("nothing is known")
		b.is("nothing is known", On, "a", "b", "c")
		close(busy)
		b.pass(DefaultLinger)
		if two := b.next(); !slices.Equal(two.Unsubscribe, []string{"a"}) {
			t.Errorf("%+v", two)
		}
		b.loops.do(func() {
			if !maps.Equal(b.loops.gaps, map[string]int{"b": 1}) {
				t.Errorf("gaps: %v", b.loops.gaps)
			}
		})
		if s := b.Stats(); s.CallErrors != 2 {
			t.Errorf("%d errors, want one each", s.CallErrors)
		}
		b.loops.do(func() { b.loops.fails = errors.New("no room") })
		b.change(true, "d")
		b.Marked(b.next().Marker, true)
		b.is("Cover fails", On, "b", "c")
		b.loops.do(func() { b.loops.fails = nil })
		b.pass(MarkerPause)
		b.is("and again", On, "b", "c", "d")
	})
}

// TestRunWildcard: over the limit, and back.
func TestRunWildcard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(o *Options) { o.Subjects, o.Linger = 10, 0 })
		b.connect()
		all := names(12)
		b.change(true, all[:10]...)
		b.Marked(b.next().Marker, true)
		b.change(true, all[10])
		one := b.next()
		if !one.WildcardOn || !one.Switching || len(one.Subscribe) > 0 || one.Marker == 0 || one.Switched {
			t.Errorf("%+v", one)
		}
		b.is("the wildcard is not known yet", On, all[:10]...)
		b.Marked(one.Marker, true)
		b.is("it is", On, all[:11]...)
		two := b.next()
		if len(two.Unsubscribe) != 10 || !two.Switched || two.Marker == 0 {
			t.Errorf("%+v", two)
		}
		b.Marked(two.Marker, true)
		b.change(true, all[11])
		b.is("at once", On, all...)
		b.none("a join under the wildcard")
		if s := b.Stats(); s.Wildcard != 1 || s.Subjects != 0 || s.Groups != 12 || s.Switches != 1 || s.Overflows != 1 {
			t.Errorf("%+v", s)
		}
		b.change(false, all[8:]...)
		b.is("there are 8", On, all[:8]...)
		b.pass(2 * NarrowAfter)
		b.none("8 of 10 are too many")
		b.change(false, all[7])
		b.pass(NarrowAfter - 1)
		b.none("not for long")
		b.pass(1)
		three := b.next()
		slices.Sort(three.Subscribe)
		if !three.Switching || !slices.Equal(three.Subscribe, all[:7]) || three.Marker == 0 || three.WildcardOff {
			t.Errorf("%+v", three)
		}
		b.Marked(three.Marker, true)
		four := b.next()
		if !four.WildcardOff || !four.Switched || four.Marker == 0 {
			t.Errorf("%+v", four)
		}
		b.Marked(four.Marker, true)
		b.none("done")
		b.is("as before", On, all[:7]...)
	})
}

// TestRunEnds: with Members, whose error it returns.
func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		b.members.err <- loop.ErrClosed
		if err := <-b.ended; !errors.Is(err, loop.ErrClosed) {
			t.Errorf("%v, want %v", err, loop.ErrClosed)
		}
	})
}

// TestManyLosses: more than are kept are one of all groups.
func TestManyLosses(t *testing.T) {
	i, err := New(nil, nil, DefaultOptions(1))
	if err != nil {
		t.Fatal(err)
	}
	none := func(uint64) bool { return false }
	for range MaxLosses {
		i.Lost(none, false)
	}
	if m := i.box.take(); m.all || len(m.matches) != MaxLosses {
		t.Errorf("all: %v, %d kept", m.all, len(m.matches))
	}
	for range MaxLosses + 2 {
		i.Lost(none, false)
	}
	if m := i.box.take(); !m.all || len(m.matches) != 0 {
		t.Errorf("all: %v, %d kept", m.all, len(m.matches))
	}
}

func TestOptions(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"interest: Reactors must be at least 1, not 0":    func(o *Options) { o.Reactors = 0 },
		"interest: Subjects must be at least 1, not -1":   func(o *Options) { o.Subjects = -1 },
		"interest: Linger must not be negative, not -1ms": func(o *Options) { o.Linger = -time.Millisecond },
	} {
		o := DefaultOptions(1)
		change(&o)
		if _, err := New(nil, nil, o); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestLostTwice: a group whose members are to be told already is not told twice.
func TestLostTwice(t *testing.T) {
	o := DefaultOptions(1)
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	table := newTable(o, time.Now())
	table.update(updateOf(true, []string{"a", "b"}))
	table.lost(nil, true)
	table.lost([]func(uint64) bool{func(hash uint64) bool { return hash == wire.Hash("b") }}, false)
	if got := table.takeGaps(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%v", got)
	}
	if got := table.takeGaps(); got != nil {
		t.Errorf("while they are told: %v", got)
	}
	table.gapped(nil)
	if got := table.takeGaps(); got != nil {
		t.Errorf("once they are told: %v", got)
	}
}

// TestPace: SUBs go out at once, and the marker that covers them all when it is its turn.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pace = 40 * time.Millisecond
		b := start(t, func(o *Options) { o.Pace = func() time.Duration { return pace } })
		b.Up()
		first := b.next()
		if first.Marker == 0 {
			t.Fatalf("the first waits: %+v", first)
		}
		b.Marked(first.Marker, true)
		b.change(true, "a")
		if batch := b.next(); batch.Marker != 0 || len(batch.Subscribe) != 1 {
			t.Errorf("at once: %+v", batch)
		}
		b.change(true, "b")
		if batch := b.next(); batch.Marker != 0 || len(batch.Subscribe) != 1 {
			t.Errorf("at once: %+v", batch)
		}
		began := time.Now()
		select {
		case batch := <-b.Batches():
			if batch.Marker == 0 || time.Since(began) != pace {
				t.Errorf("%+v behind %s", batch, time.Since(began))
			}
			b.Marked(batch.Marker, true)
		case <-time.After(time.Minute):
			t.Fatal("no marker")
		}
		synctest.Wait()
		if !b.loops.covered["a"] || !b.loops.covered["b"] {
			t.Errorf("covered %v", b.loops.covered)
		}
	})
}
