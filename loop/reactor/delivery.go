package reactor

import (
	"time"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// turn is one step of delivering: a slice of the current batch's flush, and if
// that ends it, a new batch and a slice of its own. If anything is left it yields,
// so that the other sockets of this loop have their turn; if not, the reactor
// is armed again.
func (r *Reactor) turn() {
	if r.current == nil { // else it is a part of reading, whose time is counted
		began := r.clock()
		defer func() { r.stats.BusyNanos += uint64(r.clock() - began) }()
	}
	r.traffic = 0
	if r.overdue > 0 && !r.yielding {
		r.makeLateTicks()
	}
	if len(r.gapped.list) > 0 {
		r.closeGapped()
	}
	more := r.flushSlice()
	if !more {
		r.takeBatch()
		more = r.flushSlice()
	}
	if more || !r.port.Rest() {
		r.stats.Yields++
		r.yield()
	}
	r.port.WakeBroker()
	r.reap()
	r.emptyOutbox()
	r.tellMemory()
}

// Yielded is called when the byte of a yield has come back.
func (r *Reactor) Yielded() {
	r.yielding = false
	r.turn()
}

// settle ends any callback that is not a turn: flush what it queued unless a
// turn is on its way to do so, and bury the dead.
func (r *Reactor) settle() {
	r.port.WakeBroker()
	if len(r.dirty) > r.flushed && !r.yielding {
		if r.flushSlice() {
			r.yield()
		}
	}
	r.reap()
	r.tellMemory()
}

func (r *Reactor) collectWritable() {
	r.writable.collect(r.unblock)
	r.settle()
}

// catchUp delivers one batch without yielding, after what is left of the one
// before: rule R1, and the one place where that is right. One batch and not
// all there is: while other reactors publish there may be no end to it, and
// the room that is waited for may long be there.
func (r *Reactor) catchUp() {
	// This loop is alive, however long it is pushed back.
	r.lastTick.Store(int64(time.Since(r.shared.Start)))
	r.flushAll()
	if r.takeBatch() {
		r.flushAll()
	}
	r.tellMemory()
}

func (r *Reactor) flushAll() {
	for r.flushSlice() {
	}
}

// takeBatch takes messages from the egress ring up to the batch's limits and
// marks the members of their groups. It returns whether it took any. The
// limits are looked at between messages: the last one may pass them.
//
// Nothing in here writes or closes; joins and leaves happen between two runs.
func (r *Reactor) takeBatch() bool {
	r.delivering = true
	b := &r.batch
	b.messages, b.total, b.marks = 0, 0, 0
	before := r.stats.Messages
	for b.messages < r.opt.BatchMessages && b.total < r.opt.BatchBytes && b.marks < r.opt.BatchMarks {
		m := r.port.Take()
		if m == nil {
			break
		}
		b.messages++
		b.total += len(m.Frame.Buf)
		switch m.Kind {
		case order.KindPublish:
			r.add(m)
		case order.KindUsers:
			r.endRun()
			r.addressUsers(m)
		case order.KindGap:
			r.endRun()
			r.tellGap(m.Group())
		case order.KindOwn:
			r.endRun()
			r.carryOut(m)
		case order.KindBarrier:
			r.atBarrier = true // only what is a session's own can come after it
		case order.KindKeep: // the broker's own: it does not come here
		}
	}
	r.endRun()
	r.port.HandBack()
	r.delivering = false
	if b.messages == 0 {
		return false
	}
	if n := r.stats.Messages - before; n > 0 { // else nothing but sessions' own commands
		r.stats.Batches++
		r.stats.BatchSizes.observe(n)
	}
	r.stats.MaxMarks = max(r.stats.MaxMarks, b.marks)
	return true
}

// add puts m into the current run, or ends that and begins another. Marking
// has to follow the broker's order for every session, so a run is consecutive.
func (r *Reactor) add(m *order.Message) {
	b := &r.batch
	r.stats.Messages++
	r.place = m.Order()
	if m.Origin.Reactor() == r.index {
		r.returned++
	}
	if len(b.run) > 0 && (b.run[0].Group() != m.Group() || m.Alone()) {
		r.endRun()
	}
	if m.Names() && m.Opens() {
		r.name(m)
	}
	if len(b.run) == 0 {
		b.group = r.groups.find(m.Group())
		if b.group == nil && !r.ownsAck(m) {
			return
		}
	}
	b.run = append(b.run, m)
	if b.group != nil {
		b.measure(m)
	}
	if m.Alone() {
		r.endRun()
		return
	}
	// A run's marks count before it ends, or a batch of small runs could pass
	// its limit many times over.
	if b.group != nil && len(b.run) == 1 {
		b.marks += b.group.size()
	}
}

// endRun marks the members of the run's group, and then acknowledges: an ack
// stands behind what it acknowledges.
func (r *Reactor) endRun() {
	b := &r.batch
	if len(b.run) == 0 {
		return
	}
	if g := b.group; g != nil {
		if m := b.run[0]; m.Alone() {
			b.marks += g.size() + m.Excluded() + len(r.named) // looking for a session costs as much as marking one
			r.exclude(m)
			r.reachedAsMember(g)
		}
		r.marking = true
		for e := range encodingID(encodingCount) {
			if list := g.members[e]; len(list) > 0 {
				r.mark(list, r.encode(e, b.run))
				b.lens[e] = b.lens[e][:0]
			}
		}
		r.marking = false
		r.includeAgain()
		for _, m := range b.run {
			b.reached = append(b.reached, m.Published)
		}
	}
	for i, m := range b.run {
		if m.ReqID != nil {
			r.acknowledge(m)
		}
		b.run[i] = nil
	}
	b.run, b.group = b.run[:0], nil
}

func (r *Reactor) ownsAck(m *order.Message) bool {
	return m.ReqID != nil && m.Origin.Reactor() == r.index
}

func (r *Reactor) acknowledge(m *order.Message) {
	if s := r.session(m.Origin); s != nil {
		s.sendAck(protocol.KindSendToGroup, m.ReqID)
	}
}

// flushSlice flushes listed sessions, each once, up to the slice's limit, and
// returns whether any are left. The list is walked, never the groups: between
// two slices sessions join, leave and die as they like.
func (r *Reactor) flushSlice() (more bool) {
	if r.flushed == len(r.dirty) {
		r.endFlush()
		return false
	}
	writes, sessions := 0, 0
	r.delivering = true
	for r.flushed < len(r.dirty) && writes < r.opt.FlushSlice && sessions < flushVisits*r.opt.FlushSlice {
		s := r.dirty[r.flushed]
		r.dirty[r.flushed] = nil
		r.flushed++
		sessions++
		if s.state != stateDead && s.is(flagDirty) {
			writes += r.flush(s)
		}
	}
	r.delivering = false
	r.stats.Writes += uint64(writes)
	r.stats.MaxWrites = max(r.stats.MaxWrites, writes)
	if r.flushed < len(r.dirty) {
		return true
	}
	r.endFlush()
	return false
}

// flushVisits is how many sessions that need no write (blocked or dead ones)
// cost as much as one that does.
const flushVisits = 16

// observeLatency is at the end of a batch's flush.
func (r *Reactor) observeLatency() {
	if len(r.batch.reached) == 0 {
		return
	}
	now := int64(time.Since(r.shared.Start))
	for _, published := range r.batch.reached {
		r.stats.Latency.observe(uint64(max(now-published, 0)) / 1000)
	}
	r.batch.reached = r.batch.reached[:0]
}

// endFlush forgets the batch: its chunks that no session kept are used again.
func (r *Reactor) endFlush() {
	r.dirty, r.flushed = r.dirty[:0], 0
	for i, c := range r.batch.chunks {
		if !c.Retained() {
			r.chunks.put(c)
		}
		r.batch.chunks[i] = nil
	}
	r.batch.chunks = r.batch.chunks[:0]
	r.observeLatency()
	if r.atBarrier {
		r.reachBarrier()
	}
}

// reachBarrier: all that was accepted has been handed to the kernel, or waits
// in the backlog of a session that is slow to read.
func (r *Reactor) reachBarrier() {
	select {
	case <-r.drained:
	default:
		close(r.drained)
	}
}
