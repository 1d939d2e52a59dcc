package loop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sync/errgroup"

	"groupcast/loop/reactor"
)

func uncoveredAckOf(reqID string) string {
	return `{"cmd":"ack","req_id":` + reqID + `,"cluster":false}`
}

// acksWaiting waits until so many acks of joins wait, on all loops together.
func acksWaiting(t *testing.T, e *Engine, want int) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%d acks that wait", want), func() bool {
		n := 0
		for _, r := range e.reactors {
			n += r.AcksWaiting()
		}
		return n == want
	})
}

// longWait is a JoinWait that no test waits for.
func longWait(o *Options) { o.JoinWait = time.Minute }

// TestCoverage: an ack waits until the bus covers the group, beside the order of the session's
// answers; away, on its way back, or with another group covered the bus has it wait or say so.
func TestCoverage(t *testing.T) {
	e, addr := start(t, longWait)
	members := []*wire{open(t, addr), open(t, addr), open(t, addr)} // on both loops
	say := func(reqID int) {
		for _, w := range members {
			w.say(`{"cmd":"add_group","group_id":"g","req_id":%d}`, reqID)
			w.say(`{"cmd":"ping","req_id":"behind"}`)
		}
	}
	want := func(texts ...string) {
		t.Helper()
		for _, w := range members {
			w.want(texts...)
		}
	}
	say(0)
	want(ackOf("0"), ackOf(`"behind"`))
	e.SetCoverage(CoverageAway)
	say(1)
	want(uncoveredAckOf("1"), ackOf(`"behind"`))
	e.SetCoverage(CoveragePending)
	say(2)
	want(ackOf(`"behind"`))
	acksWaiting(t, e, len(members))
	if err := e.Cover([]string{"g"}); err != nil { // not believed yet
		t.Fatal(err)
	}
	say(3)
	want(ackOf(`"behind"`))
	acksWaiting(t, e, 2*len(members))
	e.SetCoverage(CoverageOn)
	want(ackOf("2"), ackOf("3"))
	say(4)
	want(ackOf("4"), ackOf(`"behind"`))

	// Covered no more, where nobody is a member.
	for _, w := range members {
		w.say(`{"cmd":"leave_group","group_id":"g","req_id":5}`)
	}
	want(ackOf("5"))
	used, err := e.Uncover(t.Context(), []string{"g"})
	if err != nil || len(used) != 0 || e.Covered("g") {
		t.Fatalf("used %v, %v; covered %v", used, err, e.Covered("g"))
	}
	say(6)
	want(ackOf(`"behind"`))
	acksWaiting(t, e, len(members))
	groups := []string{"other", "g"}
	if err := e.Cover(groups); err != nil {
		t.Fatal(err)
	}
	clear(groups) // it has been copied
	want(ackOf("6"))
	e.SetCoverage(CoverageAway)
	e.SetCoverage(CoverageOff)
	say(7)
	want(ackOf("7"), ackOf(`"behind"`))
	acksWaiting(t, e, 0)
}

// TestAwayReleasesAcks: what waits is answered when the bus is known to be away, and when there is
// a cluster no more.
func TestAwayReleasesAcks(t *testing.T) {
	e, addr := start(t, longWait)
	w := open(t, addr)
	for state, want := range map[Coverage]string{CoverageAway: uncoveredAckOf("1"), CoverageOff: ackOf("1")} {
		e.SetCoverage(CoverageOn)
		w.say(`{"cmd":"add_group","group_id":"g","req_id":1}`)
		acksWaiting(t, e, 1)
		e.SetCoverage(state)
		w.want(want)
	}
}

// TestJoinWaitEnds: an ack is sent after JoinWait though nobody says anything of the bus, also
// after a time in which none waited.
func TestJoinWaitEnds(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.JoinWait = 50 * time.Millisecond })
	e.SetCoverage(CoverageOn)
	w := open(t, addr)
	for i := range 3 {
		w.say(`{"cmd":"add_group","group_id":"g","req_id":%d}`, i)
		w.say(`{"cmd":"ping","req_id":"behind"}`)
		w.want(ackOf(`"behind"`), uncoveredAckOf(fmt.Sprint(i)))
		acksWaiting(t, e, 0)
		if e.tickAcks() {
			t.Error("the clock would go on")
		}
	}
	if s := sum(t, e); s.JoinsTimedOut != 3 || s.JoinsWaited != 3 {
		t.Errorf("%d of %d are counted", s.JoinsTimedOut, s.JoinsWaited)
	}
}

