package main

import (
	"context"
	"time"
)

var onServers = []*scenario{
	{
		name: "nats-one", bound: time.Minute,
		do:   func(ctx context.Context, r *run) error { return serverKilled(ctx, r, false) },
		does: "one of three NATS servers is killed, whose node knows no other: it serves its own, and comes back with it",
	},
	{
		name: "nats-several", bound: time.Minute,
		do:   func(ctx context.Context, r *run) error { return serverKilled(ctx, r, true) },
		does: "one of three NATS servers is killed, and the nodes know all of them: theirs go over to another",
	},
}

func serverKilled(ctx context.Context, r *run, several bool) error {
	p := plan{nats: 3}
	var c *cluster
	if several {
		p.before = func(now *cluster) error { c = now; return nil }
		p.reach = func(i int) []string {
			var all []string
			for k := range c.servers {
				all = append(all, c.servers[(i+k)%len(c.servers)].address)
			}
			return all
		}
	}
	c, w, err := begin(ctx, r, p, load{})
	if err != nil {
		return err
	}
	defer w.stop()
	if err := w.traffic(ctx); err != nil {
		return err
	}
	for i := range c.servers {
		if i > 0 && !several {
			break
		}
		c.servers[i].Kill()
		began := time.Now()
		if several {
			took, err := w.heal(ctx, 0, 1, 2)
			if err != nil {
				return err
			}
			r.figure("without s%d messages cross again after %s", i, ms(took))
			r.check(took < healBound, "the nodes went over to another server only after %v", took)
		} else if _, err := w.heal(ctx, 1, 2); err != nil {
			return err
		}
		if err := sleep(ctx, 3*time.Second-time.Since(began)); err != nil {
			return err
		}
		took, err := w.serversBack(ctx, func() error { return c.startServer(i) })
		if err != nil {
			return err
		}
		if !several {
			r.figure("messages cross again %s after the server is back", ms(took))
			r.check(took < healBound, "healed only after %v", took)
		}
	}
	r.pinged(w)
	r.judged(w.settle())
	r.toldNothing(w, "members of groups that did not cross", quiet)
	return nil
}

// healBound is how long it may take, on a busy machine, until messages cross again: the others are waited for up to
// 1.5 s, and attempts to connect are up to half a second apart.
const healBound = 6 * time.Second

// pingBound is for the time in which 99 of 100 pings are answered, on a busy machine.
const pingBound = 500 * time.Millisecond

// pinged judges the event loops since the last look at them.
func (r *run) pinged(w *world) {
	p99, most := pings(w.pingers)
	r.figure("ping p99 %s, at most %s", ms(p99), ms(most))
	r.check(p99 < pingBound, "pings took %v (99 of 100)", p99)
}

// serversBack has NATS servers come back, and says how long behind their first greeting messages cross again.
func (w *world) serversBack(ctx context.Context, back func() error) (time.Duration, error) {
	if err := back(); err != nil {
		return 0, err
	}
	for _, s := range w.servers {
		if err := s.awaitGreeting(ctx); err != nil {
			return 0, err
		}
	}
	return w.heal(ctx, 0, 1, 2)
}
