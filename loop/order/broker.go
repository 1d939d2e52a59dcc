package order

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Broker puts all messages into one order and hands each to every port. It is
// the single consumer of every ingress ring and the single producer of every egress
// ring: one goroutine at a time, which has taken the sleeper's word to running. That
// is the broker's own, in Run, or for one pass a loop's (stepin.go).
//
// Owner: that goroutine; the other exported methods may be called from anywhere.
type Broker struct {
	ports    []*Port
	epoch    Epoch // of order
	order    uint64
	keeper   keeper
	barriers int  // doors that have sent their barrier
	ended    bool // the engine stopped while the broker waited for room: it takes nothing more

	sleeper sleeper // the broker's own sleep
	stopped <-chan struct{}
	door    door // of the goroutines outside the loops

	published atomic.Uint64 // order, once a pass, for others to read

	sinks   atomic.Pointer[[]*Sink] // read for every message, replaced under sinksMu
	sinksMu sync.Mutex
	drained atomic.Bool // the barrier has gone out: sinks that come now have it already
}

// Stats are a broker's counters and gauges.
type Stats struct {
	Order   uint64 // the last one given, at most a pass ago
	Kept    int    // groups that Keep was called for
	Outside DoorStats
	Sinks   []SinkStats
}

// NewBroker makes the broker of these ports. Its door for goroutines outside holds
// slots publications and bytes. It ends, and nobody waits for it any more, when
// stopped is closed. A port's place in ports is its reactor's index, as session ids
// have it.
func NewBroker(ports []*Port, slots, bytes int, stopped <-chan struct{}) *Broker {
	b := &Broker{
		ports:   ports,
		epoch:   newEpoch(),
		sleeper: newSleeper(stopped),
		stopped: stopped,
	}
	b.door = newDoor(slots, bytes, &b.sleeper, stopped)
	for _, p := range ports {
		p.broker, p.stopped = b, stopped
	}
	b.sinks.Store(new([]*Sink))
	return b
}

// Epoch names this run of the order. For any goroutine.
func (b *Broker) Epoch() Epoch { return b.epoch }

// Stats returns a snapshot.
func (b *Broker) Stats() Stats {
	s := Stats{Order: b.published.Load(), Kept: int(b.keeper.size.Load()), Outside: b.door.stats()}
	for _, sink := range *b.sinks.Load() {
		s.Sinks = append(s.Sinks, sink.Stats())
	}
	return s
}

// Run orders and fans out until the engine stops. From then on it takes nothing
// more: what is still in the rings is lost with the sessions that wait for it.
func (b *Broker) Run() {
	for {
		moved := false
		for _, p := range b.ports {
			moved = b.takeFrom(p) || moved
		}
		moved = b.takeOutside() || moved
		if b.ended || b.isStopped() {
			return
		}
		if moved {
			// One wake a pass and port, however many items it brought.
			b.published.Store(b.order)
			for _, p := range b.ports {
				p.wake()
			}
			continue
		}
		if !b.sleeper.sleep(armed, b.pending) {
			return
		}
	}
}

// takeFrom moves at most perTurn items from one port's ingress ring.
func (b *Broker) takeFrom(p *Port) bool {
	moved := false
	for range perTurn {
		m := p.ingress.pop()
		if m == nil {
			break
		}
		moved = true
		if b.fanOut(m); b.ended {
			break
		}
	}
	if moved {
		p.ingress.release()
		p.wakeParked() // R4: there is room for a refused push
	}
	return moved
}

// takeOutside does the same for the door of the goroutines outside.
// A publication to many groups is one item and many messages, and is not torn
// apart: the last one of a turn may pass perTurn.
func (b *Broker) takeOutside() bool {
	for n := 0; n < perTurn && !b.ended; {
		select {
		case m := <-b.door.items:
			b.door.bytes.Release(int64(m.SizeWithGroups()))
			n += b.fanOutAll(m)
		default:
			return n > 0
		}
	}
	return true
}

// fanOutAll takes a message from outside and what comes with it, and answers
// with the last one's order. It returns how many messages that were.
func (b *Broker) fanOutAll(m *Message) int {
	b.fanOut(m)
	out := m.Outside
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
		out.reply <- last.Order()
	}
	return 1 + len(out.also)
}

