package main

import (
	"context"
	"slices"
	"time"
)

// scenario is one fault, or several of a kind, in a cluster of its own.
type scenario struct {
	name  string
	does  string        // for people
	bound time.Duration // all of it, beside --duration
	do    func(context.Context, *run) error
}

var scenarios = slices.Concat(onNodes, onServers, onBus, onPartition, onReconnects)

func find(name string) *scenario {
	for _, s := range scenarios {
		if s.name == name {
			return s
		}
	}
	return nil
}

// judged puts a verdict's figures and findings into the run's.
func (r *run) judged(v verdict) {
	r.figure("%d messages came, %d were missed and told (%d notices, %d closes)", v.received, v.missed, v.gaps, v.closed)
	r.findings = append(r.findings, v.findings...)
	r.check(v.received > 0, "nothing came at all")
}

// toldNothing checks that these sessions were told of no loss.
func (r *run) toldNothing(w *world, whose string, of func(*session) bool) {
	gaps, closed := w.book.told(of)
	r.check(gaps == 0 && closed == 0, "%s had %d notices and %d closes with 1013, although they can have missed nothing",
		whose, gaps, closed)
}

// wholeTotal is how many members a busy group has.
const wholeTotal = 2 * nodes

// awaitTotal waits until these nodes count so many members in the cluster, and nobody is silent.
func (w *world) awaitTotal(ctx context.Context, want int, within time.Duration, at ...int) (time.Duration, error) {
	began := time.Now()
	var last string
	for _, i := range at {
		err := await(ctx, "the members are counted", within, func() bool {
			total, silent, err := w.total(ctx, w.nodes[i], busy[0])
			last = w.nodes[i].name + ": " + describe(total, silent, err)
			return err == nil && total == want && len(silent) == 0
		})
		if err != nil {
			return time.Since(began), describeError(err, last)
		}
	}
	return time.Since(began), nil
}
