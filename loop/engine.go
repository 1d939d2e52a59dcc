package loop

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"groupcast/loop/accept"
	"groupcast/loop/order"
	"groupcast/loop/quota"
	"groupcast/loop/reactor"
)

// Engine is the reactors, the broker between them, and the way in for
// connections. It may be used from any goroutine.
type Engine struct {
	opt    atomic.Pointer[Options] // what it points to is never changed: see Reconfigure
	log    *slog.Logger
	shared *reactor.Shared

	client    *gnet.Client // its loops are the reactors; it has no listener
	reactors  []*reactor.Reactor
	enrollers []*enroller                         // by the reactor's index
	rotated   []*enroller                         // enrollers twice, so that any of them can be the first
	byLoop    map[gnet.EventLoop]*reactor.Reactor // written before the first connection, then only read
	broker    *order.Broker

	// Counted by acceptors and enrollers.
	accepted     atomic.Uint64
	acceptErrors atomic.Uint64
	// Connections answered 503, by the limit.
	refusedConns      atomic.Uint64
	refusedHandshakes atomic.Uint64
	refusedPerIP      atomic.Uint64
	refusedDraining   atomic.Uint64

	stalls      atomic.Uint64
	refuser     *accept.Refuser
	enrolled    chan struct{}         // capacity one: a loop has taken a connection
	enrolFailed atomic.Pointer[error] // the last enrolment that failed, until an acceptor has seen it

	draining      atomic.Bool
	followed      atomic.Bool // there is a Members
	stopped       chan struct{}
	stopOnce      sync.Once
	closeErr      error
	reconfiguring sync.Mutex   // one Reconfigure at a time
	gate          sync.RWMutex // held for reading where something begins that Close must wait for
	closed        bool         // guarded by gate
	fatal         chan error
	workers       sync.WaitGroup // broker, clock, writable helpers
	serving       sync.WaitGroup // acceptors
	enrolling     sync.WaitGroup // enrollers

	retick chan time.Duration // capacity one: how often the clock ticks from now on
}

// New starts the reactors and the broker. It does not listen: see Serve.
func New(o Options) (*Engine, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	e := &Engine{
		log:      o.Logger,
		byLoop:   make(map[gnet.EventLoop]*reactor.Reactor, o.Loops),
		refuser:  accept.NewRefuser(o.MaxRefusals),
		enrolled: make(chan struct{}, 1),
		stopped:  make(chan struct{}),
		fatal:    make(chan error, 1),
		retick:   make(chan time.Duration, 1),
	}
	e.opt.Store(&o)
	if e.log == nil {
		e.log = slog.Default()
	}
	e.shared = &reactor.Shared{
		Start:     time.Now(),
		Log:       e.log,
		Stopped:   e.stopped,
		Fail:      e.fail,
		Addresses: quota.New[netip.Addr](o.MaxConnsPerIP),
		Members:   quota.New[string](o.MaxMembers),
	}
	for i := range o.Loops {
		r, err := reactor.New(e.shared, i, &o)
		if err != nil {
			e.releaseReactors()
			return nil, err
		}
		e.reactors = append(e.reactors, r)
		e.enrollers = append(e.enrollers, newEnroller(e, r))
	}
	e.rotated = slices.Concat(e.enrollers, e.enrollers)
	ports := make([]*order.Port, len(e.reactors))
	for i, r := range e.reactors {
		ports[i] = r.Port()
	}
	e.broker = order.NewBroker(ports, o.RingSlots, o.RingBytes, e.stopped)
	if err := e.startLoops(); err != nil {
		return nil, err
	}
	e.workers.Go(e.broker.Run)
	e.workers.Go(e.clock)
	for _, r := range e.reactors {
		e.workers.Go(r.WatchWritable)
	}
	for _, n := range e.enrollers {
		e.enrolling.Go(n.run)
	}
	return e, nil
}

// options are those in force.
func (e *Engine) options() *Options { return e.opt.Load() }

// startLoops starts gnet's loops and finds them: one socket pair enrolled for
// each, which gnet spreads one to a loop and which stays as its yield channel.
func (e *Engine) startLoops() error {
	client, err := gnet.NewClient(e,
		gnet.WithNumEventLoop(e.options().Loops),
		gnet.WithReadBufferCap(64<<10),
		gnet.WithTCPNoDelay(gnet.TCPDelay), // Go's listener has set it already: save the call
		gnet.WithLogger(newGnetLogger(e.log)),
	)
	if err == nil {
		err = client.Start()
	}
	if err != nil {
		e.releaseReactors()
		return fmt.Errorf("start event loops: %w", err)
	}
	e.client = client
	for _, r := range e.reactors {
		if err := e.bind(r); err != nil {
			e.releaseReactors()
			return errors.Join(err, client.Stop())
		}
	}
	return nil
}

// bind gives r the next loop.
func (e *Engine) bind(r *reactor.Reactor) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return fmt.Errorf("control socket: %w", os.NewSyscallError("socketpair", err))
	}
	for _, fd := range pair {
		unix.CloseOnExec(fd)
	}
	r.Bind(nil, pair[1]) // its own from here on
	if err := unix.SetNonblock(pair[1], true); err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	file := os.NewFile(uintptr(pair[0]), "control")
	conn, err := net.FileConn(file)
	_ = file.Close()
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	c, err := e.client.EnrollContext(conn, r)
	if err != nil {
		return fmt.Errorf("enrol control socket: %w", err)
	}
	r.Bind(c.EventLoop(), pair[1])
	if other := e.byLoop[r.Loop()]; other != nil {
		return fmt.Errorf("reactors %d and %d got the same event loop", other.Index(), r.Index())
	}
	e.byLoop[r.Loop()] = r
	return nil
}

// Fatal delivers the reason why the engine cannot go on: the process should
// exit and be restarted. A panic outside a session's own code is not caught
// and ends the process by itself.
func (e *Engine) Fatal() <-chan error { return e.fatal }

func (e *Engine) fail(err error) {
	select {
	case <-e.stopped: // errors of going down
	case e.fatal <- err:
	default:
	}
}

// Close ends the engine at once: the remaining connections are closed without
// ceremony. It waits for its goroutines.
func (e *Engine) Close() error {
	e.stopOnce.Do(func() {
		e.gate.Lock()
		e.closed = true
		e.gate.Unlock()
		close(e.stopped)
		for _, r := range e.reactors {
			r.StopWritable()
		}
		e.serving.Wait() // an enrolment would wait for ever on a loop that is gone,
		e.refuser.Wait()
		for _, n := range e.enrollers {
			close(n.pending)
		}
		e.enrolling.Wait()
		e.workers.Wait() // and nobody may wake one
		e.closeErr = e.client.Stop()
		e.releaseReactors()
	})
	return e.closeErr
}

func (e *Engine) releaseReactors() {
	for _, r := range e.reactors {
		r.Release()
	}
}
