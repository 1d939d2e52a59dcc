package loop

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// brokerQuota is how many items the broker takes from one door before it looks
// at the next, and how many slots may be popped before they are handed back.
const brokerQuota = 32

// wakeState is the word that a consumer and its producers share so that no
// wake-up is lost and none is given twice.
//
// A consumer that has found nothing to do stores the state it will sleep in,
// looks once more, and only then sleeps. A producer publishes first and then
// swaps exactly that state for stateRunning; whoever succeeds owes the one
// wake-up. Since both sides' operations are sequentially consistent, either
// the consumer's second look sees the item or the producer sees the state.
type wakeState = uint32

const (
	running wakeState = iota // will look again by itself
	armed                    // a reactor idle in gnet's poll, or the broker idle: wake when there is an item
	parked                   // inside a refused push: wake when there is room, or (a reactor) an item
)

// broker puts all messages into one order and hands each to every reactor. It
// is one goroutine, the single consumer of every ingress ring and the single
// producer of every egress ring.
//
// Owner: its goroutine; Publish and the wake methods may be called from anywhere.
type broker struct {
	reactors []*reactor
	order    uint64
	barriers int  // doors that have sent their barrier
	ended    bool // the engine stopped while the broker waited for room: it takes nothing more

	state atomic.Uint32
	wakes chan struct{} // capacity one: what a sleeping broker waits on

	// The door for goroutines outside the loops: a bounded channel, and a
	// semaphore for its bytes, since both wait with a deadline and in order.
	outside chan *message
	bytes   *semaphore.Weighted
	closing sync.RWMutex  // held for reading while something is put into outside
	closed  chan struct{} // closed when draining: outside takes no more
	stopped <-chan struct{}

	published atomic.Uint64 // order, once a pass, for others to read

	// Publications from outside: taken, those that found no room at once, and
	// those of them that never did.
	outsideTaken, outsideFull, overloaded atomic.Uint64

	sinks   atomic.Pointer[[]*Sink] // read for every message, replaced under sinksMu
	sinksMu sync.Mutex
}

func newBroker(reactors []*reactor, opt *Options, stopped <-chan struct{}) *broker {
	b := &broker{
		reactors: reactors,
		wakes:    make(chan struct{}, 1),
		outside:  make(chan *message, opt.RingSlots),
		bytes:    semaphore.NewWeighted(int64(opt.RingBytes)),
		closed:   make(chan struct{}),
		stopped:  stopped,
	}
	b.sinks.Store(new([]*Sink))
	return b
}

// run orders and fans out until the engine stops. From then on it takes nothing
// more: what is still in the rings is lost with the sessions that wait for it.
func (b *broker) run() {
	for {
		moved := false
		for _, r := range b.reactors {
			moved = b.takeFrom(r) || moved
		}
		moved = b.takeOutside() || moved
		if b.ended || b.isStopped() {
			return
		}
		if moved {
			// One wake a pass and reactor, however many items it brought.
			b.published.Store(b.order)
			for _, r := range b.reactors {
				r.wake()
			}
			continue
		}
		if !b.sleep() {
			return
		}
	}
}

// takeFrom moves at most brokerQuota items from one reactor's ingress ring.
func (b *broker) takeFrom(r *reactor) bool {
	moved := false
	for range brokerQuota {
		m := r.ingress.pop()
		if m == nil {
			break
		}
		moved = true
		if b.fanOut(m); b.ended {
			break
		}
	}
	if moved {
		r.ingress.release()
		r.wakeParked() // R4: there is room for a refused push
	}
	return moved
}

// takeOutside does the same for the door of the goroutines outside.
// A publication to many groups is one item and many messages, and is not torn
// apart: the last one of a turn may pass the quota.
func (b *broker) takeOutside() bool {
	for n := 0; n < brokerQuota && !b.ended; {
		select {
		case m := <-b.outside:
			b.bytes.Release(int64(m.allBytes()))
			n += b.fanOutAll(m)
		default:
			return n > 0
		}
	}
	return true
}

// fanOutAll takes a message from outside and what comes with it, and answers
// with the last one's order. It returns how many messages that were.
func (b *broker) fanOutAll(m *message) int {
	b.fanOut(m)
	out := m.outside
	if out == nil {
		return 1 // a barrier
	}
	last := m
	for _, other := range out.also {
		if b.ended {
			return 1 // nobody waits for an answer any more
		}
		b.fanOut(other)
		last = other
	}
	if out.reply != nil {
		out.reply <- last.order
	}
	return 1 + len(out.also)
}

