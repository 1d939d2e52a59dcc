package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"groupcast/bench/internal/process"
)

// siege is one run.
type siege struct {
	program    string
	duration   time.Duration // rehearsal, calm and siege together
	attacks    []attack
	population population
	old        bool // the server knows no TLS
	untimed    bool // latencies are not judged
	say        func(format string, args ...any)
}

// The parts of the time that are calm, and for the rehearsal.
const (
	calmShare      = 4
	rehearsalShare = 8
)

// run goes through the phases. What it started is gone when it returns.
func (c *siege) run(ctx context.Context) (o outcome, err error) {
	dir, err := os.MkdirTemp("", "siege-")
	if err != nil {
		return o, err
	}
	s, err := startServer(ctx, c.program, dir, c.old)
	if err != nil {
		return o, fmt.Errorf("%w; see %s", err, dir)
	}
	defer func() {
		s.stop()
		if err == nil && len(o.judge(c.untimed)) == 0 {
			_ = os.RemoveAll(dir)
			return
		}
		c.say("its log, and profiles of its heap, are in %s", dir)
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

// phases are a rehearsal, calm, siege, settling, the last look, and calm once more.
func (c *siege) phases(ctx context.Context, s *server, l *live, o *outcome) (err error) {
	calm, rehearsal := c.duration/calmShare, c.duration/rehearsalShare
	if !wait(ctx, time.Second) { // whatever is made once is made
		return ctx.Err()
	}
	if o.Fresh, err = s.read(ctx, "heap-fresh.pprof"); err != nil {
		return fmt.Errorf("look at the fresh server: %w", err)
	}
	fresh, err := s.metrics(ctx)
	if err != nil {
		return fmt.Errorf("look at the fresh server: %w", err)
	}
	c.say("rehearsal: %d attacks at once for %v", len(c.attacks), rehearsal)
	attackers, err := c.attack(ctx, s, rehearsal, func() {})
	if err != nil {
		return err
	}
	stopAttackers(attackers)
	c.settle(ctx, s, o, fresh)
	c.say("calm: %d sessions for %v", c.population.sessions, calm/2)
	if o.Calm, o.CalmCPU, err = c.calm(ctx, s, l, calm/2); err != nil {
		return err
	}
	if o.Before, err = s.read(ctx, "heap-before.pprof"); err != nil {
		return fmt.Errorf("before the siege: %w", err)
	}
	before, err := s.metrics(ctx)
	if err != nil {
		return fmt.Errorf("before the siege: %w", err)
	}
	if err := c.besiege(ctx, s, l, o, before); err != nil {
		return err
	}
	c.settle(ctx, s, o, fresh)
	if o.After, err = s.read(ctx, "heap-after.pprof"); err != nil && s.gone() == nil {
		return fmt.Errorf("after the siege: %w", err)
	}
	c.say("calm: once more")
	again, _, err := c.calm(ctx, s, l, calm/2)
	if again.Messages > 0 && again.P99 < o.Calm.P99 { // the one that neighbours disturbed less
		o.Calm = again
	}
	return err
}

// calm lets the live sessions be, and returns their latencies and the server's processors.
func (c *siege) calm(ctx context.Context, s *server, l *live, length time.Duration) (latencies, float64, error) {
	cpu := c.meter(s)
	l.newPhase()
	select {
	case <-ctx.Done():
	case <-s.Done(): // the verdict says so
	case <-time.After(length):
	}
	return l.newPhase(), cpu(), ctx.Err()
}

func (c *siege) besiege(ctx context.Context, s *server, l *live, o *outcome, before metrics) error {
	length := c.duration - c.duration/calmShare - c.duration/rehearsalShare
	c.say("siege: %d attacks at once for %v", len(c.attacks), length)
	l.newPhase() // forced collections are no part of it
	l.newSecond()
	cpu, logged, began := c.meter(s), s.logBytes(), time.Now()
	attackers, err := c.attack(ctx, s, length, func() {
		o.PeakRSS = max(o.PeakRSS, process.StatusBytes(s.PID(), "VmRSS"))
		o.Seconds = append(o.Seconds, l.newSecond().P99)
	})
	if err != nil {
		return err
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

// attack makes all attacks at once and looks every second, until the time is over or the server gone. The attackers
// go on until they are stopped.
func (c *siege) attack(ctx context.Context, s *server, length time.Duration, look func()) ([]*attacker, error) {
	attackers, err := startAttackers(c.attacks, s.target)
	if err != nil {
		return nil, err
	}
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for over := time.After(length); ; {
		select {
		case <-second.C:
			look()
			continue
		case <-ctx.Done():
		case <-s.Done():
		case <-over:
		}
		return attackers, nil
	}
}

// meter returns what tells how many processors the server has used since.
func (c *siege) meter(s *server) func() float64 {
	began, used := time.Now(), s.CPUTime()
	return func() float64 { return (s.CPUTime() - used).Seconds() / time.Since(began).Seconds() }
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
