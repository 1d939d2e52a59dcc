package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"groupcast/bench/internal/process"
)

var onReconnects = []*scenario{
	{
		name: "reconnects", bound: 2 * time.Minute, do: reconnects,
		does: "nodes' connections to NATS end at random, for --duration, while members come and go: nothing grows",
	},
}

// cutEvery is the mean time between two ends of one node's connection. A day in which each has one every twenty minutes
// has 72 of them, a minute of this 60.
const cutEvery = time.Second

func reconnects(ctx context.Context, r *run) error {
	var proxies []*proxy
	defer func() {
		for _, p := range proxies {
			p.stop()
		}
	}()
	p := plan{
		nats: 3,
		before: func(c *cluster) error {
			for _, s := range c.servers {
				p, err := startProxy(s.address)
				if err != nil {
					return err
				}
				proxies = append(proxies, p)
			}
			return nil
		},
		reach: func(i int) []string { return []string{proxies[i].address()} },
	}
	_, w, err := begin(ctx, r, p, load{churn: 2})
	if err != nil {
		return err
	}
	defer w.stop()
	pings(w.pingers)
	var first, last []held
	began := time.Now()
	for time.Since(began) < r.duration {
		if err := sleep(ctx, time.Duration(rand.ExpFloat64()*float64(cutEvery)/nodes)); err != nil {
			return err
		}
		proxies[rand.IntN(nodes)].cut()
		// A quarter of the time everything has been used once.
		if first == nil && time.Since(began) > r.duration/4 {
			if first, err = w.held(ctx); err != nil {
				return err
			}
		}
	}
	r.pinged(w)
	took, err := w.heal(ctx, 0, 1, 2)
	if err != nil {
		return err
	}
	cuts := int64(0)
	for _, p := range proxies {
		cuts += p.cuts.Load()
	}
	r.figure("%d connections to NATS ended; messages cross again %s behind the last", cuts, ms(took))
	r.check(cuts > 0, "no connection ended")
	if last, err = w.held(ctx); err != nil {
		return err
	}
	r.compared(first, last)
	v := w.settle()
	r.judged(v)
	r.toldNothing(w, "members of groups that did not cross", quiet)
	return nil
}

// held is what a process holds.
type held struct {
	name                    string
	resident                int
	descriptors, goroutines int
}

// held lets what was under way come to its end, and looks at all processes.
func (w *world) held(ctx context.Context) (all []held, err error) {
	if _, err := w.heal(ctx, 0, 1, 2); err != nil {
		return nil, err
	}
	for _, n := range w.nodes {
		h := held{name: n.name, goroutines: int(w.metric(ctx, n, "go_goroutines"))}
		h.look(n.PID())
		all = append(all, h)
	}
	for i, s := range w.servers {
		h := held{name: fmt.Sprintf("s%d", i)}
		h.look(s.PID())
		all = append(all, h)
	}
	return all, nil
}

func (h *held) look(pid int) {
	if list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); err == nil {
		h.descriptors = len(list)
	}
	h.resident = int(process.StatusBytes(pid, "VmRSS"))
}

// What a process may hold more than after the first quarter: connections of members and publishers come and go.
const (
	moreResident    = 48 << 20
	moreDescriptors = 24
	moreGoroutines  = 24
)

func (r *run) compared(first, last []held) {
	var most held
	natsResident := 0
	for i, now := range last {
		before := first[i]
		if i >= nodes {
			// It keeps what it knows of the last 10,000 connections that have ended, subscriptions included.
			natsResident = max(natsResident, now.resident-before.resident)
			now.resident = before.resident
		}
		r.check(now.resident <= before.resident+moreResident, "%s: %d MiB resident, %d after the first quarter", now.name,
			now.resident>>20, before.resident>>20)
		r.check(now.descriptors <= before.descriptors+moreDescriptors, "%s: %d descriptors, %d after the first quarter",
			now.name, now.descriptors, before.descriptors)
		r.check(now.goroutines <= before.goroutines+moreGoroutines, "%s: %d goroutines, %d after the first quarter",
			now.name, now.goroutines, before.goroutines)
		most.resident = max(most.resident, now.resident-before.resident)
		most.descriptors = max(most.descriptors, now.descriptors-before.descriptors)
		most.goroutines = max(most.goroutines, now.goroutines-before.goroutines)
	}
	r.figure("at most %d MiB, %d descriptors and %d goroutines more than after the first quarter, a NATS server %d MiB",
		most.resident>>20, most.descriptors, most.goroutines, natsResident>>20)
}
