package loop

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gobwas/ws"

	"groupcast/loop/reactor"
)

const (
	// closeStep is how often a drain closes some more sessions.
	closeStep = 20 * time.Millisecond
	// closesPerStep is how many it closes on each reactor at least: spreading
	// is against a storm of reconnects, and fewer than that are none.
	closesPerStep = 20
)

// Drain ends the sessions in good order. The caller has closed the listeners.
//
//  1. Publishes are refused from now on, with the error draining.
//  2. A barrier follows what was accepted before through the rings, so that all
//     of it is delivered and flushed.
//  3. Every session gets a close frame with code, spread over spread, or over
//     80 % of what is left of ctx's time, if that is less.
//  4. Drain waits for the close handshakes and returns nil when no connection
//     is left. Who is slow to take what was queued before its close frame has as
//     long as it makes progress: see CloseTimeout and CloseRate.
//
// When ctx ends first, Drain returns its error and leaves the rest to Close.
// What the result says was cut has been counted by then.
func (e *Engine) Drain(ctx context.Context, code ws.StatusCode, spread time.Duration) (DrainResult, error) {
	if !e.draining.CompareAndSwap(false, true) {
		return DrainResult{}, errors.New("drain: already draining")
	}
	sessions, bytes := e.shared.CutSessions.Load(), e.shared.CutBytes.Load()
	err := e.drain(ctx, code, spread)
	if err != nil && !errors.Is(err, ErrClosed) {
		e.cutUnfinished(ctx)
	}
	return DrainResult{
		Left:        int(e.shared.Conns.Load()),
		CutSessions: int(e.shared.CutSessions.Load() - sessions),
		CutBytes:    int64(e.shared.CutBytes.Load() - bytes),
	}, err
}

// DrainResult is what a drain could not do.
type DrainResult struct {
	// Left are the connections that Drain did not see the end of.
	Left int
	// CutSessions had not acknowledged all that was queued for them when their
	// time was over, by CutBytes together: their own, CloseTimeout without
	// progress, or that of the drain. They may be among those left.
	CutSessions int
	CutBytes    int64
}

// cutUnfinished counts what Close is going to cut.
func (e *Engine) cutUnfinished(ctx context.Context) {
	const patience = time.Second // the drain's own time is over: no longer for a loop that does not answer
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	all := make([]reactor.Unfinished, len(e.reactors))
	if err := ask(ctx, e, (*reactor.Reactor).Unfinished, all); err != nil {
		e.log.Warn("what the end of the drain cuts is not all counted", "err", err)
	}
	for _, u := range all {
		e.shared.Cut(u.Sessions, u.Bytes)
	}
}

func (e *Engine) drain(ctx context.Context, code ws.StatusCode, spread time.Duration) error {
	started := make([]struct{}, len(e.reactors))
	if err := ask(ctx, e, func(r *reactor.Reactor) (none struct{}) { r.StartDrain(); return none }, started); err != nil {
		return err
	}
	if err := e.broker.CloseOutside(ctx); err != nil {
		return err
	}
	for _, r := range e.reactors {
		select {
		case <-r.Drained():
		case <-e.stopped:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return e.closeSessions(ctx, code, spread)
}

// within is spread, or 80 % of the time that ctx has left at now, if that is less.
func within(ctx context.Context, now time.Time, spread time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(spread, deadline.Sub(now)/5*4)
	}
	return spread
}

func (e *Engine) closeSessions(ctx context.Context, code ws.StatusCode, spread time.Duration) error {
	began := time.Now()
	spread = within(ctx, began, spread)
	sizes := make([]int, len(e.reactors))
	if err := ask(ctx, e, (*reactor.Reactor).Sessions, sizes); err != nil {
		return err
	}
	ticker := time.NewTicker(closeStep)
	defer ticker.Stop()
	next := make([]int, len(e.reactors))  // slot to go on from
	begun := make([]int, len(e.reactors)) // closes begun
	more := make([]bool, len(e.reactors)) // slots are left
	for {
		// As many as the time that has passed asks for, however long a step took.
		share := 1.0
		if passed := time.Since(began) + closeStep; passed < spread {
			share = float64(passed) / float64(spread)
		}
		err := ask(ctx, e, func(r *reactor.Reactor) bool {
			n := max(closesPerStep, int(share*float64(sizes[r.Index()]))-begun[r.Index()])
			begun[r.Index()] += n
			return r.CloseSome(&next[r.Index()], n, code)
		}, more)
		if err != nil {
			return err
		}
		if !slices.Contains(more, true) && e.shared.Conns.Load() == 0 {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