// fanOut stamps m and appends it to every egress ring. A barrier is held back
// until every door has sent its own: then nothing accepted before it can still
// be on its way.
//
// What is a session's own goes back where it came from, behind all that came
// from there before.
func (b *broker) fanOut(m *message) {
	to := b.reactors
	switch m.kind {
	case kindPublish:
		b.order++
		m.order = b.order
	case kindBarrier:
		if b.barriers++; b.barriers < len(b.reactors)+1 {
			return
		}
	case kindOwn:
		to = to[m.origin.reactor-1 : m.origin.reactor]
	}
	for _, r := range to {
		for !r.egress.push(m) {
			if !b.park(r, m) {
				b.ended = true
				return
			}
		}
	}
	if m.kind == kindPublish {
		for _, s := range *b.sinks.Load() {
			s.offer(m)
		}
	}
}

// park is rule R2: refused by r's egress ring, wake r (and all others) and wait
// until it has made room. It returns false when the engine stops.
func (b *broker) park(r *reactor, m *message) bool {
	for _, other := range b.reactors {
		other.wake() // the others need not wait for r with what they already have
	}
	b.state.Store(parked)
	if r.egress.room(uint64(m.size())) && b.state.CompareAndSwap(parked, running) {
		return true
	}
	return b.wait()
}

// sleep waits for an item at any door; false when the engine stops.
func (b *broker) sleep() bool {
	b.state.Store(armed)
	if b.pending() && b.state.CompareAndSwap(armed, running) {
		return true
	}
	return b.wait()
}

func (b *broker) isStopped() bool {
	select {
	case <-b.stopped:
		return true
	default:
		return false
	}
}

// wait is where both of them sleep; false when the engine stops.
func (b *broker) wait() bool {
	select {
	case <-b.wakes:
		return true
	case <-b.stopped:
		return false
	}
}

func (b *broker) pending() bool {
	for _, r := range b.reactors {
		if !r.ingress.empty() {
			return true
		}
	}
	return len(b.outside) > 0
}

// wakeFrom wakes the broker if it sleeps in the given state. It never blocks: a
// token that is there already wakes as well as a second one would. There can be
// one once the engine has stopped, since a broker that leaves does not take it.
func (b *broker) wakeFrom(state wakeState) {
	if b.state.Load() == state && b.state.CompareAndSwap(state, running) {
		select {
		case b.wakes <- struct{}{}:
		default:
		}
	}
}

// Errors of Publish. They may be compared with errors.Is.
var (
	ErrDraining   = errors.New("draining: no new messages are taken")
	ErrOverloaded = errors.New("overloaded: the ring stayed full")
)

// publish hands in a message from outside the loops and waits for its order.
func (b *broker) publish(ctx context.Context, m *message) (order uint64, err error) {
	reply := make(chan uint64, 1)
	m.outside.reply = reply
	if err := b.enter(ctx, m); err != nil {
		if errors.Is(err, ErrOverloaded) {
			b.overloaded.Add(1)
		}
		return 0, err
	}
	b.outsideTaken.Add(1)
	select {
	case order := <-reply:
		return order, nil
	case <-b.stopped:
		return 0, ErrClosed
	case <-ctx.Done():
		// It is in the ring and will be delivered; only its order is not known.
		return 0, ctx.Err()
	}
}

// enter puts m into the outside door, waiting for room until ctx ends.
func (b *broker) enter(ctx context.Context, m *message) error {
	if err := b.acquire(ctx, m); err != nil {
		return err
	}
	b.closing.RLock()
	defer b.closing.RUnlock()
	err := ErrDraining
	select {
	case <-b.closed:
	default:
		if b.tryEnter(m) {
			return nil
		}
		b.outsideFull.Add(1)
		select {
		case b.outside <- m:
			b.wakeFrom(armed)
			return nil
		case <-b.closed: // so that nobody who waits for room holds up the drain
		case <-b.stopped:
			err = ErrClosed
		case <-ctx.Done():
			err = ErrOverloaded
		}
	}
	b.bytes.Release(int64(m.allBytes()))
	return err
}

func (b *broker) tryEnter(m *message) bool {
	select {
	case b.outside <- m:
		b.wakeFrom(armed)
		return true
	default:
		return false
	}
}

// acquire waits for the bytes of m. The semaphore knows only contexts, so who
// has to wait needs one that ends with the engine too.
func (b *broker) acquire(ctx context.Context, m *message) error {
	n := int64(m.allBytes())
	if b.bytes.TryAcquire(n) {
		return nil
	}
	b.outsideFull.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-b.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	if b.bytes.Acquire(ctx, n) == nil {
		return nil
	}
	select {
	case <-b.stopped:
		return ErrClosed
	default:
		return ErrOverloaded
	}
}

// closeOutside refuses further messages from outside and sends that door's
// barrier behind the last one taken.
func (b *broker) closeOutside(ctx context.Context) error {
	m := &message{kind: kindBarrier}
	if err := b.acquire(ctx, m); err != nil {
		return cmp.Or(ctx.Err(), err)
	}
	close(b.closed)
	b.closing.Lock()   // until those who were putting something in are done
	b.closing.Unlock() //nolint:staticcheck // an empty section is the point: it is a wait
	select {
	case b.outside <- m:
		b.wakeFrom(armed)
		return nil
	case <-b.stopped:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}
