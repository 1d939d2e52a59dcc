package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"groupcast/loop"
)

// Server is a running groupcast: the loops, the doors that lead to them, and
// the order in which they start and stop.
// Owner: whoever called Start; Drain and Close may be called from any goroutine.
type Server struct {
	options  Options
	log      *slog.Logger
	engine   *loop.Engine
	maxConns int
	maxFiles int
	failed   chan error
	profiler *profiler // nil without --pprof

	mu      sync.Mutex // guards doors and closing
	doors   []*door
	closing bool
	serving sync.WaitGroup
}

// Start checks o, opens every door and starts the loops. The error is for the
// operator and stands on its own: what was wanted, and why it was not to be had.
// Nothing is left behind by a failed Start.
func Start(o Options, log *slog.Logger) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	files, err := raiseOpenFiles()
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, log: log, maxConns: o.MaxConns, maxFiles: files, failed: make(chan error, len(o.Listen))}
	s.limitConns()

	// Doors first: a port in use is the most likely failure, and the cheapest to
	// find before any goroutine runs.
	for _, text := range o.Listen {
		if err := s.openDoor(text); err != nil {
			return nil, errors.Join(err, s.shutDoors())
		}
	}
	if o.Pprof != "" {
		if s.profiler, err = startProfiler(o.Pprof); err != nil {
			return nil, errors.Join(err, s.shutDoors())
		}
	}
	settings := o.loopOptions(s.maxConns)
	settings.Logger = log
	if s.engine, err = loop.New(settings); err != nil {
		return nil, errors.Join(fmt.Errorf("start the loops: %w", inFlags(err)), s.stopProfiler(), s.shutDoors())
	}
	for _, d := range s.doors {
		s.serving.Go(func() { s.serve(d) })
	}
	return s, nil
}

// limitConns settles how many connections there may be, and says so where the
// machine grants less than was asked for.
func (s *Server) limitConns() {
	within := connsWithin(s.maxFiles, s.options)
	if reserve := reserveFor(s.options); s.maxFiles < 2*reserve {
		s.log.Warn("the open-files limit is low: raise it (ulimit -n, LimitNOFILE=)",
			"open_files", s.maxFiles, "reserve", reserve, "connections", within)
	}
	switch {
	case s.maxConns == 0:
		s.maxConns = within
	case s.maxConns > within:
		s.log.Warn("--max-conns is more than the open-files limit allows: the system will refuse the rest",
			"max_conns", s.maxConns, "open_files", s.maxFiles, "allowed", within)
	}
}

func (s *Server) openDoor(text string) error {
	a, err := parseAddress(text)
	if err != nil {
		return &OptionError{"--listen", err.Error()}
	}
	d, err := open(a, s.options.SocketMode)
	if err != nil {
		return err
	}
	s.doors = append(s.doors, d)
	return nil
}

// serve accepts at one door until it is shut. An end that nobody asked for is
// reported: a server that looks alive behind a dead door helps nobody.
func (s *Server) serve(d *door) {
	err := s.engine.Serve(d.listener)
	s.mu.Lock()
	closing := s.closing
	s.mu.Unlock()
	if closing {
		return
	}
	if err == nil {
		err = errors.New("accepting ended")
	}
	s.failed <- fmt.Errorf("listener %s: %w", d.bound(), err)
}

// Failed reports a door that closed by itself. The sessions are still served:
// Drain is in order.
func (s *Server) Failed() <-chan error { return s.failed }

// Fatal reports that a loop or the broker died. Their state is unknown, so
// nothing is left to be drained: the process must end.
func (s *Server) Fatal() <-chan error { return s.engine.Fatal() }

// Stats asks the engine for its counters; see loop.Engine.Stats.
func (s *Server) Stats(ctx context.Context) (loop.Stats, error) { return s.engine.Stats(ctx) }

// Conns is how many connections there are now. It does not wait for a loop that
// has no time to answer.
func (s *Server) Conns() int {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	stats, err := s.engine.Stats(ctx)
	if err != nil {
		s.log.Debug("a loop did not answer in time", "error", err)
	}
	return stats.Conns // counted outside the loops: right in any case
}

// Addresses are the doors' addresses as they are bound, in the order of --listen.
func (s *Server) Addresses() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	addresses := make([]string, len(s.doors))
	for i, d := range s.doors {
		addresses[i] = d.bound().String()
	}
	return addresses
}

// Drain stops accepting, has everything that was accepted delivered, closes every
// session with 1001 and waits for the close handshakes. The closes are spread
// over 80 % of --drain, so that the clients do not all come back at once (the
// loops do not spread a few). Where ctx ends before the last connection is gone,
// the rest is cut: the number of these is the result. The loops are stopped in
// any case.
func (s *Server) Drain(ctx context.Context) (cut int, err error) {
	err = s.shutDoors()
	s.waitServing(ctx)
	drained := s.engine.Drain(ctx, ws.StatusGoingAway, s.options.Drain/5*4)
	if drained != nil {
		cut = s.Conns()
		if ctx.Err() == nil {
			err = errors.Join(err, fmt.Errorf("drain: %w", drained))
		}
	}
	return cut, errors.Join(err, s.stopLoops())
}

// waitServing waits until no acceptor can hand over another connection: one of
// them may have been just about to.
func (s *Server) waitServing(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		s.serving.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Close stops at once: connections are cut, nothing is waited for.
func (s *Server) Close() error {
	err := s.shutDoors()
	err = errors.Join(err, s.stopLoops())
	s.serving.Wait()
	return err
}

func (s *Server) stopLoops() error {
	err := s.stopProfiler()
	if closed := s.engine.Close(); closed != nil {
		err = errors.Join(err, fmt.Errorf("stop the loops: %w", closed))
	}
	return err
}

func (s *Server) stopProfiler() error {
	if s.profiler == nil {
		return nil
	}
	return s.profiler.stop()
}

// shutDoors closes every listener, once.
func (s *Server) shutDoors() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	var errs []error
	for _, d := range s.doors {
		if err := d.shut(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", d.bound(), err))
		}
	}
	return errors.Join(errs...)
}
