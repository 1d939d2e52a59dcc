package loop

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"

	"groupcast/loop/accept"
	"groupcast/loop/order"
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
	refusedPerUser    atomic.Uint64
	refusedDraining   atomic.Uint64
	refusedMemory     atomic.Uint64

	stalls      atomic.Uint64
	refuser     *accept.Refuser
	enrolled    chan struct{}         // capacity one: a loop has taken a connection
	enrolFailed atomic.Pointer[error] // the last enrolment that failed, until an acceptor has seen it

	joining joinWaiters // for the bus to cover a group, outside the loops

	refusing      atomic.Pointer[Sink] // whose owner alone may publish; nil: everybody may
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
	serving       sync.WaitGroup // acceptors, and limits that change
	enrolling     sync.WaitGroup // enrollers

	retick chan time.Duration // capacity one: how often the clock ticks from now on
}

// Loops is how many event loops there are.
func (e *Engine) Loops() int { return len(e.reactors) }

// options are those in force.
func (e *Engine) options() *Options { return e.opt.Load() }

// begin counts something that Close waits for, unless the engine is closed.
func (e *Engine) begin() bool {
	e.gate.RLock()
	defer e.gate.RUnlock()
	if !e.closed {
		e.serving.Add(1)
	}
	return !e.closed
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
