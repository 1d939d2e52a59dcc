package order

import (
	"sync"
	"sync/atomic"
)

// quota is how many items the broker takes from one door before it looks
// at the next, and how many slots may be popped before they are handed back.
const quota = 32

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

// Broker puts all messages into one order and hands each to every port. It is
// one goroutine, the single consumer of every ingress ring and the single
// producer of every egress ring.
//
// Owner: its goroutine, which is in Run; the other exported methods may be called
// from anywhere.
type Broker struct {
	ports    []*Port
	order    uint64
	epoch    uint64
	barriers int  // doors that have sent their barrier
	ended    bool // the engine stopped while the broker waited for room: it takes nothing more

	state   atomic.Uint32
	wakes   chan struct{} // capacity one: what a sleeping broker waits on
	stopped <-chan struct{}
	door    door // of the goroutines outside the loops

	published atomic.Uint64 // order, once a pass, for others to read

	sinks   atomic.Pointer[[]*Sink] // read for every message, replaced under sinksMu
	sinksMu sync.Mutex
}

// Stats are a broker's counters and gauges.
type Stats struct {
	Order   uint64 // the last one given, at most a pass ago
	Outside DoorStats
	Sinks   []SinkStats
}

// NewBroker makes the broker of these ports. Its door for goroutines outside holds
// slots publications and bytes. It ends, and nobody waits for it any more, when
// stopped is closed. epoch tells its order from that of an earlier life.
func NewBroker(ports []*Port, slots, bytes int, epoch uint64, stopped <-chan struct{}) *Broker {
	b := &Broker{
		ports:   ports,
		epoch:   epoch,
		wakes:   make(chan struct{}, 1),
		stopped: stopped,
		door:    newDoor(slots, bytes),
	}
	for i, p := range ports {
		p.index, p.broker, p.stopped = i, b, stopped
	}
	b.sinks.Store(new([]*Sink))
	return b
}

// Epoch tells this broker's order from that of any other life of the process.
func (b *Broker) Epoch() uint64 { return b.epoch }

// Stats returns a snapshot.
func (b *Broker) Stats() Stats {
	s := Stats{Order: b.published.Load(), Outside: b.door.stats()}
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
		if !b.sleep() {
			return
		}
	}
}

// takeFrom moves at most quota items from one port's ingress ring.
func (b *Broker) takeFrom(p *Port) bool {
	moved := false
	for range quota {
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
// apart: the last one of a turn may pass the quota.
func (b *Broker) takeOutside() bool {
	for n := 0; n < quota && !b.ended; {
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
	case KindBarrier:
		if b.barriers++; b.barriers < len(b.ports)+1 {
			return
		}
	case KindOwn:
		to = to[m.Origin.reactor-1 : m.Origin.reactor]
	}
	for _, p := range to {
		for !p.Put(m) {
			if !b.park(p, m) {
				b.ended = true
				return
			}
		}
	}
	if m.Kind == KindPublish {
		for _, s := range *b.sinks.Load() {
			s.offer(m)
		}
	}
}

// park is rule R2: refused by p's egress ring, wake p (and all others) and wait
// until it has made room. It returns false when the engine stops.
func (b *Broker) park(p *Port, m *Message) bool {
	for _, other := range b.ports {
		other.wake() // the others need not wait for p with what they already have
	}
	b.state.Store(parked)
	if p.egress.room(uint64(m.Size())) && b.state.CompareAndSwap(parked, running) {
		return true
	}
	return b.wait()
}

// sleep waits for an item at any door; false when the engine stops.
func (b *Broker) sleep() bool {
	b.state.Store(armed)
	if b.pending() && b.state.CompareAndSwap(armed, running) {
		return true
	}
	return b.wait()
}

func (b *Broker) isStopped() bool {
	select {
	case <-b.stopped:
		return true
	default:
		return false
	}
}

// wait is where both of them sleep; false when the engine stops.
func (b *Broker) wait() bool {
	select {
	case <-b.wakes:
		return true
	case <-b.stopped:
		return false
	}
}

func (b *Broker) pending() bool {
	for _, p := range b.ports {
		if !p.ingress.empty() {
			return true
		}
	}
	return len(b.door.items) > 0
}

// wakeFrom wakes the broker if it sleeps in the given state. It never blocks: a
// token that is there already wakes as well as a second one would. There can be
// one once the engine has stopped, since a broker that leaves does not take it.
func (b *Broker) wakeFrom(state wakeState) {
	if b.state.Load() == state && b.state.CompareAndSwap(state, running) {
		select {
		case b.wakes <- struct{}{}:
		default:
		}
	}
}
