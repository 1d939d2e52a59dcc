package budget

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"groupcast/loop/leak"
	"groupcast/loop/wait"
)

func TestMain(m *testing.M) { os.Exit(leak.Main(m)) }

// newTest is a budget that counts only what the test tells it.
func newTest(limit int64) *Budget {
	b := New(limit, slog.New(slog.DiscardHandler))
	b.beside = func(int64) int64 { return 0 }
	return b
}

// crowd is a Keeper of holders whose bytes are in an account, each for itself.
type crowd struct {
	account  *Account
	holders  []Holder
	shared   int64 // that only the last of them lets go of
	closed   []any
	leaves   int64 // a closed one's part that stays until Reset
	leaving  int64
	resets   int
	behinds  int
	atLeasts []int64
}

func (c *crowd) Behind(_ context.Context, least int64) []Holder {
	c.behinds++
	c.atLeasts = append(c.atLeasts, least)
	return slices.Clone(c.holders)
}

func (c *crowd) Close(_ context.Context, them []Holder) int {
	for _, h := range them {
		c.closed = append(c.closed, h.Who)
		c.account.Add(-h.Bytes + c.leaves)
		c.leaving += c.leaves
		c.holders = slices.DeleteFunc(c.holders, func(o Holder) bool { return o.Who == h.Who })
	}
	if len(c.holders) == 0 {
		c.account.Add(-c.shared)
		c.shared = 0
	}
	return len(them)
}

func (c *crowd) Leaving() int64 { return c.leaving }

func (c *crowd) Reset(context.Context) {
	c.resets++
	c.account.Add(-c.leaving)
	c.leaving = 0
}

const mib = 1 << 20

// TestThresholds are at the edges of each: what is done there, and not one byte before.
func TestThresholds(t *testing.T) {
	const limit = 100 * mib
	for _, test := range []struct {
		used            int64
		closes, refuses bool
		resets          int
	}{
		{share(limit, CloseAt) - 1, false, false, 0},
		{share(limit, CloseAt), true, false, 0},
		{share(limit, RefuseAt) - 1, true, false, 0},
		{share(limit, RefuseAt), true, true, 0},
		{share(limit, ResetAt) - 1, true, true, 0},
		{share(limit, ResetAt), true, true, 1},
	} {
		b := newTest(limit)
		// A holder whose end changes nothing about the rest.
		c := &crowd{account: b.Account(Backlogs), holders: []Holder{{Bytes: mib, Who: 1}}, leaves: mib}
		b.Keep(c)
		b.Account(Rings).Add(test.used)
		b.Check(t.Context())
		if got := len(c.closed) > 0; got != test.closes {
			t.Errorf("%d of %d: closed %v, want %v", test.used, limit, got, test.closes)
		}
		if got := b.Refuses(); got != test.refuses {
			t.Errorf("%d of %d: refuses %v, want %v", test.used, limit, got, test.refuses)
		}
		if c.resets != test.resets {
			t.Errorf("%d of %d: %d resets, want %d", test.used, limit, c.resets, test.resets)
		}
	}
}

// TestLargestFirst: those that hold most are closed until CloseTo is reached, of two that
// hold as much the one that has been quiet for longer, and nobody else.
func TestLargestFirst(t *testing.T) {
	b := newTest(100 * mib)
	first := &crowd{account: b.Account(Backlogs), holders: []Holder{
		{1 * mib, 0, "small"}, {8 * mib, time.Second, "quiet"}, {8 * mib, 0, "loud"},
	}}
	second := &crowd{account: b.Account(Channel), holders: []Holder{{9 * mib, 0, "largest"}}}
	for _, c := range []*crowd{first, second} {
		b.Keep(c)
		for _, h := range c.holders {
			c.account.Add(h.Bytes)
		}
	}
	b.Account(Rings).Add(60 * mib) // 86 in all
	b.Check(t.Context())
	if !slices.Equal(first.closed, []any{"quiet"}) || !slices.Equal(second.closed, []any{"largest"}) {
		t.Errorf("closed %v and %v", first.closed, second.closed)
	}
	if sum := b.Stats().Used.Sum(); sum != 69*mib {
		t.Errorf("%d MiB are left", sum/mib)
	}
	if n := b.Stats().Closed; n != 2 {
		t.Errorf("counted %d", n)
	}
	if first.atLeasts[0] != leastHeld {
		t.Errorf("asked for %d bytes", first.atLeasts[0])
	}
}

