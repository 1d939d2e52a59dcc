package loop

import (
	"context"
	"errors"

	"groupcast/loop/reactor"
)

// Options are those in force.
func (e *Engine) Options() Options { return *e.options() }

// Reconfigure puts other limits in force, without losing a session. Limits that
// cannot change in a running engine keep their values whatever o says; the
// error then holds an *OptionError for each of them, beside those of Validate
// (after which nothing has changed). A lower limit ends nothing that exists: it
// holds for what comes next. The loops follow one after the other, within
// moments.
func (e *Engine) Reconfigure(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	e.reconfiguring.Lock()
	defer e.reconfiguring.Unlock()
	fixed := keepFixed(&o, e.options())
	if err := o.Validate(); err != nil { // with those that are kept
		return errors.Join(fixed, err)
	}
	e.opt.Store(&o)
	e.shared.Addresses.SetLimit(o.MaxConnsPerIP)
	e.shared.Members.SetLimit(o.MaxMembers)
	e.shared.Users.SetLimit(o.MaxConnsPerUser)
	done := make([]struct{}, len(e.reactors))
	err := ask(ctx, e, func(r *reactor.Reactor) struct{} {
		r.Reconfigure(&o)
		return struct{}{}
	}, done)
	select {
	case <-e.retick: // one that the clock has not taken yet
	default:
	}
	e.retick <- reactor.TickFor(&o) // there is room: one Reconfigure at a time
	return errors.Join(fixed, err)
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
	o.UncountedIPs = old.UncountedIPs
	return errors.Join(errs...)
}
