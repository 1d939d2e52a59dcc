package loop

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"groupcast/loop/accept"
	"groupcast/loop/order"
	"groupcast/loop/quota"
	"groupcast/loop/reactor"
)

// How an engine is put together.

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
		Budget:    o.Budget,
		IPv6Bits:  o.IPv6PrefixBits,
		Uncounted: o.UncountedIPs,
		Addresses: quota.New[netip.Prefix](o.MaxConnsPerIP),
		Users:     quota.New[string](o.MaxConnsPerUser),
		Members:   quota.New[string](o.MaxMembers),
		AcksWait:  make(chan struct{}, 1),
	}
	for i := range o.Loops {
		r, err := reactor.New(e.shared, i, &o)
		if err != nil {
			e.releaseReactors()
			return nil, err
		}
		e.reactors = append(e.reactors, r)
		e.enrollers = append(e.enrollers, newEnroller(e.shared.Start, r))
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
	e.countMemory(o.Budget)
	for _, r := range e.reactors {
		e.workers.Go(r.WatchWritable)
	}
	for _, n := range e.enrollers {
		e.enrolling.Go(func() { e.answerEnrolments(n) })
	}
	return e, nil
}

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
