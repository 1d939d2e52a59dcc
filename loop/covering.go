package loop

import (
	"context"
	"slices"
	"time"

	"groupcast/loop/reactor"
)

// Which groups a bus to other nodes covers. Its goroutine says so; joins wait for it, on the
// loops (reactor/joinack.go) and here. One goroutine at a time calls SetCoverage, Cover and
// Uncover; the others are for any.

// SetCoverage says what is believed of the bus: acks of joins that wait are sent as far as that
// settles what they say. Which groups are covered stays as it was noted.
func (e *Engine) SetCoverage(c Coverage) {
	e.shared.Coverage.Set(c)
	e.joining.wakeAll()
	// Nothing waits where the loops have ended.
	_ = e.tell(e.withAcks(), func(r *reactor.Reactor) { r.ChangeCoverage() })
}

// Cover notes these groups as covered, and has acks sent that wait for them. No loop is woken on
// which none wait. groups is copied. The error is ErrClosed.
func (e *Engine) Cover(groups []string) error {
	e.shared.Coverage.Cover(groups)
	e.joining.wake(groups)
	where := e.withAcks()
	if len(where) == 0 {
		return nil
	}
	groups = slices.Clone(groups) // the loops come to it when the caller has gone on
	return e.tell(where, func(r *reactor.Reactor) { r.CoverGroups(groups) })
}

// withAcks are the reactors on which acks wait. It is looked at behind what settles them: see
// reactor/joinack.go.
func (e *Engine) withAcks() (where []*reactor.Reactor) {
	for _, r := range e.reactors {
		if r.AcksWaiting() > 0 {
			where = append(where, r)
		}
	}
	return where
}

// Uncover notes that these groups are covered no more, and returns those of them that have
// members: they are covered as before. Of the others none has a member that was told anything
// else: what joins from now on waits. If the error is not nil (ErrClosed or ctx's), all are
// covered as before.
func (e *Engine) Uncover(ctx context.Context, groups []string) (used []string, err error) {
	groups = slices.Clone(groups) // a loop may come to it when ctx has ended
	were := e.shared.Coverage.Uncover(groups)
	// In that order: a join that saw its group as covered has taken place before the loop is asked.
	found := make([][]bool, len(e.reactors))
	err = ask(ctx, e, func(r *reactor.Reactor) []bool { return r.WithMembers(groups) }, found)
	var back []string
	for i, group := range groups {
		has := slices.ContainsFunc(found, func(on []bool) bool { return on != nil && on[i] })
		if has && err == nil {
			used = append(used, group)
		}
		if were[i] && (has || err != nil) {
			back = append(back, group)
		}
	}
	if len(back) > 0 {
		if failed := e.Cover(back); err == nil {
			err = failed
		}
	}
	if err != nil {
		return nil, err
	}
	return used, nil
}

// Coverage is what SetCoverage has said last.
func (e *Engine) Coverage() Coverage { return e.shared.Coverage.State() }

// Covered reports whether the group is noted as covered, whatever is believed of the bus.
func (e *Engine) Covered(group string) bool { return e.shared.Coverage.Covered(group) }

// WaitCovered reports whether a group that a session has joined is covered, and waits for that up
// to Options.JoinWait or until ctx ends. Without a cluster it is true, and where the bus is away
// false, at once.
func (e *Engine) WaitCovered(ctx context.Context, group string) (covered bool) {
	if covered, settled := e.shared.Coverage.Now(group); settled {
		return covered
	}
	wake, exit := e.joining.enter(group)
	defer exit()
	timer := time.NewTimer(e.options().JoinWait)
	defer timer.Stop()
	for over := false; ; {
		if covered, settled := e.shared.Coverage.Now(group); settled || over {
			return covered
		}
		select {
		case <-wake:
		case <-timer.C:
			over = true
		case <-ctx.Done():
			over = true
		case <-e.stopped:
			over = true
		}
	}
}
