package loop

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"groupcast/loop/reactor"
)

// Options are those in force.
func (e *Engine) Options() Options { return *e.options() }

// Reconfigure puts other limits in force, without losing a session. Limits that
// cannot change in a running engine keep their values whatever o says; the
// error then holds an *OptionError for each of them, beside those of Validate
// (after which nothing has changed). A lower limit ends nothing that exists: it
// holds for what comes next. What the anonymous may do is no limit: they leave the groups
// that they may be in no more, and are not told. The loops follow one after the other,
// within moments; those that have not when ctx ends follow later.
func (e *Engine) Reconfigure(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	e.reconfiguring.Lock()
	defer e.reconfiguring.Unlock()
	was := e.options().Anonymous
	fixed := keepFixed(&o, e.options())
	if err := o.Validate(); err != nil { // with those that are kept
		return errors.Join(fixed, err)
	}
	e.opt.Store(&o)
	e.shared.Addresses.SetLimit(o.MaxConnsPerIP)
	e.shared.Members.SetLimit(o.MaxMembers)
	e.shared.Users.SetLimit(o.MaxConnsPerUser)
	err := e.reconfigureReactors(ctx, &o, was)
	select {
	case <-e.retick: // one that the clock has not taken yet
	default:
	}
	e.retick <- reactor.TickFor(&o) // there is room: one Reconfigure at a time
	return errors.Join(fixed, err)
}

// reconfigureReactors has the loops take o, and then the anonymous leave what o grants them no more
// and was did.
func (e *Engine) reconfigureReactors(ctx context.Context, o *Options, was *Grants) error {
	if !e.begin() {
		return ErrClosed
	}
	done := make(chan error, 1)
	// A loop that is late takes all of it as well: the caller's patience is not the walk's.
	go func() {
		defer e.serving.Done()
		done <- e.takeOptions(o, was)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("ask reactors: %w", ctx.Err())
	}
}

func (e *Engine) takeOptions(o *Options, was *Grants) error {
	ctx := context.Background() // ask ends with the engine
	taken := make([]struct{}, len(e.reactors))
	err := ask(ctx, e, func(r *reactor.Reactor) (none struct{}) { r.Reconfigure(o); return none }, taken)
	if err != nil || reflect.DeepEqual(was, o.Anonymous) {
		return err
	}
	next := make([]int, len(e.reactors)) // slot to go on from
	more := make([]bool, len(e.reactors))
	for {
		err := ask(ctx, e, func(r *reactor.Reactor) bool { return r.Narrow(was, &next[r.Index()]) }, more)
		if err != nil || !slices.Contains(more, true) {
			return err
		}
	}
}

// keepFixed takes from the options in force what must not change, and says
// where o wanted something else.
func keepFixed(o, old *Options) error {
	var errs []error
	keep := func(wanted *int, now int, field, why string) {
		if *wanted != now {
			*wanted = now
			errs = append(errs, &OptionError{Field: field, Reason: why})
		}
	}
	const size = "is a size that is built in at the start"
	keep(&o.Loops, old.Loops, "Loops", size)
	keep(&o.RingSlots, old.RingSlots, "RingSlots", size)
	keep(&o.RingBytes, old.RingBytes, "RingBytes", size)
	keep(&o.MaxGroupBytes, old.MaxGroupBytes, "MaxGroupBytes", size)
	keep(&o.MaxRefusals, old.MaxRefusals, "MaxRefusals", size)
	keep(&o.IPv6PrefixBits, old.IPv6PrefixBits, "IPv6PrefixBits", "addresses are counted by it from the start")
	keep(&o.SendBufferBytes, old.SendBufferBytes, "SendBufferBytes", "belongs to the listeners, and is set at the start")
	const counted = "is counted from the start or not at all: it cannot be switched on or off"
	if (o.MaxConnsPerIP == 0) != (old.MaxConnsPerIP == 0) {
		keep(&o.MaxConnsPerIP, old.MaxConnsPerIP, "MaxConnsPerIP", counted)
	}
	if (o.MaxConnsPerUser == 0) != (old.MaxConnsPerUser == 0) {
		keep(&o.MaxConnsPerUser, old.MaxConnsPerUser, "MaxConnsPerUser", counted)
	}
	if (o.MaxMembers == 0) != (old.MaxMembers == 0) {
		keep(&o.MaxMembers, old.MaxMembers, "MaxMembers", counted)
	}
	o.Logger, o.OnMessage, o.Authenticate, o.Budget = old.Logger, old.OnMessage, old.Authenticate, old.Budget
	o.ListMembers = old.ListMembers
	o.UncountedIPs = old.UncountedIPs
	return errors.Join(errs...)
}
