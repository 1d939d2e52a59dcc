package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/term"

	"groupcast/loop"
	"groupcast/server"
	"groupcast/server/control"
	"groupcast/server/memory"
	"groupcast/server/settings"
)

// start runs the server until a signal, a request or a failure ends it. args are
// those that the flags were read from.
func start(flags startFlags, args []string, stdout, stderr io.Writer) int {
	o := flags.Options
	switch {
	case flags.PrintConfig:
		return printConfig(stdout, stderr)
	case flags.Check:
		return check(o, stdout, stderr)
	}
	report := takeReport()
	if flags.Daemon && report == nil {
		return startInBackground(args, o, stdout, stderr)
	}
	// Before anything is opened: a signal that arrives during the start then
	// stops the server properly, as soon as it is up.
	signals, reloads := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	defer signal.Stop(signals)
	signal.Notify(reloads, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(reloads)
	// Where the reader of the log goes away, the log is lost, and not the server.
	signal.Ignore(syscall.SIGPIPE)

	s, log, err := startServer(flags, args, report != nil, stderr)
	if err != nil {
		complain(stderr, err)
		return exitRefused
	}
	defer log.Close()
	started := s.Started() // with the CPUs as they are
	if report != nil {
		started.Log(log.Logger)
		if err := report.send(started); err != nil {
			log.Error("nobody is there to be told that the server is up: stopping", "error", err)
			return drain(s, ws.StatusGoingAway, signals, log.Logger, exitRefused)
		}
	} else {
		announce(started, o, stdout, log.Logger)
	}
	addProcessors(started.Loops, len(o.Bus.Servers) > 0)
	s.OwnGoLimit()
	dropStartPages(log.Logger)
	calm, end := context.WithCancel(context.Background())
	defer end()
	go memory.GiveBack(calm)
	return live(s, signals, reloads, log.Logger)
}

// runningVariable tells a check which server will make way for the new one.
const runningVariable = "GROUPCAST_INTERNAL_RUNNING"

// check says whether a server could be started with o, as far as that can be
// known without starting it. Settings that are wrong have been told of.
func check(o server.Options, stdout, stderr io.Writer) int {
	var running *server.Running
	if text := os.Getenv(runningVariable); text != "" {
		if err := json.Unmarshal([]byte(text), &running); err != nil {
			complain(stderr, fmt.Errorf("%s: %w", runningVariable, err))
			return exitRefused
		}
	}
	err := server.Check(o, running)
	if err == nil {
		_, err = fmt.Fprintln(stdout, "The settings are valid.")
	}
	if err != nil {
		complain(stderr, err)
		return exitRefused
	}
	return exitStopped
}

func printConfig(stdout, stderr io.Writer) int {
	if err := settings.WriteConfig(stdout); err != nil {
		complain(stderr, err)
		return exitRefused
	}
	return exitStopped
}

// startServer starts the server with all that it has to know of this program.
func startServer(flags startFlags, args []string, daemon bool, stderr io.Writer) (*server.Server, *server.Log, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, nil, err
	}
	o := flags.Options
	log, err := server.OpenLog(o, stderr)
	if err != nil {
		return nil, nil, err
	}
	s, err := server.Program{
		ConfigFile: o.ConfigFile,
		Daemon:     daemon,
		Command: control.Command{
			Args: append([]string{os.Args[0]}, args...), Env: os.Environ(), Dir: dir,
			Resources: ownResources(),
		},
		Log: log,
		Load: func() (server.Options, error) {
			again, err := parse(args, io.Discard, io.Discard)
			if err != nil {
				return o, err
			}
			return again.Start.Options, nil
		},
	}.Start(o)
	if err != nil {
		return nil, nil, errors.Join(err, log.Close())
	}
	return s, log, nil
}

// reloadWithin bounds a reload that a signal has asked for.
const reloadWithin = 30 * time.Second

