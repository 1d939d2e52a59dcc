package door

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

func rateLimit(t *testing.T, o RateOptions) *RateLimit {
	t.Helper()
	r, err := NewRateLimit(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// atOnce is how often a may at the time now, tried n times.
func atOnce(r *RateLimit, a string, now time.Time, n int) (allowed int) {
	for range n {
		if r.Allow(netip.MustParseAddr(a), now) {
			allowed++
		}
	}
	return allowed
}

func TestRateLimit(t *testing.T) {
	now := time.Now()
	r := rateLimit(t, RateOptions{PerAddress: 2, PerAddressBurst: 5, InAll: 100, InAllBurst: 12})
	if got := atOnce(r, "192.0.2.1", now, 100); got != 5 {
		t.Errorf("a burst: %d", got)
	}
	if got := atOnce(r, "::ffff:192.0.2.1", now, 1); got != 0 {
		t.Error("the same address as IPv6 is another one")
	}
	if got := atOnce(r, "2001:db8::1", now, 3) + atOnce(r, "2001:db8::ffff:2", now, 9); got != 5 {
		t.Errorf("one network: %d", got)
	}
	// What the addresses had too much has taken nothing of the limit in all.
	if got := atOnce(r, "192.0.2.3", now, 9); got != 2 {
		t.Errorf("in all: %d, want 2", got)
	}
	if got := atOnce(r, "192.0.2.1", now.Add(time.Second), 9); got != 2 {
		t.Errorf("a second later: %d", got)
	}
	want := RateCounters{Allowed: 14, RefusedByAddress: 95 + 1 + 7 + 4 + 7, RefusedInAll: 3, Addresses: 3}
	if got := r.Counters(); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// What is given back can be taken again, and never makes more than a burst.
func TestRateLimitGivesBack(t *testing.T) {
	now, a := time.Now(), netip.MustParseAddr("192.0.2.1")
	r := rateLimit(t, RateOptions{PerAddress: 0.001, PerAddressBurst: 2, InAll: 0.001, InAllBurst: 3})
	for range 10 {
		if !r.Allow(a, now) || r.Exhausted(a, now) {
			t.Fatal("not allowed")
		}
		r.GiveBack(a, now.Add(time.Second))
	}
	r.GiveBack(a, now)
	if got := atOnce(r, "192.0.2.1", now.Add(time.Second), 9); got != 2 {
		t.Errorf("%d at once", got)
	}
	if got := atOnce(r, "192.0.2.2", now.Add(time.Second), 9); got != 1 {
		t.Errorf("%d of what is left in all", got)
	}
	// Without limits it is nothing.
	r = rateLimit(t, RateOptions{})
	r.GiveBack(a, now)
	r.GiveBack(netip.Addr{}, now)
}

func TestRateLimitOfUnixSockets(t *testing.T) {
	r := rateLimit(t, RateOptions{PerAddress: 1, PerAddressBurst: 1, InAll: 1, InAllBurst: 3})
	now, allowed := time.Now(), 0
	for range 9 {
		if r.Allow(netip.Addr{}, now) {
			allowed++
		}
	}
	if allowed != 3 {
		t.Errorf("%d allowed", allowed)
	}
}

// However many addresses come, it remembers a bounded number. One that comes all the time is
// never forgotten.
func TestRateLimitIsBounded(t *testing.T) {
	now := time.Now()
	const most = 100
	r := rateLimit(t, RateOptions{PerAddress: 1, PerAddressBurst: 10, MaxAddresses: most})
	regular, allowed := netip.MustParseAddr("192.0.2.1"), 0
	for i := range 10_000 {
		r.Allow(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), now)
		if r.Allow(regular, now) {
			allowed++
		}
		if got := r.Counters().Addresses; got > most {
			t.Fatalf("%d addresses", got)
		}
	}
	if allowed != 10 {
		t.Errorf("the regular was allowed %d times", allowed)
	}
	// After a while without them they are gone.
	for i := range 5 {
		r.Allow(regular, now.Add(time.Duration(i+1)*15*time.Second))
	}
	if got := r.Counters().Addresses; got != 1 {
		t.Errorf("%d addresses are left", got)
	}
}

// Forgetting changes nothing for as long as there is room: a bucket for ever each is the
// oracle.
func TestRateLimitForgetsWithoutLoss(t *testing.T) {
	r := rateLimit(t, RateOptions{PerAddress: 3, PerAddressBurst: 7, MaxAddresses: 1000})
	type bucket struct {
		tokens float64
		at     time.Time
	}
	now, all := time.Now(), map[netip.Addr]*bucket{}
	for range 20_000 {
		now = now.Add(time.Duration(rand.Int64N(int64(20 * time.Millisecond))))
		if rand.IntN(100) == 0 {
			now = now.Add(time.Duration(rand.Int64N(int64(6 * time.Second))))
		}
		a := netip.AddrFrom4([4]byte{10, 0, 0, byte(rand.IntN(20))})
		b := all[a]
		if b == nil {
			b = &bucket{7, now}
			all[a] = b
		}
		b.tokens, b.at = math.Min(7, b.tokens+3*now.Sub(b.at).Seconds()), now
		if math.Abs(b.tokens-1) < 1e-6 {
			continue // rounding decides
		}
		want := b.tokens >= 1
		if want {
			b.tokens--
		}
		if got := r.Allow(a, now); got != want {
			t.Fatalf("%v with %v tokens: %v", a, b.tokens, got)
		}
	}
}

func TestRateLimitRace(t *testing.T) {
	r := rateLimit(t, RateOptions{PerAddress: 0.001, PerAddressBurst: 100, InAll: 1e6, InAllBurst: 1e6})
	var all sync.WaitGroup
	now := time.Now()
	for range 8 {
		all.Go(func() { atOnce(r, "192.0.2.1", now, 1000); _ = r.Counters() })
	}
	all.Wait()
	if got := r.Counters().Allowed; got != 100 {
		t.Errorf("%d allowed", got)
	}
}

func TestRateOptionErrors(t *testing.T) {
	for text, o := range map[string]RateOptions{
		"at least 0 a second":  {PerAddress: -1},
		"got NaN":              {PerAddress: math.NaN()},
		"a burst of at least":  {PerAddress: 1},
		"a burst of at least ": {InAll: 1},
		"1 to 128 bits":        {IPv6Bits: 129},
		"at least 2 addresses": {MaxAddresses: 1},
	} {
		if _, err := NewRateLimit(o); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	// No limits at all.
	if got := atOnce(rateLimit(t, RateOptions{}), "192.0.2.1", time.Now(), 1000); got != 1000 {
		t.Errorf("without limits: %d", got)
	}
}