// TestSharedNeedsMoreRounds: closing those that hold the same thing frees it with the last.
func TestSharedNeedsMoreRounds(t *testing.T) {
	b := newTest(100 * mib)
	c := &crowd{account: b.Account(Backlogs), shared: 30 * mib}
	for i := range 10 {
		c.holders = append(c.holders, Holder{30 * mib, 0, i})
	}
	b.Keep(&sharing{c})
	c.account.Add(30 * mib)
	b.Account(Rings).Add(60 * mib)
	b.Check(t.Context())
	if len(c.closed) != 10 || b.Stats().Used.Sum() != 60*mib {
		t.Errorf("closed %d, %d MiB are left", len(c.closed), b.Stats().Used.Sum()/mib)
	}
}

// sharing is a crowd whose holders all hold one thing.
type sharing struct{ *crowd }

func (s *sharing) Close(ctx context.Context, them []Holder) int {
	for i := range them {
		them[i].Bytes = 0
	}
	return s.crowd.Close(ctx, them)
}

// TestLeavingClosesNobodyElse: what those still have that were closed counts, but nobody is
// closed for it; beyond ResetAt they are ended.
func TestLeavingClosesNobodyElse(t *testing.T) {
	b := newTest(100 * mib)
	c := &crowd{account: b.Account(Kernel), leaves: 20 * mib, holders: []Holder{{20 * mib, 0, 1}, {19 * mib, 0, 2}}}
	c.account.Add(39 * mib)
	b.Keep(c)
	more := b.Account(API)
	more.Add(50 * mib)
	b.Check(t.Context())
	b.Check(t.Context())
	if len(c.closed) != 1 || c.resets != 0 {
		t.Fatalf("closed %v, %d resets", c.closed, c.resets)
	}
	more.Add(6 * mib) // 95 in all, of which 20 leave
	b.Check(t.Context())
	if c.resets != 1 || b.Stats().Used.Sum() != 75*mib {
		t.Errorf("%d resets, %d MiB are left", c.resets, b.Stats().Used.Sum()/mib)
	}
}

// TestNobodyIsClosedInVain: those who hold next to nothing of what is too much stay, also
// behind others that are closed.
func TestNobodyIsClosedInVain(t *testing.T) {
	b := newTest(100 * mib)
	rest := b.Account(Rings)
	c := &crowd{account: b.Account(Backlogs), holders: []Holder{{mib / 8, 0, "live"}, {mib / 16, 0, "live too"}}}
	b.Keep(c)
	rest.Add(89 * mib) // 19 too many
	b.Check(t.Context())
	if len(c.closed) > 0 {
		t.Errorf("closed %v", c.closed)
	}
	rest.Add(-5 * mib)
	c.account.Add(5 * mib)
	c.holders = append(c.holders, Holder{5 * mib, 0, "behind"})
	b.Check(t.Context())
	if !slices.Equal(c.closed, []any{"behind"}) {
		t.Errorf("closed %v", c.closed)
	}
}

// TestNoLimit: nothing is done without one, and nil counts nothing.
func TestNoLimit(t *testing.T) {
	b := newTest(0)
	c := &crowd{account: b.Account(Backlogs), holders: []Holder{{mib, 0, 1}}}
	b.Keep(c)
	c.account.Add(math.MaxInt64 / 2)
	b.Check(t.Context())
	if b.Refuses() || c.behinds > 0 || c.resets > 0 {
		t.Error("something was done without a limit")
	}
	var none *Budget
	none.Account(API).Add(5)
	none.Grown()
	none.Keep(c)
	if none.Refuses() || none.Limit() != 0 || none.Stats() != (Stats{}) || none.Account(API).Bytes() != 0 {
		t.Error("nil is something")
	}
}