// fanOut stamps m and appends it to every egress ring. A barrier is held back
// until every door has sent its own: then nothing accepted before it can still
// be on its way.
//
// What is a session's own goes back where it came from, behind all that came
// from there before.
func (b *Broker) fanOut(m *Message) {
	to := b.ports
	switch m.Kind {
	case KindPublish:
		b.order++
		m.Frame.First, m.Frame.Last = b.order, b.order
		if len(b.keeper.groups) > 0 {
			b.keeper.note(m)
		}
	case KindBarrier:
		if b.barriers++; b.barriers < len(b.ports)+1 {
			return
		}
	case KindOwn:
		to = to[m.Origin.reactor-1 : m.Origin.reactor]
	case KindKeep:
		b.keeper.answer(m, b.order)
		return
	}
	for _, p := range to {
		for !p.Put(m) {
			if !b.park(p, m) {
				b.ended = true
				return
			}
		}
	}
	switch m.Kind {
	case KindPublish:
		for _, s := range *b.sinks.Load() {
			s.offer(m)
		}
	case KindBarrier:
		b.drained.Store(true) // before the list is read: see NewSink
		for _, s := range *b.sinks.Load() {
			s.drain()
		}
	case KindOwn, KindKeep:
	}
}

// park is rule R2: refused by p's egress ring, wake p (and all others) and wait
// until it has made room. It returns false when the engine stops.
func (b *Broker) park(p *Port, m *Message) bool {
	for _, other := range b.ports {
		other.wake() // the others need not wait for p with what they already have
	}
	return b.sleeper.sleep(parked, func() bool { return p.egress.room(uint64(m.Size())) })
}

func (b *Broker) isStopped() bool {
	select {
	case <-b.stopped:
		return true
	default:
		return false
	}
}

// pending reports whether there is an item at any door. It is asked after the broker
// has announced its sleep, when another goroutine may step in: it looks at what is
// published only.
func (b *Broker) pending() bool {
	for _, p := range b.ports {
		if p.ingress.len() > 0 {
			return true
		}
	}
	return len(b.door.items) > 0
}

// Publish hands in a message from outside the loops and waits for its order, the
// last one's if it has several groups. ErrOverloaded means that there was no room
// until ctx ended, and that nothing was published; ctx's own error that it was, and
// that only its order is not known.
func (b *Broker) Publish(ctx context.Context, m *Message) (order uint64, err error) {
	return b.door.publish(ctx, m)
}

// Submit is Publish without the wait for the order: what one goroutine submits
// keeps its sequence.
func (b *Broker) Submit(ctx context.Context, m *Message) error { return b.door.submit(ctx, m) }

// CloseOutside refuses further messages from outside and sends that door's
// barrier behind the last one taken.
func (b *Broker) CloseOutside(ctx context.Context) error { return b.door.close(ctx) }

// Keep has the broker keep the state of a group from here on, and returns what it keeps:
// an item of the order, so that all messages in front of it are in the answer, and none
// behind it. It costs each message a look into a map while any group is kept. The error is
// ErrTooManyKept, one of Publish's, or ctx's: then the group may be kept.
func (b *Broker) Keep(ctx context.Context, group string) (Kept, error) {
	return b.askKeeper(ctx, group, false)
}

// Forget ends what Keep began, and returns what was kept: the zero Kept if nothing was.
func (b *Broker) Forget(ctx context.Context, group string) (Kept, error) {
	return b.askKeeper(ctx, group, true)
}

func (b *Broker) askKeeper(ctx context.Context, group string, forget bool) (Kept, error) {
	ask := &keepOrder{forget: forget, reply: make(chan keepAnswer, 1)}
	m := &Message{Kind: KindKeep, Outside: &Outside{keep: ask}}
	m.Frame.Group = strings.Clone(group)
	if err := b.door.enter(ctx, m); err != nil {
		return Kept{}, fmt.Errorf("keep a group: %w", err)
	}
	select {
	case a := <-ask.reply:
		return a.kept, a.err
	case <-b.stopped:
		return Kept{}, ErrClosed
	case <-ctx.Done():
		return Kept{}, ctx.Err()
	}
}

// NewSink adds a way out. Only messages ordered after it returns are sure to come.
func (b *Broker) NewSink(o SinkOptions) *Sink {
	s := newSink(o, b.epoch, b.stopped)
	s.leave = func() {
		b.changeSinks(func(list []*Sink) []*Sink {
			return slices.DeleteFunc(slices.Clone(list), func(other *Sink) bool { return other == s })
		})
	}
	b.changeSinks(func(list []*Sink) []*Sink { return append(slices.Clone(list), s) })
	if b.drained.Load() {
		s.drain()
	}
	return s
}

// changeSinks replaces the list that the broker reads.
func (b *Broker) changeSinks(change func([]*Sink) []*Sink) {
	b.sinksMu.Lock()
	defer b.sinksMu.Unlock()
	list := change(*b.sinks.Load())
	b.sinks.Store(&list)
}