// TestCoverWakesThoseWithAcks: a loop on which no ack waits is not woken by a group that is covered.
func TestCoverWakesThoseWithAcks(t *testing.T) {
	e, addr := start(t, longWait)
	e.SetCoverage(CoverageOn)
	if where := e.withAcks(); len(where) != 0 {
		t.Errorf("%d loops would be woken for nothing", len(where))
	}
	w := open(t, addr)
	w.say(`{"cmd":"add_group","group_id":"g","req_id":1}`)
	acksWaiting(t, e, 1)
	if where := e.withAcks(); len(where) != 1 || where[0].AcksWaiting() != 1 {
		t.Errorf("%d loops would be woken for one ack", len(where))
	}
	if err := e.Cover([]string{"g"}); err != nil {
		t.Fatal(err)
	}
	w.want(ackOf("1"))
}

// TestUncover: groups with members stay covered, and those whose acks wait for them are answered;
// of others it tells the use, and makes nothing covered that was not.
func TestUncover(t *testing.T) {
	e, addr := start(t, longWait)
	e.SetCoverage(CoverageOn)
	if err := e.Cover([]string{"used", "unused"}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // one on each loop
		w := open(t, addr)
		w.join("used")
		w.say(`{"cmd":"add_group","group_id":"never covered"}`)
		w.sync()
	}
	used, err := e.Uncover(t.Context(), []string{"unused", "never covered", "used", "unknown"})
	if err != nil || !slices.Equal(used, []string{"never covered", "used"}) {
		t.Errorf("used %q, %v", used, err)
	}
	for group, want := range map[string]bool{"used": true, "unused": false, "never covered": false, "unknown": false} {
		if e.Covered(group) != want {
			t.Errorf("%s is covered: %v", group, !want)
		}
	}
}

// TestUncoverWithoutAnswer: as long as a loop does not answer, what joins elsewhere waits; when the
// caller gives up all is as it was, and those are answered.
func TestUncoverWithoutAnswer(t *testing.T) {
	e, addr := start(t, longWait)
	e.SetCoverage(CoverageOn)
	if err := e.Cover([]string{"g"}); err != nil {
		t.Fatal(err)
	}
	members := []*wire{open(t, addr), open(t, addr)} // one on each loop
	let := make(chan struct{})
	release := sync.OnceFunc(func() { close(let) })
	defer release()
	if err := e.tell(e.reactors[:1], func(*reactor.Reactor) { <-let }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := e.Uncover(ctx, []string{"g"})
		failed <- err
	}()
	waitFor(t, "the group to be taken out", func() bool { return !e.Covered("g") })
	for _, w := range members {
		w.say(`{"cmd":"add_group","group_id":"g","req_id":1}`)
	}
	acksWaiting(t, e, 1)
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) || !e.Covered("g") {
		t.Errorf("%v; covered %v", err, e.Covered("g"))
	}
	acksWaiting(t, e, 0)
	release()
	for _, w := range members {
		w.want(ackOf("1"))
	}
}

// TestUncoverRaces: sessions come and go while groups are covered and uncovered. Who was told that
// its group is covered, and has not left, is in no group that Uncover returned as unused. No ack is
// forgotten, and none says that its group is not covered.
func TestUncoverRaces(t *testing.T) {
	const groups, clients, rounds = 3, 8, 150
	e, addr := start(t, longWait)
	e.SetCoverage(CoverageOn)
	states := make([]struct {
		mu      sync.Mutex
		unused  bool // as Uncover has said, and not covered since
		members int  // that know that it is covered
	}, groups)

	var work errgroup.Group
	for c := range clients {
		w := open(t, addr)
		work.Go(func() error {
			for i := range rounds {
				g := (c + i) % groups
				state := &states[g]
				_ = w.tryWrite(textFrame(fmt.Sprintf(`{"cmd":"add_group","group_id":"%d","req_id":1}`, g)))
				text, err := w.tryNext()
				if err != nil || text != ackOf("1") {
					return fmt.Errorf("%q, %w", text, err)
				}
				state.mu.Lock()
				if state.unused {
					err = fmt.Errorf("told that %d is covered, which was unused before", g)
				}
				state.members++
				state.mu.Unlock()
				if err != nil {
					return err
				}
				state.mu.Lock()
				state.members--
				state.mu.Unlock()
				_ = w.tryWrite(textFrame(fmt.Sprintf(`{"cmd":"leave_group","group_id":"%d","req_id":2}`, g)))
				if text, err := w.tryNext(); err != nil || text != ackOf("2") {
					return fmt.Errorf("%q, %w", text, err)
				}
			}
			return nil
		})
	}
	var done atomic.Bool
	var bus, waiters errgroup.Group
	bus.Go(func() error {
		for i := 0; !done.Load(); i++ {
			g := i / 2 % groups
			name, state := fmt.Sprint(g), &states[g]
			if i%2 == 0 {
				state.mu.Lock()
				state.unused = false
				state.mu.Unlock()
				if err := e.Cover([]string{name}); err != nil {
					return err
				}
				continue
			}
			used, err := e.Uncover(t.Context(), []string{name})
			if err != nil {
				return err
			}
			if len(used) > 0 {
				continue
			}
			state.mu.Lock()
			state.unused = true
			if state.members > 0 {
				err = fmt.Errorf("%d has %d members, and is unused", g, state.members)
			}
			state.mu.Unlock()
			if err != nil {
				return err
			}
		}
		return nil
	})
	for g := range groups {
		waiters.Go(func() error {
			for range rounds {
				if !e.WaitCovered(t.Context(), fmt.Sprint(g)) {
					return fmt.Errorf("waited in vain for %d", g)
				}
			}
			return nil
		})
	}
	err := errors.Join(work.Wait(), waiters.Wait())
	done.Store(true)
	if err := errors.Join(err, bus.Wait()); err != nil {
		t.Fatal(err)
	}
	if e.joining.count.Load() != 0 || len(e.joining.byGroup) != 0 {
		t.Error("goroutines are noted that wait no more")
	}
	acksWaiting(t, e, 0)
	if s := sum(t, e); s.JoinsWaited == 0 || s.JoinsReleased != s.JoinsWaited {
		t.Errorf("%d acks waited, and %d were sent", s.JoinsWaited, s.JoinsReleased)
	}
}

