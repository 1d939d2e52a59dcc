package main

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// onBus are all servers of NATS away, in two ways, for each --nats-down.
var onBus = awayScenarios()

func awayScenarios() (all []*scenario) {
	for _, way := range []string{"killed", "stopped"} {
		for _, down := range []string{"buffer", "local", "refuse"} {
			all = append(all, &scenario{
				name: "bus-" + way + "-" + down, bound: 90 * time.Second,
				do:   func(ctx context.Context, r *run) error { return busAway(ctx, r, way == "stopped", down) },
				does: "all NATS servers are " + way + " for a while, with --nats-down " + down,
			})
		}
	}
	return all
}

// busAway: one server that is stopped, or three that are killed.
func busAway(ctx context.Context, r *run, stopped bool, down string) error {
	p := plan{nats: 3, extra: func(int) []string { return []string{"--nats-down", down} }}
	if stopped {
		p.nats = 1
	}
	c, w, err := begin(ctx, r, p, load{})
	if err != nil {
		return err
	}
	defer w.stop()
	if err := w.traffic(ctx); err != nil {
		return err
	}
	began := w.book.now()
	for _, s := range c.servers {
		if stopped {
			s.Signal(syscall.SIGSTOP)
		} else {
			s.Kill()
		}
	}
	if err := sleep(ctx, r.outage); err != nil {
		return err
	}
	ended := w.book.now()
	r.pinged(w)
	own, others := w.book.came(began+r.outage/2, ended, func(*session) bool { return true })
	refusals := w.refusals()
	r.figure("%d came from the own node in the second half, %d from others", own, others)
	r.check(others == 0, "%d messages crossed without NATS", others)
	if down == "refuse" {
		r.figure("%d refused", refusals)
		r.check(refusals > 0, "nothing was refused")
		r.check(own == 0, "%d messages were delivered although the bus is away and they are to be refused", own)
	} else {
		// Publishers of a group's own node, once each 40 ms; half of that is a lot less than a loop that stands.
		want := int(r.outage/2/(40*time.Millisecond)) * nodes * (2*2*2 + 2) / 2
		r.check(own >= want, "%d messages of their own nodes came, want %d at least", own, want)
		r.check(refusals == 0, "%d were refused", refusals)
	}
	took, err := w.serversBack(ctx, func() (err error) {
		for i, s := range c.servers {
			if stopped {
				s.Signal(syscall.SIGCONT)
			} else {
				err = errors.Join(err, c.startServer(i))
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	r.figure("messages cross again %s after NATS accepts", ms(took))
	r.check(took < healBound, "healed only after %v", took)
	v := w.settle()
	r.judged(v)
	if down == "local" {
		r.check(v.missed > 0, "nothing was missed: the fault did not bite")
	}
	r.toldNothing(w, "members of groups that did not cross", quiet)
	return nil
}

// refusals is how many publications were answered so.
func (w *world) refusals() (n int) {
	streams, _ := w.book.all()
	for _, s := range streams {
		n += s.count(refused)
	}
	return n
}
