package api

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Limits bound what requests may cost. Every field has a unit in its name or
// its comment; start from DefaultLimits.
type Limits struct {
	// MaxConns bounds the connections of all listeners together, but for ReservedConns.
	MaxConns int
	// MaxMessageBytes bounds the body of a single message; the engine's option of
	// the same name.
	MaxMessageBytes int
	// MaxBatchBytes bounds the body of POST /v1/publish, as JSON.
	MaxBatchBytes int
	// MaxBatchItems bounds the items of one batch.
	MaxBatchItems int
	// MaxInFlight bounds the requests being worked on at one time, since each of
	// them may wait for room; what wants no token is not counted, nor are metrics.
	MaxInFlight int
	// MaxScrapes bounds the answers of /metrics being made at one time.
	MaxScrapes int
	// MaxListings bounds the listings being made at one time: each of groups looks
	// at every group there is. Further ones wait for QueryTimeout.
	MaxListings int
	// PublishTimeout is how long a request may wait for room in the ring, a whole
	// batch included.
	PublishTimeout time.Duration
	// QueryTimeout is how long a request may wait for answers of the loops.
	QueryTimeout time.Duration
	// StallAfter is a loop's silence after which the server is not ready.
	StallAfter time.Duration
	// MaxSampleAge is the age of the monitor's sample after which the server is not
	// ready.
	MaxSampleAge time.Duration
}

// DefaultLimits fit the defaults of loop.Options.
func DefaultLimits() Limits {
	return Limits{
		MaxConns:        1024,
		MaxMessageBytes: 64 << 10,
		MaxBatchBytes:   1 << 20,
		MaxBatchItems:   1000,
		MaxInFlight:     256,
		MaxScrapes:      4,
		MaxListings:     4,
		PublishTimeout:  2 * time.Second,
		QueryTimeout:    5 * time.Second,
		StallAfter:      5 * time.Second,
		MaxSampleAge:    10 * time.Second,
	}
}

// Validate reports every limit that is out of range or cannot live with
// another, joined.
func (l Limits) Validate() error {
	var errs []error
	between := func(v, low, high int, field string) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("%s: wants %d to %d, got %d", field, low, high, v))
		}
	}
	within := func(v time.Duration, field string) {
		if v < minTimeout || v > maxTimeout {
			errs = append(errs, fmt.Errorf("%s: wants %s to %s, got %s", field, minTimeout, maxTimeout, v))
		}
	}
	const gib = 1 << 30
	between(l.MaxConns, 1, 1<<20, "MaxConns")
	between(l.MaxMessageBytes, 1, gib, "MaxMessageBytes")
	between(l.MaxBatchBytes, 1, gib, "MaxBatchBytes")
	between(l.MaxBatchItems, 1, 1<<20, "MaxBatchItems")
	between(l.MaxInFlight, 1, 1<<20, "MaxInFlight")
	between(l.MaxScrapes, 1, 1<<20, "MaxScrapes")
	between(l.MaxListings, 1, 1<<20, "MaxListings")
	within(l.PublishTimeout, "PublishTimeout")
	within(l.QueryTimeout, "QueryTimeout")
	within(l.StallAfter, "StallAfter")
	within(l.MaxSampleAge, "MaxSampleAge")
	if len(errs) == 0 && l.MaxBatchBytes < l.MaxMessageBytes {
		errs = append(errs, fmt.Errorf("MaxBatchBytes: wants at least MaxMessageBytes (%d), got %d", l.MaxMessageBytes,
			l.MaxBatchBytes))
	}
	return errors.Join(errs...)
}

// maxTimeout leaves DefaultServerOptions' WriteTimeout time for the answer.
const (
	minTimeout = 10 * time.Millisecond
	maxTimeout = 30 * time.Second
)

// Limits are those in force.
func (a *API) Limits() Limits { return *a.limits.Load() }

// SetLimits puts other limits in force, for requests that come in from now on.
// After an error the old ones stay.
func (a *API) SetLimits(l Limits) error {
	if err := l.Validate(); err != nil {
		return fmt.Errorf("api limits: %w", err)
	}
	a.limits.Store(&l)
	a.listings.setLimit(l.MaxListings)
	a.conns.setLimit(l.MaxConns)
	return nil
}

// gauge counts what is there at a time, up to a limit.
type gauge struct{ n atomic.Int64 }

func (g *gauge) enter(limit int) bool {
	if g.n.Add(1) > int64(limit) {
		g.n.Add(-1)
		return false
	}
	return true
}

func (g *gauge) leave() { g.n.Add(-1) }

func (g *gauge) now() int { return int(g.n.Load()) }

// listingGate lets a number of listings through at a time, the others in their
// order. It is a semaphore whose size can change.
type listingGate struct {
	mu      sync.Mutex // guards what follows
	limit   int
	inside  int
	waiting []chan struct{}
}

func newListingGate() *listingGate { return &listingGate{limit: 1} }

func (g *listingGate) setLimit(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit = n
	g.admit()
}

// enter waits until there is room or ctx ends.
func (g *listingGate) enter(ctx context.Context) error {
	g.mu.Lock()
	ticket := make(chan struct{})
	g.waiting = append(g.waiting, ticket)
	g.admit()
	g.mu.Unlock()
	select {
	case <-ticket:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.waiting {
		if other == ticket {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return ctx.Err()
		}
	}
	return nil // admitted in the same moment
}

func (g *listingGate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.admit()
}

func (g *listingGate) admit() {
	for g.inside < g.limit && len(g.waiting) > 0 {
		close(g.waiting[0])
		g.waiting = g.waiting[1:]
		g.inside++
	}
}