// live waits for the server's end, and sees to it that it is an orderly one. The
// result is the exit code.
func live(s *server.Server, signals, reloads <-chan os.Signal, log *slog.Logger) int {
	for {
		select {
		case got := <-signals:
			graceful := got == syscall.SIGQUIT
			log.Info("stopping", "signal", got.String(), "graceful", graceful, "connections", s.Conns(), "drain",
				s.Options().Drain)
			code := ws.StatusGoingAway
			if graceful {
				code = leave(s, code, signals, log)
			}
			return drain(s, code, signals, log, exitStopped)
		case got := <-reloads:
			log.Debug("reloading", "signal", got.String())
			go reloadNow(s, log)
		case wanted := <-s.Stops():
			log.Info("stopping", "asked", "control socket", "graceful", wanted.Graceful, "code", int(wanted.Code),
				"connections", s.Conns(), "drain", s.Options().Drain)
			if wanted.Graceful {
				wanted.Code = leave(s, wanted.Code, signals, log)
			}
			return drain(s, wanted.Code, signals, log, exitStopped)
		case err := <-s.Failed():
			log.Error("a listener failed: stopping", "error", err, "connections", s.Conns())
			return drain(s, ws.StatusGoingAway, signals, log, exitRefused)
		case err := <-s.Fatal():
			log.Error("internal failure: ending at once", "error", err)
			return exitFatal
		}
	}
}

func reloadNow(s *server.Server, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), reloadWithin)
	defer cancel()
	if _, err := s.Reload(ctx); err != nil {
		log.Error("not reloaded", "error", oneLine(err.Error()))
	}
}

// leave waits until all sessions have left by themselves, or the operator has lost
// patience: a signal, or a request that is not graceful. The result is the code
// for those who are still there.
func leave(s *server.Server, code ws.StatusCode, signals <-chan os.Signal, log *slog.Logger) ws.StatusCode {
	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan error, 1)
	go func() { left <- s.Leave(ctx) }()
	defer func() {
		cancel()
		if err := <-left; err != nil && !errors.Is(err, context.Canceled) {
			log.Error("while waiting for the sessions to leave", "error", err)
		}
	}()
	for {
		select {
		case err := <-left:
			left <- err
			return code
		case got := <-signals:
			if got == syscall.SIGQUIT {
				continue // as it is
			}
			log.Info("not waiting any longer", "signal", got.String(), "connections", s.Conns())
			return code
		case wanted := <-s.Stops():
			if !wanted.Graceful {
				log.Info("not waiting any longer", "asked", "control socket", "connections", s.Conns())
				return wanted.Code
			}
		case err := <-s.Fatal():
			log.Error("internal failure", "error", err)
			return code // the drain will notice, too
		}
	}
}

// hungAfter is how much longer than --drain the end may take.
const hungAfter = 5 * time.Second

// drain ends the server within --drain, or at once if another signal comes.
// It returns code, or a worse one.
func drain(s *server.Server, closeCode ws.StatusCode, signals <-chan os.Signal, log *slog.Logger, code int) int {
	limit := s.Options().Drain
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	type result struct {
		loop.DrainResult
		err error
	}
	done := make(chan result, 1)
	began := time.Now()
	go func() {
		drained, err := s.Drain(ctx, closeCode)
		done <- result{drained, err}
	}()
	// Cutting the rest takes no time unless a loop hangs; then nothing but the end
	// of the process will help.
	hung := time.NewTimer(limit + hungAfter)
	defer hung.Stop()
	select {
	case <-hung.C:
		log.Error("the loops do not stop: ending at once", "cut", s.Conns())
		return exitFatal
	case r := <-done:
		log := log.With("took", time.Since(began).Round(time.Millisecond))
		if r.Left > 0 || r.CutSessions > 0 {
			log = log.With("left", r.Left, "cut_sessions", r.CutSessions, "cut_bytes", r.CutBytes)
		}
		switch {
		case r.err != nil:
			log.Error("stopped with an error", "error", r.err)
		case r.Left > 0:
			log.Warn("stopped: --drain ran out before every session was gone")
		case r.CutSessions > 0:
			log.Warn("stopped: some sessions were too slow to take all that was accepted for them")
		default:
			log.Info("stopped")
		}
		return code
	case got := <-signals:
		log.Warn("second signal: ending at once", "signal", got.String(), "cut", s.Conns())
		if number, ok := got.(syscall.Signal); ok {
			return exitSignal + int(number)
		}
		return exitSignal
	case err := <-s.Fatal():
		log.Error("internal failure while stopping: ending at once", "error", err)
		return exitFatal
	}
}

// announce says that the server is up: to a person by the banner, to a program
// by one record.
func announce(st server.Started, o server.Options, stdout io.Writer, log *slog.Logger) {
	if o.LogFormat == "json" {
		st.Log(log)
		return
	}
	// A banner that nobody can be shown is no reason to stop.
	if err := st.WriteBanner(stdout, wantsColour(stdout)); err != nil {
		log.Warn("the banner could not be written", "error", err)
	}
}

// wantsColour: only a terminal, and only if its owner has not asked for none
// (no-color.org).
func wantsColour(w io.Writer) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	return isTerminal(w)
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
