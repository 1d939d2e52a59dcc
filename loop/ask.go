package loop

import (
	"cmp"
	"context"
	"fmt"

	"groupcast/loop/reactor"
)

// Questions to the loops, and orders: closures that a loop runs.

// ask runs question on every reactor's loop and collects the answers by index
// into answers. A reactor that does not answer before ctx ends leaves its
// place as it was and makes the error non-nil.
func ask[T any](ctx context.Context, e *Engine, question func(*reactor.Reactor) T, answers []T) error {
	type answer struct {
		index int
		value T
	}
	select {
	case <-e.stopped: // the loops' wake-up descriptors may be other files' by now
		return ErrClosed
	default:
	}
	came := make(chan answer, len(e.reactors))
	if err := e.tell(e.reactors, func(r *reactor.Reactor) { came <- answer{r.Index(), question(r)} }); err != nil {
		return err
	}
	for range e.reactors {
		select {
		case a := <-came:
			answers[a.index] = a.value
		case <-e.stopped:
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("ask reactors: %w", ctx.Err())
		}
	}
	return nil
}

// askOne is ask for one reactor. What question finds it must return: a caller
// that has gone away reads nothing else.
func askOne[T any](ctx context.Context, e *Engine, r *reactor.Reactor, question func(*reactor.Reactor) T) (T, error) {
	var none T
	came := make(chan T, 1)
	if err := e.tell([]*reactor.Reactor{r}, func(r *reactor.Reactor) { came <- question(r) }); err != nil {
		return none, err
	}
	select {
	case answer := <-came:
		return answer, nil
	case <-e.stopped:
		return none, ErrClosed
	case <-ctx.Done():
		return none, fmt.Errorf("ask reactor %d: %w", r.Index(), ctx.Err())
	}
}

// askSession asks the loop of a session. The error is question's, ErrNoSession where
// there is no such loop, ErrClosed or ctx's.
func askSession[T any](ctx context.Context, e *Engine, id SessionID, question func(*reactor.Reactor) (T, error)) (T,
	error,
) {
	type answer struct {
		value T
		err   error
	}
	if id.Reactor() < 0 || id.Reactor() >= len(e.reactors) {
		return answer{}.value, ErrNoSession
	}
	a, err := askOne(ctx, e, e.reactors[id.Reactor()], func(r *reactor.Reactor) (a answer) {
		a.value, a.err = question(r)
		return a
	})
	return a.value, cmp.Or(err, a.err)
}

// order is askSession for what is only done.
func (e *Engine) order(ctx context.Context, id SessionID, do func(*reactor.Reactor) error) error {
	_, err := askSession(ctx, e, id, func(r *reactor.Reactor) (none struct{}, err error) { return none, do(r) })
	return err
}

// tell has each of the reactors run f on its loop, unless the engine is closed: a loop
// that is gone must not be woken, since the descriptor for that may by then be
// another connection's.
func (e *Engine) tell(reactors []*reactor.Reactor, f func(*reactor.Reactor)) error {
	e.gate.RLock()
	defer e.gate.RUnlock()
	if e.closed {
		return ErrClosed
	}
	for _, r := range reactors {
		if err := r.Do(func() { f(r) }); err != nil {
			return fmt.Errorf("ask reactor %d: %w", r.Index(), err)
		}
	}
	return nil
}
