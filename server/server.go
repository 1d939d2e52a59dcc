package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"groupcast/loop"
	"groupcast/loop/budget"
	"groupcast/server/api"
	"groupcast/server/bus"
	"groupcast/server/control"
	"groupcast/server/door"
	"groupcast/server/lockfile"
	"groupcast/server/monitor"
	"groupcast/server/workerman"
)

// Server is a running groupcast: the loops, the doors that lead to them, and
// the order in which they start and stop.
// Owner: the caller of Start. Drain and Close may be called from any goroutine, and
// so may the methods that ask.
type Server struct {
	program   Program
	log       *slog.Logger
	budget    *budget.Budget // of the process's memory
	engine    *loop.Engine
	monitor   *monitor.Monitor
	api       *api.API
	node      *workerman.Node // what the next two share
	channel   atomic.Pointer[workerman.Server]
	joined    atomic.Pointer[workerman.Client]
	bus       atomic.Pointer[bus.Bus]
	noAPI     string // why there is no HTTP API, if that was not asked for; set at the start
	loops     int
	maxFiles  int
	startedAt time.Time
	failed    chan error
	profiler  *profiler    // nil without --pprof
	doors     []*door.Door // in the order of --listen; set at the start, like services and control
	roads     roads
	gate      *gate // nil without keys for tokens
	directory *directory
	questions *questions
	tokens    *tokens
	memory    memoryPart
	services  []service         // in the order of their start
	control   *controlDoor      // nil without one
	pidFile   *lockfile.PIDFile // likewise
	stops     chan control.Stop

	sampling    sync.WaitGroup
	endSampling context.CancelFunc // nil before it has begun
	serving     sync.WaitGroup
	closing     atomic.Bool // the doors are shut, or about to be

	roadAcceptErrors, httpChallenges atomic.Uint64

	mu       sync.Mutex // guards options and maxConns
	options  Options    // those in force
	maxConns int        // settled: never 0

	reloading sync.Mutex // one Reload at a time
	ending    sync.Mutex // one end at a time; guards ended and the shutting of doors
	ended     bool
}

