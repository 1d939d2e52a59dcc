package order

import (
	"sync"
	"sync/atomic"
)

// Broker puts all messages into one order and hands each to every port. It is
// the single consumer of every ingress ring and the single producer of every egress
// ring: one goroutine at a time, which has taken the sleeper's word to running. That
// is the broker's own, in Run, or for one pass a loop's (stepIn).
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

// Held is how many bytes wait in the rings, in the door and for the sinks. A message that is
// on its way to several loops counts once. For any goroutine.
func (b *Broker) Held() (n int64) {
	n = b.door.held.Load()
	most := int64(0)
	for _, p := range b.ports {
		n += p.ingress.held()
		most = max(most, p.egress.held())
	}
	for _, s := range *b.sinks.Load() {
		n += s.bytes.Load()
	}
	return n + most
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
		p.broker, p.stepIn, p.stopped = &b.sleeper, b.stepIn, stopped
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
			b.door.release(m)
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
	out := m.Outside
	if out != nil && len(out.also) > 0 {
		m.Frame.sharers = uint16(1 + len(out.also))
	}
	b.fanOut(m)
	if out == nil {
		return 1 // a barrier
	}
	last := m
	for _, other := range out.also {
		other.Frame.sharers = m.Frame.sharers
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
// from there before. A gap goes to every ring without a stamp.
func (b *Broker) fanOut(m *Message) {
	to := b.ports
	switch m.Kind {
	case KindPublish:
		b.order++
		m.Frame.Stamp(b.order, b.order)
		if len(b.keeper.groups) > 0 {
			b.keeper.note(m)
		}
	case KindUsers:
		b.order++
		m.Frame.Stamp(b.order, b.order)
	case KindGap:
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
	case KindPublish, KindUsers:
		for _, s := range *b.sinks.Load() {
			s.offer(m)
		}
	case KindBarrier:
		b.drained.Store(true) // before the list is read: see NewSink
		for _, s := range *b.sinks.Load() {
			s.drain()
		}
	case KindOwn, KindKeep, KindGap:
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

// stepIn has the broker take what a loop has published. If the broker's goroutine is
// asleep, the calling loop does one pass in its place, as far as that goes without
// waiting: no other goroutine has to be scheduled before the message can come back.
// The broker's goroutine is woken for what is left then, since only it may wait (R2).
func (b *Broker) stepIn() {
	if b.sleeper.state.Load() != armed || !b.sleeper.state.CompareAndSwap(armed, running) {
		return // some goroutine is the broker, and looks once more before it sleeps
	}
	if b.isStopped() {
		return
	}
	if b.passWithoutWaiting() {
		b.sleeper.state.Store(armed)
		if !b.pending() || !b.sleeper.state.CompareAndSwap(armed, running) {
			if len(*b.sinks.Load()) > 0 {
				GiveWay() // their readers have been made runnable
			}
			return
		}
	}
	b.sleeper.wake()
	GiveWay()
}

// passWithoutWaiting is one pass of the broker over the loops' doors. It reports
// whether it took all that such a pass takes: it leaves what some egress ring has no
// room for.
func (b *Broker) passWithoutWaiting() bool {
	all := true
	for _, p := range b.ports {
		n := 0
		for ; n < perTurn; n++ {
			m := p.ingress.peek()
			if m == nil {
				break
			}
			if !b.roomFor(m) {
				all = false
				break
			}
			p.ingress.pop()
			b.fanOut(m)
		}
		if n > 0 {
			p.ingress.release()
			p.wakeParked() // R4
		}
	}
	b.published.Store(b.order)
	for _, p := range b.ports {
		p.wake()
	}
	return all
}

// roomFor reports whether every egress ring would take m now. There is no other
// producer who could take that room meanwhile.
func (b *Broker) roomFor(m *Message) bool {
	size := uint64(m.Size())
	for _, p := range b.ports {
		if !p.egress.room(size) {
			return false
		}
	}
	return true
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
