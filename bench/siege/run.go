package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// siege is one run.
type siege struct {
	program    string
	duration   time.Duration // calm and siege together
	attacks    []attack
	population population
	old        bool // the server knows no TLS
	say        func(format string, args ...any)
}

// calmShare is the part of the time that is calm.
const calmShare = 4

// run goes through the phases. What it started is gone when it returns.
func (c *siege) run(ctx context.Context) (o outcome, err error) {
	dir, err := os.MkdirTemp("", "siege-")
	if err != nil {
		return o, err
	}
	s, err := startServer(ctx, c.program, dir, c.old)
	if err != nil {
		return o, fmt.Errorf("%w (see %s)", err, dir)
	}
	defer func() {
		s.stop()
		if err == nil && o.Gone == nil {
			_ = os.RemoveAll(dir)
		}
	}()
	witnesses, err := newWitnesses(s)
	if err != nil {
		return o, err
	}
	l, err := startLive(ctx, s, c.population)
	if err != nil {
		l.finish()
		return o, err
	}
	watching, stopWatching := context.WithCancel(ctx)
	var watched sync.WaitGroup
	watched.Go(func() { watch(watching, witnesses) })
	err = c.phases(ctx, s, l, &o)
	stopWatching()
	watched.Wait()
	o.Live = l.finish()
	for _, w := range witnesses {
		o.Witnesses = append(o.Witnesses, w.witnessed)
		if w.leave != nil {
			w.leave()
		}
	}
	o.Gone = s.gone()
	return o, err
}

// phases are calm, siege, settling and the last look.
func (c *siege) phases(ctx context.Context, s *server, l *live, o *outcome) error {
	calm := c.duration / calmShare
	c.say("calm: %d sessions for %v", c.population.sessions, calm)
	if !wait(ctx, min(calm/4, 2*time.Second)) { // connections, caches and pools warm up
		return ctx.Err()
	}
	l.newPhase()
	cpu := c.meter(s)
	if !wait(ctx, calm) {
		return ctx.Err()
	}
	o.Calm, o.CalmCPU = l.newPhase(), cpu()
	var err error
	if o.Before, err = s.read(ctx); err != nil {
		return fmt.Errorf("before the siege: %w", err)
	}
	before, err := s.metrics(ctx)
	if err != nil {
		return fmt.Errorf("before the siege: %w", err)
	}
	l.newPhase() // forced collections are no part of either
	if err := c.besiege(ctx, s, l, o, before); err != nil {
		return err
	}
	c.settle(ctx, s, o, before)
	if o.After, err = s.read(ctx); err != nil && s.gone() == nil {
		return fmt.Errorf("after the siege: %w", err)
	}
	return nil
}

func (c *siege) besiege(ctx context.Context, s *server, l *live, o *outcome, before metrics) error {
	length := c.duration - c.duration/calmShare
	c.say("siege: %d attacks at once for %v", len(c.attacks), length)
	cpu, logged, began := c.meter(s), s.logBytes(), time.Now()
	attackers, err := startAttackers(c.attacks, s.target)
	if err != nil {
		return err
	}
	for over := time.After(length); ; {
		more := true
		select {
		case <-ctx.Done():
			more = false
		case <-s.ended:
			more = false
		case <-over:
			more = false
		case <-time.After(250 * time.Millisecond):
		}
		o.PeakRSS = max(o.PeakRSS, statusBytes(s.pid(), "VmRSS:"))
		if !more {
			break
		}
	}
	o.Siege, o.SiegeCPU, o.SiegeSeconds = l.newPhase(), cpu(), time.Since(began).Seconds()
	o.LogRate = float64(s.logBytes()-logged) / o.SiegeSeconds
	stopAttackers(attackers)
	after, _ := s.metrics(ctx) // a server that is gone has none
	for _, p := range attackers {
		o.AttackCPU += p.cpu.Seconds() / o.SiegeSeconds
		o.Attacks = append(o.Attacks, attacked{
			Name: p.attack.name, Counts: p.counts, Err: p.err,
			Missing: p.attack.unproven(p.counts, before, after, c.old),
		})
	}
	return ctx.Err()
}

// meter returns what tells how many processors the server has used since.
func (c *siege) meter(s *server) func() float64 {
	began, used := time.Now(), processTime(s.pid())
	return func() float64 { return (processTime(s.pid()) - used).Seconds() / time.Since(began).Seconds() }
}

// gauges are what goes back to what it was when the attackers are gone.
var gauges = []string{
	"groupcast_connections", "groupcast_handshakes", "groupcast_backlog_bytes", "groupcast_road_connections",
	"groupcast_channel_connections", "groupcast_channel_partial_frame_bytes", "groupcast_channel_send_queue_bytes",
	"groupcast_channel_queues", "groupcast_groups",
}

// settleWithin is more than what a server gives those who are slow to go, and than a queue's age here.
const settleWithin = 45 * time.Second

// settle waits until the server has let go of everything.
func (c *siege) settle(ctx context.Context, s *server, o *outcome, before metrics) {
	c.say("settle")
	for deadline := time.Now().Add(settleWithin); ; {
		now, err := s.metrics(ctx)
		if o.Remaining = ""; err != nil {
			o.Remaining = fmt.Sprintf("its metrics back: %v", err)
		}
		var more []string
		for _, name := range gauges {
			if now[name] > before[name] {
				more = append(more, fmt.Sprintf("%s %.0f (was %.0f)", name, now[name], before[name]))
			}
		}
		if len(more) > 0 {
			o.Remaining = strings.Join(more, ", ")
		}
		if o.Remaining == "" || s.gone() != nil || time.Now().After(deadline) || !wait(ctx, 500*time.Millisecond) {
			return
		}
	}
}
