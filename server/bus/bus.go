package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"groupcast/loop"
	"groupcast/loop/ration"
	"groupcast/protocol/subject"
	"groupcast/server/bus/interest"
)

// Bus joins this node to all others on the same NATS. Its methods may be called from any
// goroutine.
type Bus struct {
	opt      Options
	info     Info
	log      *slog.Logger
	ration   *ration.Logger
	engine   *loop.Engine
	epoch    uint64
	subjects subjects
	sink     *loop.Sink
	interest *interest.Interest
	conn     atomic.Pointer[nats.Conn] // another one where NATS has ended it for good
	state    *tracker

	stop       context.Context
	cancel     context.CancelFunc
	connecting sync.Mutex // one connect, or the end, at a time
	// over is closed when nats.go calls nothing more for the connection. connecting guards it.
	over    <-chan struct{}
	running sync.WaitGroup
	// drained is closed once the others have all that this node had for them.
	drained chan struct{}

	// The channels between the goroutines. In front stands the one that receives.
	in       chan *nats.Msg // the reader: all that NATS brings
	parcels  chan parcel    // the writer: messages of the sink
	requests chan request   // the writer: all else that is to be published
	turns    chan struct{}  // the writer: the connection has come or gone
	healed   chan uint64    // the writer: the others are back, or were waited for long enough
	told     chan told      // the reader: what the writer and the confirmer have to tell it
	flushes  chan flush     // the confirmer: flushes that the writer asks for
	waiters  chan waiter    // the replier: publications that are asked for their place
	wantName chan struct{}  // the keeper of the name: ask for it
	first    chan struct{}  // the start: the connection has come

	// dials counts attempts to connect, each before it begins: messages that NATS brings afterwards may be
	// of another connection.
	dials     atomic.Uint64
	connected atomic.Bool
	named     atomic.Bool // the name is this node's
	nameTaken atomic.Bool // another node has it
	// listening is the connection by which the subject of that name is subscribed to: takeName subscribes
	// while the node asks for the name, and the writer where the node has it.
	listening atomic.Pointer[nats.Conn]
	written   atomic.Uint64 // the last place that was written
	switching atomic.Uint64 // the change in which messages come by their own subject and by the wildcard; 0: none
	joined    atomic.Bool   // messages go to the other nodes at once
	everUp    atomic.Bool
	doubts    atomic.Int64 // nodes of which it is not known yet what was missed
	overflow  atomic.Bool  // nats.go has dropped messages
	// generation counts how often the other nodes have taken this one in: it is raised when they have
	// counted it out.
	generation atomic.Uint64
	waiting    atomic.Int64 // since when the pump waits for the writer, in Unix nanoseconds; 0: it does not
	late       atomic.Int64 // answers that are to come late
	asking     atomic.Int64 // questions of other nodes that are being answered
	nodes      atomic.Pointer[[]Node]
	alive      atomic.Int64 // of them, those that count
	samples    samples
	born       time.Time
	reached    atomic.Int64 // when the server was, last, since born; 0: never
	questions  questions
	removeWait time.Duration // removeWait, unless a test has more time
	watch      watch
	newcomer   chan struct{} // the announcer: there is a node that knows nothing yet
	asked      asked
	forbidden  forbidden
	count      Counters
	roundTrip  atomic.Int64 // nanoseconds
	buffered   atomic.Int64 // bytes that are kept for when the bus is back
}

// lost has the members of groups told that they have missed something: of those with these
// hashes, or of all.
func (b *Bus) lost(why cause, hashes map[uint64]struct{}, all bool) {
	b.count.LostGroups[why].Add(1)
	b.ration.Warn("bus: messages of others were missed here, and members are told", "cause", why.String(),
		"groups", len(hashes), "all", all)
	b.interest.Lost(func(hash uint64) bool {
		_, there := hashes[hash]
		return there
	}, all)
}

// Info is what a node tells of itself, and what it asks the process for.
type Info struct {
	Program string // its version
	Host    string
	PID     int
	// Joined says that it is a worker of another program's Channel server.
	Joined bool
	// Load is asked once a second: it must not wait.
	Load func() (sessions, groups int)
}