// TestDrainReleasesAcks: what waits when a drain begins is answered before the session is closed.
func TestDrainReleasesAcks(t *testing.T) {
	e, addr := start(t, longWait)
	e.SetCoverage(CoverageOn)
	w := open(t, addr)
	w.say(`{"cmd":"add_group","group_id":"g","req_id":1}`)
	acksWaiting(t, e, 1)
	drained := make(chan error, 1)
	go func() { drained <- drain(e, ws.StatusGoingAway, 0) }()
	code, _, texts := w.untilClose()
	if code != ws.StatusGoingAway || !slices.Equal(texts, []string{uncoveredAckOf("1")}) {
		t.Errorf("%q, then %d", texts, code)
	}
	w.write(closeFrame(code, ""))
	w.wantEOF()
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// TestWaitCovered: outside the loops a group is waited for likewise.
func TestWaitCovered(t *testing.T) {
	e := startAlone(t, longWait)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	check := func(want bool) {
		t.Helper()
		if got := e.WaitCovered(gone, "g"); got != want {
			t.Errorf("covered %v, want %v", got, want)
		}
	}
	// wait begins to wait, and returns when it does.
	wait := func() <-chan bool {
		t.Helper()
		covered := make(chan bool, 1)
		go func() { covered <- e.WaitCovered(t.Context(), "g") }()
		waitFor(t, "it waits", func() bool { return e.joining.count.Load() == 1 })
		return covered
	}
	// woken is what it says, long before its time is over.
	woken := func(covered <-chan bool) bool {
		t.Helper()
		select {
		case is := <-covered:
			return is
		case <-time.After(20 * time.Second):
			t.Fatal("it waits still")
			return false
		}
	}
	check(true)
	e.SetCoverage(CoveragePending)
	check(false)
	covered := wait()
	e.SetCoverage(CoverageAway)
	if woken(covered) {
		t.Error("covered without a bus")
	}
	check(false)
	e.SetCoverage(CoveragePending)
	covered = wait()
	if err := e.Cover([]string{"g"}); err != nil {
		t.Fatal(err)
	}
	e.SetCoverage(CoverageOn)
	if !woken(covered) {
		t.Error("not covered once the bus is back")
	}
	check(true)
	if _, err := e.Uncover(t.Context(), []string{"g"}); err != nil {
		t.Fatal(err)
	}
	check(false)
	covered = wait()
	if err := e.Cover([]string{"h", "g"}); err != nil {
		t.Fatal(err)
	}
	if !woken(covered) {
		t.Error("not covered when it is said to be")
	}
	if _, err := e.Uncover(t.Context(), []string{"g"}); err != nil {
		t.Fatal(err)
	}
	o := e.Options()
	o.JoinWait = 50 * time.Millisecond
	if err := e.Reconfigure(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if e.WaitCovered(t.Context(), "g") {
		t.Error("covered because the time is over")
	}
	longWait(&o)
	if err := e.Reconfigure(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	covered = wait()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if woken(covered) {
		t.Error("covered by an engine that has ended")
	}
	if err := e.Cover([]string{"g"}); err != nil {
		t.Errorf("%v, though there is nobody to be told", err)
	}
	if _, err := e.Uncover(t.Context(), []string{"g"}); !errors.Is(err, ErrClosed) || !e.Covered("g") {
		t.Errorf("%v; covered %v", err, e.Covered("g"))
	}
}