// TestRunNotices: the guard looks when something has grown, without waiting for its clock,
// and a limit that is set anew holds at once.
func TestRunNotices(t *testing.T) {
	b := newTest(100 * mib)
	c := &crowd{account: b.Account(Backlogs)}
	b.Keep(c)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.Run(ctx) }()
	defer func() { cancel(); <-done }()
	a := b.Account(API)
	a.Add(90 * mib)
	wait.Until(t, "refusals", b.Refuses)
	b.SetLimit(200 * mib)
	wait.Until(t, "a larger limit", func() bool { return !b.Refuses() })
	a.Add(-90 * mib)
	b.SetLimit(50 * mib)
	wait.Until(t, "less in use", func() bool { return !b.Refuses() && b.Stats().Used.Sum() == 0 })
}

// TestBesideIsTheLeast: what collections find beside what is counted is the least of the
// last three, and a collection counts once.
func TestBesideIsTheLeast(t *testing.T) {
	h := &heap{}
	least := func() uint64 { return slices.Min(h.besides[:]) }
	for i, test := range []struct {
		cycle  uint64
		beside int64
		want   uint64
	}{{1, 10, 10}, {2, 50, 10}, {3, 40, 10}, {4, 60, 40}, {4, 5, 40}, {5, -7, 0}} {
		if h.note(test.cycle, test.beside); least() != test.want {
			t.Errorf("step %d: %d, want %d", i, least(), test.want)
		}
	}
}

// TestBesideIsMeasured: what nobody counts is found by the collector.
func TestBesideIsMeasured(t *testing.T) {
	h := &heap{}
	uncounted := make([]byte, 64*mib)
	for range 4 {
		debug.FreeOSMemory() // a collection
		if n := h.beside(0); n < 64*mib {
			t.Fatalf("%d bytes", n)
		}
		if n := h.beside(0); n > 256*mib {
			t.Fatalf("%d bytes", n)
		}
	}
	uncounted[0] = 1
	if h.runtime < 100<<10 {
		t.Errorf("the runtime has %d bytes for itself: is a metric missing?", h.runtime)
	}
}

// TestGoLimit: it leaves the kernel its part, and is nothing that the operator has set.
func TestGoLimit(t *testing.T) {
	for _, test := range []struct{ limit, kernel, want int64 }{
		{0, 0, math.MaxInt64},
		{200 * mib, 0, share(200*mib, ResetAt)},
		{200 * mib, 40 * mib, share(200*mib, ResetAt) - 40*mib},
		{200 * mib, 500 * mib, 50 * mib},
	} {
		if got := GoLimit(test.limit, test.kernel); got != test.want {
			t.Errorf("%d, %d: %d, want %d", test.limit, test.kernel, got, test.want)
		}
	}
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	set := func(own string, limit int64) int64 {
		t.Setenv("GOMEMLIMIT", own)
		b := newTest(limit)
		b.OwnGoLimit()
		b.Check(t.Context())
		return debug.SetMemoryLimit(-1)
	}
	if got := set("1GiB", 300*mib); got != before {
		t.Errorf("%d, though the operator has set it", got)
	}
	if got := set("", 300*mib); got != share(300*mib, ResetAt) {
		t.Errorf("%d", got)
	}
	if got := set("", 0); got != math.MaxInt64 {
		t.Errorf("%d without a limit", got)
	}
}

// TestWhatIsDoneIsLogged, with figures, and not for ever.
func TestWhatIsDoneIsLogged(t *testing.T) {
	var log strings.Builder
	b := New(100*mib, slog.New(slog.NewTextHandler(&log, nil)))
	b.beside = func(int64) int64 { return 0 }
	b.Account(API).Add(91 * mib)
	for range 1000 {
		b.Check(t.Context())
	}
	lines := strings.Count(log.String(), "short of memory: nothing new is let in")
	if lines == 0 || lines > 20 || !strings.Contains(log.String(), "limit=104857600") {
		t.Errorf("%d lines: %.300s", lines, log.String())
	}
}

// TestBytesAreNamed: each part has its name, in order.
func TestBytesAreNamed(t *testing.T) {
	var b Bytes
	for p := range parts {
		b[p] = uint64(p) + 1
	}
	for name, n := range b.All() {
		if want := Part(n - 1).String(); cmp.Compare(name, want) != 0 || name == "" {
			t.Errorf("%s, want %q", name, want)
		}
	}
	if b.Sum() != 55 || b.inGo() != 55-6-10 {
		t.Errorf("sum %d, in Go %d", b.Sum(), b.inGo())
	}
}
