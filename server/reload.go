package server

import (
	"context"
	"errors"
	"slices"

	"groupcast/loop"
	"groupcast/server/control"
	"groupcast/server/settings"
)

// part is a part of the server with settings that may change while it runs.
type part interface {
	// prepare does what can go wrong before next is in force, and changes nothing.
	prepare(next Options) (change, error)
	// running puts into o what is in force.
	running(o *Options)
}

// change is one that has been prepared: one of the two is called. Either may be nil.
type change struct {
	commit func() error
	undo   func()
}

// parts are all that a reload has to do with, but for the loops.
func (s *Server) parts() []part {
	all := []part{s.program.Log, &s.roads, s.tokens, &s.memory, s.questions}
	for _, one := range s.services {
		all = append(all, one)
	}
	return all
}

// Reload reads the settings again and puts in force what can change without
// losing a session; it opens the log file and the token file again in any case.
// Where anything is wrong, nothing changes: the error wraps control.ErrSettings.
// What it says has changed is read back from what runs.
func (s *Server) Reload(ctx context.Context) (done control.Reloaded, err error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	done = control.Reloaded{Changed: []control.Change{}, NeedRestart: []control.Change{}, Problems: []string{}}
	switch {
	case s.closing.Load():
		return done, control.ErrStopping
	case s.program.Load == nil:
		return done, control.ErrNoReload
	}
	wanted, err := s.program.Load()
	if err == nil {
		err = wanted.Validate()
	}
	if err != nil {
		return done, s.refuse(err)
	}
	warnOfProxies(wanted, s.log)
	old := s.Options()
	next, fixed := keepFixed(wanted, old)
	if err := next.Validate(); err != nil { // with what has to stay
		return done, s.refuse(err)
	}
	problems, err := s.putInForce(ctx, next, old)
	if err != nil {
		return done, s.refuse(err)
	}
	report(&done, old, s.Options(), wanted, fixed)
	for _, one := range settings.Split(problems) {
		done.Problems = append(done.Problems, one.Error())
	}
	s.monitor.Reloaded(flags(done.Changed))
	s.log.Info("reloaded",
		"changed", flags(done.Changed), "need_restart", flags(done.NeedRestart), "problems", done.Problems)
	return done, nil
}

// refuse is err as Reload returns it: nothing was changed.
func (s *Server) refuse(err error) error {
	s.monitor.ReloadRefused()
	return unchanged(err)
}

// unchanged says of each of the errors that nothing was changed.
func unchanged(err error) error {
	return errors.Join(append(settings.Split(err), control.ErrSettings)...)
}

// keepFixed is wanted with all that cannot change as it is in old, and why, by setting.
func keepFixed(wanted, old Options) (next Options, fixed map[string]string) {
	next, fixed = wanted, make(map[string]string)
	for _, one := range settings.All() {
		if why := one.Fixed(old, wanted); why != "" {
			fixed[one.Name] = why
			one.Copy(&next, &old)
		}
	}
	return next, fixed
}

// putInForce prepares everything first. After an error nothing has changed; the
// problems are of what could not be done after all.
func (s *Server) putInForce(ctx context.Context, next, old Options) (problems, err error) {
	var changes []change
	for _, one := range s.parts() {
		c, failed := one.prepare(next)
		changes, err = append(changes, c), errors.Join(err, failed)
	}
	conns := s.maxConnections()
	if next.MaxConns != old.MaxConns {
		conns = s.settleConns(next)
	}
	if err == nil {
		problems, err = s.reconfigureLoops(ctx, next, conns)
	}
	for _, c := range changes {
		switch {
		case err == nil && c.commit != nil:
			problems = errors.Join(problems, c.commit())
		case err != nil && c.undo != nil:
			c.undo()
		}
	}
	if err != nil {
		return nil, err
	}
	running := s.running(next, old, conns)
	s.mu.Lock()
	s.options = running
	s.maxConns = s.engine.Options().MaxConns
	s.mu.Unlock()
	return problems, nil
}

// reconfigureLoops has the loops take next. A loop that did not say in time that it
// has is a problem: it takes it when it gets to it.
func (s *Server) reconfigureLoops(ctx context.Context, next Options, conns int) (problem, err error) {
	engine := loopOptions(next, conns)
	engine.Loops = s.loops // what 0 means now may be something else
	err = s.engine.Reconfigure(ctx, engine)
	if _, refused := errors.AsType[*loop.OptionError](err); refused {
		return nil, err
	}
	return err, nil
}

// running is what is in force, as those say that have it. What 0 leaves to the
// machine is 0 here: next and old know whether it was.
func (s *Server) running(next, old Options, conns int) Options {
	o := old
	o.Engine = s.engine.Options()
	o.Loops, o.MaxConns, o.Drain = old.Loops, old.MaxConns, o.CloseLimit
	if s.engine.Options().MaxConns == conns {
		o.MaxConns = next.MaxConns
	}
	for _, one := range s.parts() {
		one.running(&o)
	}
	return o
}

// report names what changed from old to what is running, and what was wanted and
// has to wait for a restart.
func report(done *control.Reloaded, old, running, wanted Options, fixed map[string]string) {
	for _, one := range settings.All() {
		c := control.Change{Flag: settings.Flag(one.Name), From: one.Text(old)}
		switch {
		case !one.Same(old, running):
			c.To = one.Text(running)
			done.Changed = append(done.Changed, c)
		case fixed[one.Name] != "":
			c.To, c.Why = one.Text(wanted), fixed[one.Name]
			done.NeedRestart = append(done.NeedRestart, c)
		case !one.Same(running, wanted):
			done.Problems = append(done.Problems, c.Flag+": could not be changed")
		}
	}
}

func flags(changes []control.Change) []string {
	var names []string
	for _, c := range changes {
		names = append(names, c.Flag)
	}
	return slices.Clip(names)
}
