package server

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"groupcast/loop"
	"groupcast/server/control"
)

// needRestart says why a setting that is not the loops' cannot change while the
// server runs. What is not in it, and not refused by the loops, can.
var needRestart = map[string]string{
	"Listen":      "listeners are opened at the start",
	"SocketMode":  "listeners are opened at the start",
	"API":         "listeners are opened at the start",
	"Channel":     "listeners are opened at the start",
	"Control":     "listeners are opened at the start",
	"Pprof":       "listeners are opened at the start",
	"ChannelJoin": "the connection is made at the start",
	"Loops":       "there are as many as were started",
	"LogFormat":   "a log has one format",
	"PIDFile":     "it is written at the start",
	"User":        "the rights are given up at the start",
	"Group":       "the rights are given up at the start",

	"ChannelOpen":        channelAtStart,
	"ChannelAllow":       channelAtStart,
	"ChannelStall":       channelAtStart,
	"ChannelJobMax":      channelAtStart,
	"ChannelMaxSend":     channelAtStart,
	"ChannelMaxChannels": channelAtStart,
}

const channelAtStart = "the Channel server's limits are set at the start"

// Reload reads the settings again and puts in force what can change without
// losing a session; it opens the log file and the token file again in any case.
// Where a setting is wrong, nothing changes: the error wraps control.ErrSettings.
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
		return done, unchanged(err)
	}
	old := s.Options()
	next := wanted
	why := keepFixed(&next, old)
	fixed, err := s.reconfigureLoops(ctx, next, old)
	if errors.Is(err, control.ErrSettings) {
		return done, err
	}
	note(&done, err)
	for field, reason := range fixed {
		why[field] = reason
		copyField(&next, &old, field)
	}
	note(&done, s.program.Log.Change(next))
	for _, one := range s.services {
		note(&done, one.reload(next))
	}
	s.mu.Lock()
	s.options = next
	s.mu.Unlock()
	list(&done, old, wanted, why)
	s.log.Info("reloaded", "changed", flags(done.Changed), "need_restart", flags(done.NeedRestart), "problems", done.Problems)
	return done, nil
}

// unchanged says of each of the errors that nothing was changed.
func unchanged(err error) error {
	return errors.Join(append(split(err), control.ErrSettings)...)
}

// keepFixed puts into next what must stay as it is in old, and says why by field.
func keepFixed(next *Options, old Options) map[string]string {
	why := make(map[string]string)
	for field, reason := range needRestart {
		if written(field, *next) != written(field, old) {
			why[field] = reason
			copyField(next, &old, field)
		}
	}
	return why
}

// reconfigureLoops has the loops take what they can of next. The result is what
// they cannot, by field, with the reason.
func (s *Server) reconfigureLoops(ctx context.Context, next, old Options) (fixed map[string]string, err error) {
	conns := s.maxConnections()
	if next.MaxConns != old.MaxConns {
		conns = s.settleConns(next)
	}
	settings := next.loopOptions(conns)
	settings.Loops = s.loops // what 0 means now may be something else
	fixed = make(map[string]string)
	err = s.engine.Reconfigure(ctx, settings)
	var others []error
	for _, one := range split(err) {
		refused, ok := errors.AsType[*loop.OptionError](one)
		switch {
		case !ok:
			others = append(others, one)
		case strings.HasPrefix(refused.Reason, "wants "):
			// It cannot live with what has to stay as it is.
			return nil, unchanged(inFlags(err))
		default:
			fixed[refused.Field] = refused.Reason
		}
	}
	s.mu.Lock()
	s.maxConns = conns
	s.mu.Unlock()
	return fixed, errors.Join(others...)
}

// split is what err was joined from.
func split(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, one := range joined.Unwrap() {
		all = append(all, split(one)...)
	}
	return all
}

// list names what is different in wanted: what changed, and what waits for a
// restart, which are the fields in why.
func list(done *control.Reloaded, old, wanted Options, why map[string]string) {
	for field := range reflect.TypeFor[Options]().Fields() {
		c := control.Change{Flag: "--" + field.Tag.Get("name"), From: written(field.Name, old), To: written(field.Name, wanted)}
		if c.From == c.To {
			continue
		}
		if _, secret := field.Tag.Lookup("secret"); secret {
			c.From, c.To = hidden(c.From), hidden(c.To)
		}
		if reason, kept := why[field.Name]; kept {
			c.Why = reason
			done.NeedRestart = append(done.NeedRestart, c)
		} else {
			done.Changed = append(done.Changed, c)
		}
	}
}

func hidden(value string) string {
	if value == "" {
		return ""
	}
	return "(secret)"
}

// written is a field's value as it is typed.
func written(field string, o Options) string {
	value := reflect.ValueOf(o).FieldByName(field)
	if texts, ok := reflect.TypeAssert[[]string](value); ok {
		return strings.Join(texts, ",")
	}
	return fmt.Sprint(value.Interface())
}

func copyField(to, from *Options, field string) {
	reflect.ValueOf(to).Elem().FieldByName(field).Set(reflect.ValueOf(from).Elem().FieldByName(field))
}

func flags(changes []control.Change) []string {
	var names []string
	for _, c := range changes {
		names = append(names, c.Flag)
	}
	return slices.Clip(names)
}

// note adds what did not work out.
func note(done *control.Reloaded, err error) {
	for _, one := range split(err) {
		done.Problems = append(done.Problems, one.Error())
	}
}