// Start checks o, opens every door and starts the loops. The error is for the
// operator and stands on its own: what was wanted, and why it was not to be had.
// Nothing is left behind by a failed Start.
func (p Program) Start(o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	files, err := raiseOpenFiles()
	if err != nil {
		return nil, err
	}
	s := &Server{
		program: p, options: o, log: p.Log.Logger, maxFiles: files, startedAt: time.Now(), loops: loops(o),
		budget: budget.New(memoryLimit(o, p.Log.Logger), p.Log.Logger),
		failed: make(chan error, len(o.Listen)),
		stops:  make(chan control.Stop, 1),
		node:   workerman.NewNode(),
	}
	s.tokens = &tokens{s, o}
	s.directory = new(directory)
	s.questions = newQuestions(o, s.directory, s.log)
	s.memory = memoryPart{s.budget, s.log, o.MaxMemory}
	become, err := identityOf(o)
	if err != nil {
		return nil, err
	}
	s.maxConns = s.settleConns(o)
	warnOfProxies(o, s.log)
	err = s.open()
	if err == nil {
		err = s.become(become)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	for _, d := range s.doors {
		s.serving.Go(func() { s.serve(d) })
	}
	return s, nil
}

// open opens what must be open before anybody is let in. What an error leaves
// behind, Close takes back.
func (s *Server) open() error {
	// Doors first: a port in use is the most likely failure, and the cheapest to
	// find before any goroutine runs.
	o := s.options
	var err error
	if s.doors, err = openDoors("listen", listenTo(o), o.SocketMode); err != nil {
		return err
	}
	if s.gate, err = newGate(o, maxOnRoad(s.maxFiles, o), s.log); err != nil {
		return err
	}
	if err := s.openRoads(); err != nil {
		return err
	}
	if o.Pprof != "" {
		if s.profiler, err = startProfiler(o.Pprof); err != nil {
			return err
		}
	}
	engine := loopOptions(o, s.maxConns)
	engine.Logger, engine.Budget = s.log, s.budget
	if s.gate != nil {
		engine.Authenticate = s.gate.renew
	}
	engine.ListMembers = s.questions.take
	if s.engine, err = loop.New(engine); err != nil {
		return fmt.Errorf("start the loops: %w", err)
	}
	if s.gate != nil {
		s.gate.tell, s.gate.drop = s.engine.Authenticated, s.engine.CloseSession
	}
	s.directory.engine = s.engine
	s.questions.tell = s.engine.MembersListed
	s.monitor = monitor.New(s.engine, s.monitorInfo())
	if s.api, err = s.newAPI(); err != nil {
		return err
	}
	if err := s.openServices(); err != nil {
		return err
	}
	if err := s.openControl(); err != nil {
		return err
	}
	if o.PIDFile != "" {
		if s.pidFile, err = lockfile.WritePID(o.PIDFile); err != nil {
			return fmt.Errorf("--pid-file: %w", err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.endSampling = cancel
	s.sampling.Go(func() { s.monitor.Run(ctx) })
	return nil
}

// settleConns is how many connections there may be under o. It says so where the
// machine grants less than was asked for.
func (s *Server) settleConns(o Options) int {
	o.Loops = s.loops // what 0 means may change
	within := connsWithin(s.maxFiles, o)
	if reserve := reserveFor(s.maxFiles, o); s.maxFiles < 2*reserve {
		s.log.Warn("the open-files limit is low: raise it (ulimit -n, LimitNOFILE=)",
			"open_files", s.maxFiles, "reserve", reserve, "connections", within)
	}
	if o.MaxConns == 0 {
		return within
	}
	if o.MaxConns > within {
		s.log.Warn("--max-conns is more than the open-files limit allows: the system will refuse the rest",
			"max_conns", o.MaxConns, "open_files", s.maxFiles, "allowed", within)
	}
	return o.MaxConns
}

// monitorInfo is what the monitor has to be told.
func (s *Server) monitorInfo() monitor.Info {
	build := ReadBuild()
	host, err := os.Hostname()
	if err != nil {
		s.log.Debug("this machine's name is not to be had", "error", err)
	}
	return monitor.Info{
		Version: build.Version, Go: build.Go, PID: os.Getpid(), Host: host,
		StartedAt: s.startedAt, CPUs: runtime.GOMAXPROCS(0),
		MaxConnections: s.maxConnections,
		Listeners:      s.listeners,
		Draining:       s.closing.Load,
		Access:         s.access,
		Channel:        s.channelStatus,
		ChannelJoin:    s.joinStatus,
		Cluster:        s.clusterStatus,
	}
}

// access is who may come in.
func (s *Server) access() string {
	o := s.Options()
	switch t := o.Tokens(); {
	case t.Configured() && o.TokenOptional:
		return monitor.AccessTokensOptional
	case t.Configured():
		return monitor.AccessTokens
	case !everywhere(o):
		return monitor.AccessLimited
	}
	return monitor.AccessOpen
}

func (s *Server) maxConnections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.maxConns
}

// Options are the settings in force.
func (s *Server) Options() Options {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options
}

// serve accepts at one door until it is shut. An end that nobody asked for is
// reported: a server that looks alive behind a dead door helps nobody.
func (s *Server) serve(d *door.Door) {
	var err error
	if road := s.roads.of(d); road != nil {
		err = s.serveRoad(d, road)
	} else {
		err = s.engine.Serve(d.Listener)
	}
	if s.closing.Load() {
		return
	}
	d.Ended()
	if err == nil {
		err = errors.New("accepting ended")
	}
	s.failed <- fmt.Errorf("listener %s: %w", d.Bound(), err)
}

// Failed reports a door that closed by itself. The sessions are still served:
// Drain is in order.
func (s *Server) Failed() <-chan error { return s.failed }

// Fatal reports that a loop or the broker died. Their state is unknown, so
// nothing is left to be drained: the process must end.
func (s *Server) Fatal() <-chan error { return s.engine.Fatal() }

// Stops are requests to stop that came through the control socket: the program
// is to call Leave, if it is to be graceful, and Drain.
func (s *Server) Stops() <-chan control.Stop { return s.stops }

// Stats asks the engine for its counters; see loop.Engine.Stats.
func (s *Server) Stats(ctx context.Context) (loop.Stats, error) { return s.engine.Stats(ctx) }

// Status is the last snapshot of everything that an operator looks at.
func (s *Server) Status() monitor.Status { return s.monitor.Status() }

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

// Addresses are the WebSocket doors' addresses as they are bound, in the order of
// --listen.
func (s *Server) Addresses() []string {
	addresses := make([]string, len(s.doors))
	for i, d := range s.doors {
		addresses[i] = d.Bound().String()
	}
	return addresses
}

// listeners are all that this server listens on.
func (s *Server) listeners() []monitor.Listener {
	all := shown(monitor.KindWebSocket, s.doors...)
	for _, one := range s.services {
		all = append(all, one.listeners()...)
	}
	if s.control != nil {
		all = append(all, shown(monitor.KindControl, s.control.door)...)
	}
	return all
}

// leaveEvery is how often Leave looks whether everybody has gone.
const leaveEvery = 100 * time.Millisecond

// Leave stops accepting and waits until every session has gone by itself, with those that
// are still on their road, or ctx ends: then its error is ctx's. Meanwhile the sessions are served as before.
// Drain is in order afterwards.
func (s *Server) Leave(ctx context.Context) error {
	err := s.beginEnd()
	s.waitServing(ctx)
	ticker := time.NewTicker(leaveEvery)
	defer ticker.Stop()
	for s.Conns()+s.roads.onRoad() > 0 {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
	return err
}

// flushAtLeast is what services have to flush, even if the sessions took all of
// the drain's time.
const flushAtLeast = time.Second

// Drain stops accepting, has everything that was accepted delivered, closes every
// session with code (1001, or 1012 before a restart) and waits for the close
// handshakes. The closes are spread over 80 % of --drain, so that the clients do
// not all come back at once (the loops do not spread a few). Where ctx ends before
// the last connection is gone, the rest is cut; the result says how many that were,
// and who has not got all that was accepted for him. The loops are stopped in any
// case. The control socket is the last to go, so that one can look on.
func (s *Server) Drain(ctx context.Context, code ws.StatusCode) (result loop.DrainResult, err error) {
	err = s.beginEnd()
	s.waitServing(ctx)
	result, drained := s.engine.Drain(ctx, code, s.Options().Drain/5*4)
	if drained != nil && ctx.Err() == nil {
		err = errors.Join(err, fmt.Errorf("drain: %w", drained))
	}
	flushing := ctx
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < flushAtLeast {
		longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushAtLeast)
		defer cancel()
		flushing = longer
	}
	return result, errors.Join(err, s.flushServices(flushing), s.end())
}

// beginEnd shuts the doors, and has the services say that the server goes.
func (s *Server) beginEnd() error {
	if s.closing.CompareAndSwap(false, true) {
		for _, one := range s.services {
			one.drain()
		}
	}
	return s.shutDoors()
}

func (s *Server) shutDoors() error {
	s.ending.Lock()
	defer s.ending.Unlock()
	return shutAll(s.doors)
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
	s.closing.Store(true)
	err := errors.Join(s.shutDoors(), s.end())
	s.serving.Wait()
	return err
}

// end ends all that is behind the doors, in the order that leaves nobody waiting
// for a goroutine that is gone. It may be done twice.
func (s *Server) end() error {
	s.ending.Lock()
	defer s.ending.Unlock()
	if s.ended {
		return nil
	}
	s.ended = true
	s.roads.close()
	if s.gate != nil {
		s.gate.close()
	}
	s.questions.close()
	err := errors.Join(s.closeServices(), s.stopProfiler())
	if s.endSampling != nil {
		s.endSampling()
		s.sampling.Wait()
	}
	if s.engine != nil {
		if closed := s.engine.Close(); closed != nil {
			err = errors.Join(err, fmt.Errorf("stop the loops: %w", closed))
		}
	}
	if s.pidFile != nil {
		err = errors.Join(err, s.pidFile.Remove())
	}
	return errors.Join(err, s.closeControl())
}

func (s *Server) stopProfiler() error {
	if s.profiler == nil {
		return nil
	}
	return s.profiler.stop()
}
