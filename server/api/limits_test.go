package api

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"groupcast/loop"
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

// TestContract: the limits in force are those that the contract and the README write.
func TestContract(t *testing.T) {
	l, o := DefaultLimits(), DefaultServerOptions()
	rows := map[string]string{
		"body of a message": "that of a message, " + kib(l.MaxMessageBytes),
		"items of a batch":  grouped(l.MaxBatchItems),
		"name of a user":    strconv.Itoa(loop.MaxUserBytes) + " bytes",
		"groups, users, and excluded sessions, of an item": grouped(loop.MaxPublicationGroups) + " each",
		"entries of a page":        grouped(maxPageEntries),
		"request line and headers": kib(o.MaxHeaderBytes) + " (and 4 that net/http adds)",
		"time for the head / the whole request / the answer / until the next request": fmt.Sprintf("%.0f s / %.0f s / "+
			"%.0f s / %.0f s",
			o.ReadHeaderTimeout.Seconds(), o.ReadTimeout.Seconds(), o.WriteTimeout.Seconds(), o.IdleTimeout.Seconds()),
		"waiting for room in the ring, a whole batch together": fmt.Sprintf("%.0f s",
			l.PublishTimeout.Seconds()),
		"waiting for the loops' answers": fmt.Sprintf("%.0f s",
			l.QueryTimeout.Seconds()),
		"requests being worked on; what wants no token, and metrics, left out": grouped(l.MaxInFlight),
		"answers to `/metrics` being made":                                     grouped(l.MaxScrapes),
		"listings being made":                                                  grouped(l.MaxListings),
		"connections, of all listeners together; " +
			"less where the process may have fewer than 8,192 files open, see below": grouped(l.MaxConns),
		"connections beyond these, each for one request about health or " +
			"metrics": grouped(ReservedConns),
		"connections of one address (IPv6: of one /64) that have shown no token, where tokens " +
			"are wanted": "a quarter of the connections",
		"tokens / bytes of one": grouped(MaxTokens) + " / " + grouped(MaxTokenBytes),
		"body of `/v1/publish`": kib(l.MaxBatchBytes) + ", or twice a message where that is more",
	}
	groups, users, excludes := loop.MaxPublicationGroups, loop.MaxPublicationUsers, loop.MaxPublicationExcludes
	if groups != excludes || users != excludes || strangersShare != 4 {
		t.Error("the contract has one number for groups, users and excluded sessions, and a quarter for strangers")
	}
	contract, err := os.ReadFile("../../protocol/WIRE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(contract),
		"### Limits of the API\n\n| limit | default | at the limit |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		want, ok := rows[cells[0]]
		if len(cells) != 3 || !ok || cells[1] != want {
			t.Errorf("WIRE.md: %q, want %q", cells, want)
		}
		delete(rows, cells[0])
	}
	if len(rows) > 0 {
		t.Errorf("WIRE.md has nothing about %q", rows)
	}
}

// kib writes a size as people do.
func kib(n int) string {
	if n >= 1<<20 {
		return strconv.Itoa(n>>20) + " MiB"
	}
	return strconv.Itoa(n>>10) + " KiB"
}

// grouped writes a number with a comma before the last three digits.
func grouped(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
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
