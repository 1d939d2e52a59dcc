package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"groupcast/server/control"
)

// connect finds the server that a command is for: the one behind the given
// socket, or else the only one that runs.
func (w where) connect(ctx context.Context) (*control.Client, control.Info, error) {
	dirs := []string{w.Control}
	var search control.Search
	switch {
	case w.Control == "":
		dirs = control.Dirs()
		search = control.Look(ctx, dirs)
	case w.Control == control.None:
		return nil, control.Info{}, errors.New(`--control: wants the path of a control socket, got "none"`)
	case control.IsDir(w.Control):
		search = control.LookIn(ctx, w.Control)
	default:
		found := control.Probe(ctx, w.Control)
		if found.Err != nil {
			return nil, control.Info{}, found.Err
		}
		return control.NewClient(found.Path), found.Info, nil
	}
	found := search.Found
	switch {
	case ctx.Err() != nil:
		return nil, control.Info{}, ctx.Err()
	case len(found) == 0:
		return nil, control.Info{}, noneRunning(dirs, search.Skipped)
	case len(found) > 1:
		return nil, control.Info{}, severalRunning(found)
	case found[0].Err != nil:
		return nil, control.Info{}, found[0].Err
	}
	return control.NewClient(found[0].Path), found[0].Info, nil
}

// noneRunning says where a server was looked for, and where that was not allowed.
func noneRunning(dirs []string, skipped []error) error {
	text := "no server is running (looked in %s)"
	for _, err := range skipped {
		if errors.Is(err, control.ErrDenied) {
			text = "no server of this user's is running (looked in %s)"
		}
	}
	return errors.Join(append([]error{fmt.Errorf(text, strings.Join(dirs, ", "))}, skipped...)...)
}

func severalRunning(found []control.Found) error {
	errs := []error{errors.New("several servers are running: which one is said by --control PATH")}
	for _, f := range found {
		what := "pid " + fmt.Sprint(f.Info.PID) + ", " + f.Info.WebSockets()
		if f.Err != nil {
			what = "does not answer"
		}
		errs = append(errs, fmt.Errorf("--control %s (%s)", f.Path, what))
	}
	return errors.Join(errs...)
}
