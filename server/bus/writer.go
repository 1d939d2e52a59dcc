package bus

import (
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"groupcast/loop/budget"
	"groupcast/server/bus/interest"
	"groupcast/server/bus/sent"
	"groupcast/server/bus/wire"
)

// writer alone publishes and subscribes, since every call of the connection may wait for a
// server that stands still. What it does is in one order: what a node reads of another's
// place, or of a marker behind subscriptions, rests on that.
//
// Owner: its goroutine.
type writer struct {
	b  *Bus
	at stage
	// conn is the one in use, which has the subscriptions.
	conn *nats.Conn
	// dials is how many attempts to connect had been made when this connection came.
	dials uint64
	round uint64 // of returns
	beats uint64 // heartbeats since messages go out by this connection
	subs  map[string]*nats.Subscription
	wild  *nats.Subscription
	wide  bool // wild is to be there

	change   uint64 // changes between the wildcard and single subjects so far
	switched uint64 // the one that has ended, and the confirmer had no room for it yet
	out      outbound

	kept kept       // what waits for the bus
	ring *sent.Ring // what has been written
	// nobody has the groups of messages that were not written at all, as far as the others were told: by the place
	// behind the last that was written then.
	nobody *sent.Ring
	last   uint64 // the place of the last that was
	unsure span   // what was written and may not have arrived
	// blurred: the message that was written last may be on the next connection already. So
	// what others have seen of this node says nothing of what is unsure.
	blurred bool
	never   never // what was not written at all

	// drained: the sink has had its last, and the others have to be told when all is out. left: they
	// were.
	drained, left bool
}

// stage is how far the connection can be used.
type stage int

const (
	stageAway   stage = iota
	stageBack         // it can, but messages wait until other nodes have their subscriptions back
	stageJoined       // messages go out at once
)

func newWriter(b *Bus) *writer {
	return &writer{
		b: b, subs: make(map[string]*nats.Subscription), ring: sent.NewRing(ringSlots), nobody: sent.NewRing(nobodySlots),
		kept: kept{account: b.opt.Budget.Account(budget.Bus)},
	}
}

// ringSlots is how many of the last messages are remembered by group and place.
const ringSlots = 1 << 16

// beatEvery is how often a node says that it is there.
const beatEvery = time.Second

func (w *writer) run() {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	defer w.letGo()
	for {
		w.look()
		var batches <-chan interest.Batch
		if w.at != stageAway {
			batches = w.b.interest.Batches()
		}
		select {
		case p := <-w.b.parcels:
			w.take(p)
		case batch := <-batches:
			w.subscribe(batch)
		case r := <-w.b.requests:
			w.request(r)
		case <-w.b.turns:
		case round := <-w.b.healed:
			w.join(round)
		case <-beat.C:
			w.tellLost()
			w.beat(w.left)
		case <-w.b.stop.Done():
			return
		}
	}
}

// letGo ends the wait of Flush for a drain, whatever became of it.
func (w *writer) letGo() {
	select {
	case <-w.b.drained:
	default:
		close(w.b.drained)
	}
}

// look follows the connection.
func (w *writer) look() {
	if w.at != stageAway && (w.b.dials.Load() != w.dials || !w.b.named.Load()) {
		w.leave()
	}
	if w.at == stageAway && w.b.connected.Load() && w.b.named.Load() {
		w.arrive()
	}
}

// arrive makes a connection that has come usable. All that was subscribed to is so again, by
// nats.go, and the server has it once it has answered behind that.
func (w *writer) arrive() {
	w.dials = w.b.dials.Load()
	if !w.subscribed() {
		w.b.turnLater(100 * time.Millisecond)
		return
	}
	began := time.Now()
	if err := w.conn.FlushTimeout(flushWait); err != nil {
		w.b.failed(err)
		w.b.turnLater(100 * time.Millisecond) // look again: there need not be another sign
		return
	}
	w.b.counted(began)
	w.warnOfSize()
	w.at = stageBack
	w.round++
	w.beat(false)
	w.tell(told{kind: toldArrived, number: w.round})
	w.b.interest.Up()
}

// roomForHeaders is what a message may have beside its payload, as long as it is for one group.
const roomForHeaders = 1 << 10

// warnOfSize tells the operator where NATS is set to take less than this server's clients may send.
func (w *writer) warnOfSize() {
	want, has := int64(w.b.engine.MaxMessageBytes()+roomForHeaders), w.conn.MaxPayload()
	if has < want {
		w.b.log.Warn("bus: NATS takes smaller messages than this server does: larger ones do not cross to other nodes; "+
			"raise max_payload in its configuration, or lower --max-message", "max_payload", has, "want", want)
	}
}

// broken is when a call of the connection has failed. What stood in its buffer may be gone, SUBs and
// UNSUBs too: with another connection nats.go makes them all again.
func (w *writer) broken(err error) {
	w.b.failed(err)
	if w.conn != nil && w.conn.IsConnected() {
		if err := w.conn.ForceReconnect(); err != nil {
			w.b.failed(err)
		}
	}
}

