package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"groupcast/server"
)

// start runs the server until a signal, or a failure, ends it. configPath is
// the file that o came from, if any.
func start(o server.Options, configPath string, stdout, stderr io.Writer) int {
	// Before anything is opened: a signal that arrives during the start then
	// stops the server properly, as soon as it is up.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	// Where the reader of the log goes away, the log is lost, and not the server.
	signal.Ignore(syscall.SIGPIPE)

	log := server.NewLogger(stderr, o)
	s, err := server.Start(o, log)
	if err != nil {
		complain(stderr, err)
		return exitRefused
	}
	started := s.Started(configPath) // with the CPUs as they are
	announce(started, o, stdout, log)
	addProcessors(started.Loops)

	select {
	case got := <-signals:
		log.Info("stopping", "signal", got.String(), "connections", s.Conns(), "drain", o.Drain)
		return drain(s, o.Drain, signals, log, exitStopped)
	case err := <-s.Failed():
		log.Error("a listener failed: stopping", "error", err, "connections", s.Conns())
		return drain(s, o.Drain, signals, log, exitRefused)
	case err := <-s.Fatal():
		log.Error("internal failure: ending at once", "error", err)
		return exitFatal
	}
}

// hungAfter is how much longer than --drain the end may take.
const hungAfter = 5 * time.Second

// drain ends the server within limit, or at once if another signal comes.
// It returns code, or a worse one.
func drain(s *server.Server, limit time.Duration, signals <-chan os.Signal, log *slog.Logger, code int) int {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	type result struct {
		cut int
		err error
	}
	done := make(chan result, 1)
	began := time.Now()
	go func() {
		cut, err := s.Drain(ctx)
		done <- result{cut, err}
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
		took := time.Since(began).Round(time.Millisecond)
		switch {
		case r.err != nil:
			log.Error("stopped with an error", "error", r.err, "cut", r.cut, "took", took)
		case r.cut > 0:
			log.Warn("stopped: --drain ran out before every session was gone", "cut", r.cut, "took", took)
		default:
			log.Info("stopped", "took", took)
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
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
