package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

var onNodes = []*scenario{
	{
		name: "node-killed", bound: 90 * time.Second, do: nodeKilled,
		does: "kill -9 one of three nodes: the others notice nothing, it is counted out, and has its name at once again",
	},
	{
		name: "rolling", bound: 2 * time.Minute, do: rolling,
		does: "three nodes end gracefully and start again, one after the other, under clients that go to another node",
	},
	{
		name: "slow-node", bound: time.Minute, do: slowNode,
		does: "a node stands still for 6 s and is throttled then: the others notice nothing, and its members miss nothing",
	},
	{
		name: "slow-node-cut", bound: time.Minute, do: slowNodeCut,
		does: "a node stands still, and NATS ends its connection for that: its members are told what they missed",
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
	w.nodes[i].Kill()
}

func nodeKilled(ctx context.Context, r *run) error {
	_, w, err := begin(ctx, r, plan{nats: 3}, load{})
	if err != nil {
		return err
	}
	defer w.stop()
	if _, err := w.awaitTotal(ctx, wholeTotal, patience, 0, 1, 2); err != nil {
		return err
	}
	if err := w.traffic(ctx); err != nil {
		return err
	}

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
	p99, most := pings(w.pingers[:2])
	r.figure("survivors' ping p99 %s, at most %s", ms(p99), ms(most))
	v := w.settle()
	r.judged(v)
	r.figure("%d deliveries of what the dead had acknowledged were lost with it", v.withNode)
	r.toldNothing(w, "members", func(*session) bool { return true })
	return nil
}

// rolling ends and starts all nodes, twice.
func rolling(ctx context.Context, r *run) error {
	c, w, err := begin(ctx, r, plan{nats: 3}, load{follow: true, roam: func(i, n int) int { return (i + n) % nodes }})
	if err != nil {
		return err
	}
	defer w.stop()
	if err := w.traffic(ctx); err != nil {
		return err
	}
	var longest, back time.Duration
	for i := range 2 * nodes {
		n := c.nodes[i%nodes]
		began := time.Now()
		r.check(n.Stop(patience), "%s did not end within %v", n.name, patience)
		longest = max(longest, time.Since(began))
		r.check(n.Wait() == nil, "%s ended with %v", n.name, n.Wait())
		began = time.Now()
		if err := w.startNode(n.index); err != nil {
			return err
		}
		if err := w.awaitReady(ctx, n); err != nil {
			return err
		}
		back = max(back, time.Since(began))
		if _, err := w.awaitTotal(ctx, wholeTotal, patience, 0, 1, 2); err != nil {
			return err
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	r.figure("%d restarts, a node ended within %s and was ready within %s", 2*nodes, ms(longest), ms(back))
	v := w.settle()
	r.judged(v)
	_, sessions := w.book.all()
	r.figure("%d connections of %d members", len(sessions), len(w.members))
	r.toldNothing(w, "members", func(*session) bool { return true })
	return nil
}

// slowNode: what NATS has for a node meanwhile waits in the sockets.
func slowNode(ctx context.Context, r *run) error {
	c, w, err := begin(ctx, r, plan{nats: 3}, load{})
	if err != nil {
		return err
	}
	defer w.stop()
	if err := w.traffic(ctx); err != nil {
		return err
	}
	if err := w.stand(ctx, r, lease+time.Second); err != nil {
		return err
	}
	// A node that has a seventh of a processor.
	for range 60 {
		c.nodes[2].Signal(syscall.SIGSTOP)
		err := sleep(ctx, 60*time.Millisecond)
		c.nodes[2].Signal(syscall.SIGCONT)
		if err = errors.Join(err, sleep(ctx, 10*time.Millisecond)); err != nil {
			return err
		}
	}
	took, err := w.heal(ctx, 0, 1, 2)
	if err != nil {
		return err
	}
	r.figure("all caught up %s behind 4 s of throttling", ms(took))
	p99, most := pings(w.pingers[:2])
	r.figure("the others' ping p99 %s, at most %s", ms(p99), ms(most))
	r.check(p99 < pingBound, "pings of the others took %v (99 of 100)", p99)
	r.judged(w.settle())
	r.toldNothing(w, "members", func(*session) bool { return true })
	return nil
}

// stand has node 2 stand still for so long, and looks at what the others say of it.
func (w *world) stand(ctx context.Context, r *run, d time.Duration) error {
	n := w.nodes[2]
	began := time.Now()
	n.Signal(syscall.SIGSTOP)
	defer n.Signal(syscall.SIGCONT)
	_, silent, err := w.total(ctx, w.nodes[0], busy[0])
	r.check(err == nil && slices.Equal(silent, []string{n.name}), "at once: silent %q, %v; want %s", silent, err, n.name)
	gone, err := w.awaitTotal(ctx, wholeTotal-2, lease+3*time.Second, 0, 1)
	if err != nil {
		return err
	}
	r.figure("counted out after %s", ms(gone))
	if err := sleep(ctx, d-time.Since(began)); err != nil {
		return err
	}
	n.Signal(syscall.SIGCONT)
	began = time.Now()
	if _, err := w.awaitTotal(ctx, wholeTotal, patience, 0, 1, 2); err != nil {
		return err
	}
	r.figure("counted again %s after it goes on", ms(time.Since(began)))
	took, err := w.heal(ctx, 0, 1, 2)
	r.figure("messages cross again %s later", ms(took))
	return err
}

// slowNodeCut has NATS lose its patience at once, and so much to say that the sockets do not hold it.
func slowNodeCut(ctx context.Context, r *run) error {
	hasty := plan{nats: 3, config: "max_pending: 1MB\nwrite_deadline: \"1s\"\n"}
	_, w, err := begin(ctx, r, hasty, load{padding: 24 << 10})
	if err != nil {
		return err
	}
	defer w.stop()
	if err := w.traffic(ctx); err != nil {
		return err
	}
	if err := w.stand(ctx, r, lease+2*time.Second); err != nil {
		return err
	}
	p99, most := pings(w.pingers[:2])
	r.figure("the others' ping p99 %s, at most %s", ms(p99), ms(most))
	r.check(p99 < pingBound, "pings of the others took %v (99 of 100)", p99)
	v := w.settle()
	r.judged(v)
	r.check(v.missed > 0, "nothing was missed: NATS did not end the connection")
	r.toldNothing(w, "members of groups that did not cross", quiet)
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