// leave is when the connection is found to be gone.
func (w *writer) leave() {
	if w.at == stageAway {
		return
	}
	w.at = stageAway
	w.unsure = w.unsure.with(span{min(w.b.samples.sure(), w.last), w.last})
	w.b.interest.Down()
	w.b.joined.Store(false)
	if w.b.opt.Down == DownRefuse {
		w.b.engine.RefusePublications(w.b.sink)
	}
	w.endDrain()
}

// join begins to publish: the other nodes that were there before are back, or were waited for.
func (w *writer) join(round uint64) {
	if w.at != stageBack || round != w.round {
		return
	}
	// Questions that wait are about messages that this node published before it was away.
	for waiting := len(w.b.requests); waiting > 0; waiting-- {
		w.request(<-w.b.requests)
	}
	w.at, w.beats = stageJoined, 0
	w.beat(false) // behind it nothing may be missing
	if !w.notify() || !w.catchUp() {
		w.leave()
		return
	}
	w.b.joined.Store(true)
	w.b.engine.RefusePublications(nil)
}

// take is what the pump brings.
func (w *writer) take(p parcel) {
	switch {
	case p.message != nil:
		w.message(&p)
	case p.drained:
		w.drained = true
		w.endDrain()
	default:
		for _, name := range p.missed {
			w.never.add(wire.Hash(name), w.last)
		}
		w.never.all = w.never.all || p.missedAll
		w.tellLost()
	}
}

// message publishes a message, or does with it what the operator has set for when the bus is
// away.
func (w *writer) message(p *parcel) {
	m := p.message
	if m.Joint {
		return // the publication's last message says all of it
	}
	if w.at == stageJoined && w.kept.empty() {
		err := w.publish(m)
		if err == nil {
			return
		}
		w.leave()
		if !errors.Is(err, errNotWritten) {
			return
		}
	}
	local := w.at == stageAway && w.b.opt.Down == DownLocal
	if local || !w.kept.add(m, w.b.opt.BufferBytes) {
		if !local {
			w.b.count.BufferFull.Add(1)
		}
		w.b.count.Lost.Add(1)
		w.b.ration.Warn("bus: away: messages do not cross to other nodes, whose members are told of a gap",
			"down", w.b.opt.Down.String(), "buffer_bytes", w.b.opt.BufferBytes)
		w.lose(m)
		return
	}
	w.b.buffered.Store(int64(w.kept.bytes))
}

// publish writes m, and reports whether the connection holds. What cannot cross is counted, and is
// no reason to try again; neither is an error behind which m may have been written or not: then it
// is among what is unsure, since twice is worse than told as missed. That it was not written,
// errNotWritten says.
func (w *writer) publish(m *message) error {
	if w.b.dials.Load() != w.dials {
		return errNotWritten
	}
	msg, err := w.outgoing(m)
	if err == nil {
		err = w.conn.PublishMsg(msg)
	}
	switch {
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, errNoSubject):
		w.b.count.TooLarge.Add(1)
		w.b.ration.Warn("bus: NATS does not take a message: other nodes do not get it, and their members are told of a gap",
			"bytes", len(m.Payload), "max_payload", w.conn.MaxPayload(), "err", err)
		w.lose(m)
		return nil
	case errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionReconnecting),
		errors.Is(err, nats.ErrConnectionClosed):
		return errNotWritten
	}
	w.remember(m)
	if err != nil {
		w.broken(err)
		return err
	}
	w.b.count.Out.Add(1)
	w.b.count.BytesOut.Add(uint64(len(m.Payload)))
	return nil
}

// remember notes that m was written, or may have been.
func (w *writer) remember(m *message) {
	w.last = m.Order
	w.blurred = w.blurred || w.b.dials.Load() != w.dials
	for _, name := range groupsOf(m) {
		w.ring.Add(wire.Hash(name), m.Order)
	}
	w.b.written.Store(m.Order)
}

var errNotWritten = errors.New("not written: the connection is gone")

// catchUp publishes what was kept, in its order.
func (w *writer) catchUp() bool {
	for m := w.kept.first(); m != nil; m = w.kept.first() {
		err := w.publish(m)
		if errors.Is(err, errNotWritten) {
			return false
		}
		if w.kept.drop(); err != nil {
			return false
		}
	}
	w.b.buffered.Store(0)
	w.endDrain()
	return true
}

// endDrain tells the others that this node goes, once all that was accepted is out. Where the
// bus is away nobody waits for it.
func (w *writer) endDrain() {
	switch {
	case !w.drained || w.left:
		return
	case w.at == stageAway:
		if n := w.kept.len(); n > 0 {
			w.b.count.Lost.Add(uint64(n))
			w.b.log.Warn("bus: away at the end: other nodes do not get what was kept for them", "messages", n)
		}
	case !w.kept.empty():
		return // join comes back here
	default:
		w.left = true
		w.notify()
		w.beat(true)
		if err := w.conn.FlushTimeout(flushWait); err != nil {
			w.b.failed(err)
		}
	}
	w.letGo()
}

func (w *writer) tell(t told) {
	select {
	case w.b.told <- t:
	case <-w.b.stop.Done():
	}
}

// flush reports whether there was room. Without it a marker is not answered, and another one follows.
func (w *writer) flush(f flush) bool {
	select {
	case w.b.flushes <- f:
		return true
	default:
		return false
	}
}
