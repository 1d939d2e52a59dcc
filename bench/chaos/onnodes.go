package main

import (
	"context"
	"fmt"
	"time"
)

var onNodes = []*scenario{
	{
		name: "node-killed", bound: 90 * time.Second, do: nodeKilled,
		does: "kill -9 one of three nodes: the others notice nothing; it is counted out; started again it has its name at once",
	},
}

// lease is the default of --nats-lease.
const lease = 5 * time.Second

func describe(total int, silent []string, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d members, silent %q", total, silent)
}

func describeError(err error, last string) error { return fmt.Errorf("%w: %s", err, last) }

// killNode ends a node in the middle of what it does.
func (w *world) killNode(i int) {
	life := int(w.nodes[i].life.Load())
	streams, _ := w.book.all()
	for _, s := range streams { // before: what is judged meanwhile knows of it
		if s.life == life {
			s.mu.Lock()
			s.killed = true
			s.mu.Unlock()
		}
	}
	w.nodes[i].kill()
}

func nodeKilled(ctx context.Context, r *run) error {
	c, err := startCluster(ctx, r, plan{nats: 3})
	if err != nil {
		return err
	}
	w, err := startWorld(ctx, c, load{})
	if err != nil {
		return err
	}
	defer w.stop()
	if _, err := w.awaitTotal(ctx, wholeTotal, patience, 0, 1, 2); err != nil {
		return err
	}
	if err := sleep(ctx, 2*time.Second); err != nil {
		return err
	}
	pings(w.pingers)

	// Started again at once.
	w.killNode(2)
	again := time.Now()
	if err := w.startNode(2); err != nil {
		return err
	}
	if err := w.awaitReady(ctx, w.nodes[2]); err != nil {
		return err
	}
	ready := time.Since(again)
	r.figure("ready again %s after kill and start", ms(ready))
	r.check(ready < lease/2, "a node that was killed and started was ready only after %v", ready)
	if _, err := w.awaitTotal(ctx, wholeTotal, patience, 0, 1, 2); err != nil {
		return err
	}
	r.figure("all members back after %s", ms(time.Since(again)))
	if _, err := w.heal(ctx, 0, 1, 2); err != nil {
		return err
	}

	// Left dead until it is counted out.
	w.killNode(2)
	gone, err := w.awaitTotal(ctx, wholeTotal-2, lease+3*time.Second, 0, 1)
	if err != nil {
		return err
	}
	r.figure("counted out after %s", ms(gone))
	if _, err := w.heal(ctx, 0, 1); err != nil {
		return err
	}
	if err := w.startNode(2); err != nil {
		return err
	}
	if _, err := w.awaitTotal(ctx, wholeTotal, patience, 0, 1, 2); err != nil {
		return err
	}
	if _, err := w.heal(ctx, 0, 1, 2); err != nil {
		return err
	}
	_, p99, most := pings(w.pingers[:2])
	r.figure("survivors' ping p99 %s, at most %s", ms(p99), ms(most))
	v := w.settle()
	r.judged(v)
	r.figure("%d deliveries of what the dead had acknowledged were lost with it", v.withNode)
	r.toldNothing(w, "members", func(*session) bool { return true })
	return nil
}

// ms is a time as people read it.
func ms(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