// ErrNameTaken is the answer to a start where another node has this one's name, and lives.
var ErrNameTaken = errors.New("another node of that name is in the cluster")

// Start joins the cluster. From here on joins of the engine's sessions wait for the bus, so it
// is called before the engine serves anybody. That NATS is not there is an error with
// Require only; ErrNameTaken, where it is there and another node answers to the name.
func Start(o Options, engine *loop.Engine, info Info) (*Bus, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	prefix, err := subject.ParsePrefix(o.Prefix)
	if err != nil {
		return nil, fmt.Errorf("prefix: %w", err)
	}
	b := &Bus{
		opt: o, info: info, log: o.Logger, engine: engine, epoch: uint64(engine.Epoch()),
		subjects:   subjectsOf(prefix, o.Node),
		drained:    make(chan struct{}),
		removeWait: removeWait,
		in:         make(chan *nats.Msg, o.Inbound),
		parcels:    make(chan parcel, 1),
		requests:   make(chan request, maxRequests),
		turns:      make(chan struct{}, 1),
		healed:     make(chan uint64, 1),
		told:       make(chan told, 16),
		flushes:    make(chan flush, 16),
		waiters:    make(chan waiter, maxWaiters),
		wantName:   make(chan struct{}, 1),
		newcomer:   make(chan struct{}, 1),
		first:      make(chan struct{}, 1),
		born:       time.Now(),
	}
	if b.log == nil {
		b.log = slog.Default()
	}
	b.log = b.log.With("node", o.Node)
	b.ration = ration.New(b.log)
	b.nodes.Store(new([]Node))
	b.stop, b.cancel = context.WithCancel(context.Background())
	if err := b.start(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *Bus) start() error {
	members, err := b.engine.FollowMembers(b.stop, loop.DefaultMembersLimit)
	if err != nil {
		return fmt.Errorf("follow the members: %w", err)
	}
	b.engine.SetCoverage(loop.CoverageAway)
	b.sink = b.engine.NewSink(loop.SinkOptions{
		Name: "nats", MaxMessages: b.opt.SinkMessages, MaxBytes: b.opt.SinkBytes,
		SkipOwn: true, SayDrained: true, Users: true, NameMissed: true,
	})
	if b.opt.Down == DownRefuse {
		b.engine.RefusePublications(b.sink)
	}
	o := interest.DefaultOptions(b.engine.Loops())
	o.Subjects, o.Linger, o.Log = b.opt.Subjects, b.opt.Linger, b.log
	o.Pace = b.pace
	o.NarrowAfter = b.opt.narrowAfter
	if b.interest, err = interest.New(loops{b.engine, b}, members, o); err != nil {
		members.Close()
		return err
	}
	b.running.Go(func() {
		defer members.Close()
		if err := b.interest.Run(b.stop); err != nil && !errors.Is(err, loop.ErrClosed) {
			b.log.Error("bus: joins and leaves are followed no more", "error", err)
		}
	})
	b.state = newTracker(b.opt, b.log)
	if err := b.connect(); err != nil {
		return err
	}
	b.running.Go(b.pump)
	b.running.Go(newReader(b).run)
	b.running.Go(newWriter(b).run)
	b.running.Go(b.confirm)
	b.running.Go(b.reply)
	b.running.Go(b.announce)
	if err := b.firstName(); err != nil {
		return err
	}
	b.running.Go(b.keepName)
	b.awaitCoverage()
	return nil
}

// Close leaves the cluster at once: what the sink still has is not sent.
func (b *Bus) Close() error {
	b.cancel()
	if b.sink != nil {
		b.sink.Close()
	}
	b.disconnect()
	b.running.Wait()
	b.engine.SetCoverage(loop.CoverageOff)
	b.engine.RefusePublications(nil)
	return nil
}

// Flush returns once the NATS server has all that the broker had ordered before a drain, at
// once where the bus is away, or with ctx's error.
func (b *Bus) Flush(ctx context.Context) error {
	select {
	case <-b.drained:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
