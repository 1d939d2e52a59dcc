package api

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestValidateLimits(t *testing.T) {
	if err := DefaultLimits().Validate(); err != nil {
		t.Error(err)
	}
	if err := (Limits{}).Validate(); err == nil || strings.Count(err.Error(), "wants") != 11 {
		t.Errorf("the zero value: %v", err)
	}
	for field, change := range map[string]func(*Limits){
		"MaxBatchBytes":  func(l *Limits) { l.MaxBatchBytes = l.MaxMessageBytes - 1 },
		"PublishTimeout": func(l *Limits) { l.PublishTimeout = maxTimeout + 1 },
		"QueryTimeout":   func(l *Limits) { l.QueryTimeout = minTimeout - 1 },
		"MaxInFlight":    func(l *Limits) { l.MaxInFlight = 0 },
		"MaxBatchItems":  func(l *Limits) { l.MaxBatchItems = -1 },
	} {
		l := DefaultLimits()
		change(&l)
		if err := l.Validate(); err == nil || !strings.HasPrefix(err.Error(), field+": wants") {
			t.Errorf("%s: %v", field, err)
		}
	}
	l := DefaultLimits()
	l.MaxBatchBytes = l.MaxMessageBytes
	l.PublishTimeout, l.QueryTimeout = maxTimeout, minTimeout
	if err := l.Validate(); err != nil {
		t.Errorf("at the edges: %v", err)
	}
	if WriteTimeout := DefaultServerOptions().WriteTimeout; WriteTimeout <= maxTimeout {
		t.Errorf("a request may take %s, its answer must be written after %s", maxTimeout, WriteTimeout)
	}
}

func TestNewWantsItsOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"engine":  {Monitor: &still{}, Limits: DefaultLimits()},
		"monitor": {Engine: &fake{}, Limits: DefaultLimits()},
		"limits":  {Engine: &fake{}, Monitor: &still{}},
		"tokens":  {Engine: &fake{}, Monitor: &still{}, Limits: DefaultLimits(), Tokens: []string{""}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Limits can be changed while requests are served.
func TestSetLimits(t *testing.T) {
	a := fakeAPI(t, &fake{}, nil)
	h := a.Handler(false)
	ask(t, h, request("POST", "/v1/groups/g/messages", "12345")).want(202)
	l := DefaultLimits()
	l.MaxMessageBytes = 4
	if err := a.SetLimits(l); err != nil {
		t.Fatal(err)
	}
	ask(t, h, request("POST", "/v1/groups/g/messages", "12345")).wantCode(413, codeTooLarge)
	ask(t, h, request("POST", "/v1/groups/g/messages", "1234")).want(202)
	l.MaxMessageBytes = 0
	if err := a.SetLimits(l); err == nil {
		t.Error("no error")
	}
	ask(t, h, request("POST", "/v1/groups/g/messages", "1234")).want(202)
}

// The gate lets in as many as it should, forgets those who gave up, and nobody
// waits for ever.
func TestListingGate(t *testing.T) {
	const visitors = 200
	g := newListingGate()
	g.setLimit(3)
	var inside, most atomic.Int64
	var all sync.WaitGroup
	var gaveUp atomic.Int64
	for i := range visitors {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			if i%3 == 0 {
				cancel() // gives up at once
			}
			defer cancel()
			if err := g.enter(ctx); err != nil {
				gaveUp.Add(1)
				return
			}
			n := inside.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			<-time.After(time.Microsecond)
			inside.Add(-1)
			g.leave()
		})
	}
	all.Wait()
	if most.Load() > 3 || most.Load() == 0 {
		t.Errorf("%d were inside at one time", most.Load())
	}
	if gaveUp.Load() > visitors/3+1 {
		t.Errorf("%d gave up", gaveUp.Load())
	}
	if g.inside != 0 || len(g.waiting) != 0 {
		t.Errorf("%d inside, %d waiting", g.inside, len(g.waiting))
	}
	g.setLimit(1)
	if err := g.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- g.enter(t.Context()) }()
	waitFor(t, "one waits", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.waiting) == 1
	})
	g.setLimit(2)
	if err := <-waiting; err != nil {
		t.Error(err)
	}
}
