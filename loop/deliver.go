package loop

import (
	"time"

	"github.com/gobwas/ws"

	"groupcast/protocol"
)

// batch is what takeBatch works with: the run of messages to one group that
// may become one shared chunk, and the chunks built so far.
//
// Owner: the reactor's goroutine. Between takeBatch and the end of the flush,
// chunks belong to the batch; a session that keeps one longer says so.
type batch struct {
	chunks   []*chunk
	run      []*message
	lens     []int      // of the run's envelopes, without their frames' headers; only where a member wants them
	group    *group     // of the run; nil if it has no members here
	excluded []*Session // from the run
	// reached are when the messages that have members here were published.
	reached []int64

	messages, total, marks int
}

// turn is one step of delivering: a slice of the current batch's flush, and if
// that ends it, a new batch and a slice of its own. If anything is left it yields,
// so that the other sockets of this loop have their turn; if not, the reactor
// is armed again.
func (r *reactor) turn() {
	if r.current == nil { // else it is a part of reading, whose time is counted
		began := r.clock()
		defer func() { r.stats.BusyNanos += uint64(r.clock() - began) }()
	}
	r.traffic = 0
	if r.overdue > 0 && !r.yielding {
		r.makeLateTicks()
	}
	more := r.flushSlice()
	if !more {
		r.takeBatch()
		more = r.flushSlice()
	}
	if more || !r.rest() {
		r.stats.Yields++
		r.yield()
	}
	r.wakeBroker()
	r.reap()
}

// rest arms the reactor unless its ring holds something.
func (r *reactor) rest() bool {
	if !r.egress.empty() {
		return false
	}
	r.state.Store(armed)
	// The second look: what was pushed before the store found nobody to wake.
	return r.egress.empty() || !r.state.CompareAndSwap(armed, running)
}

// catchUp delivers one batch without yielding, after what is left of the one
// before: rule R1, and the one place where that is right. One batch and not
// all there is: while other reactors publish there may be no end to it, and
// the room that is waited for may long be there.
func (r *reactor) catchUp() {
	r.flushAll()
	if r.takeBatch() {
		r.flushAll()
	}
}

func (r *reactor) flushAll() {
	for r.flushSlice() {
	}
}

// takeBatch takes messages from the egress ring up to the batch's limits and
// marks the members of their groups. It returns whether it took any. The
// limits are looked at between messages: the last one may pass them.
//
// Nothing in here writes or closes; joins and leaves happen between two runs.
func (r *reactor) takeBatch() bool {
	r.delivering = true
	b := &r.batch
	b.messages, b.total, b.marks = 0, 0, 0
	before := r.stats.Messages
	for b.messages < r.opt.BatchMessages && b.total < r.opt.BatchBytes && b.marks < r.opt.BatchMarks {
		m := r.egress.pop()
		if m == nil {
			break
		}
		b.messages++
		b.total += len(m.frame.buf)
		if b.messages%brokerQuota == 0 {
			r.releaseEgress()
		}
		switch m.kind {
		case kindPublish:
			r.add(m)
		case kindOwn:
			r.endRun()
			r.carryOut(m)
		case kindBarrier:
			r.atBarrier = true // only what is a session's own can come after it
		}
	}
	r.endRun()
	r.releaseEgress()
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

// releaseEgress hands popped slots back: rule R4.
func (r *reactor) releaseEgress() {
	if r.egress.release() {
		r.engine.broker.wakeFrom(parked)
	}
}

// add puts m into the current run, or ends that and begins another. Marking
// has to follow the broker's order for every session, so a run is consecutive.
func (r *reactor) add(m *message) {
	b := &r.batch
	r.stats.Messages++
	if int(m.origin.reactor) == r.index+1 {
		r.returned++
	}
	if len(b.run) > 0 && (b.run[0].group != m.group || m.excludes()) {
		r.endRun()
	}
	if len(b.run) == 0 {
		b.group = r.groups.find(m.group)
		if b.group == nil && !r.ownsAck(m) {
			return
		}
	}
	b.run = append(b.run, m)
	if b.group != nil && len(b.group.members[protocol.ModeEnvelope]) > 0 {
		// Escapes can make six bytes of one, and each message names its group:
		// what members are sent counts, not what came.
		n := protocol.MessageLen(m.group, m.payload, m.isText)
		b.lens = append(b.lens, n)
		b.total += max(0, protocol.HeaderLen(n)+n-len(m.frame.buf))
	}
	if m.excludes() {
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
func (r *reactor) endRun() {
	b := &r.batch
	if len(b.run) == 0 {
		return
	}
	if g := b.group; g != nil {
		if m := b.run[0]; m.excludes() {
			b.marks += g.size() + m.excluded() // looking for a session costs as much as marking one
			r.exclude(m)
		}
		if list := g.members[protocol.ModeBare]; len(list) > 0 {
			r.mark(list, r.bareChunk(b.run))
		}
		if list := g.members[protocol.ModeEnvelope]; len(list) > 0 {
			r.mark(list, r.envelopeChunk(b.run))
		}
		r.includeAgain()
		for _, m := range b.run {
			b.reached = append(b.reached, m.published)
		}
	}
	for i, m := range b.run {
		if m.reqID != nil {
			r.acknowledge(m)
		}
		b.run[i] = nil
	}
	b.run, b.lens, b.group = b.run[:0], b.lens[:0], nil
}

// exclude notes who may not get m. Only sessions of this reactor are looked for.
func (r *reactor) exclude(m *message) {
	if m.excludeSelf {
		r.excludeOne(m.origin)
	}
	if m.outside != nil {
		for _, id := range m.outside.exclude {
			r.excludeOne(id)
		}
	}
}

func (r *reactor) excludeOne(id SessionID) {
	if s := r.session(id); s != nil && !s.is(flagExcluded) {
		s.set(flagExcluded)
		r.batch.excluded = append(r.batch.excluded, s)
	}
}

func (r *reactor) includeAgain() {
	for i, s := range r.batch.excluded {
		s.clear(flagExcluded)
		r.batch.excluded[i] = nil
	}
	r.batch.excluded = r.batch.excluded[:0]
}

// mark hands a reference to every member and lists it for the flush.
func (r *reactor) mark(list []member, c *chunk) {
	n := uint64(len(list))
	if len(r.batch.excluded) == 0 {
		for i := range list {
			list[i].s.enqueue(c)
		}
	} else {
		for i := range list {
			if s := list[i].s; !s.is(flagExcluded) {
				s.enqueue(c)
			} else {
				n--
			}
		}
	}
	r.stats.Marks += n
	r.stats.Deliveries += n * uint64(len(r.batch.run))
}

// bareChunk is the run's frames in one chunk: a single message's own frame, or
// a copy of all of them.
func (r *reactor) bareChunk(run []*message) *chunk {
	if len(run) == 1 {
		return &run[0].frame
	}
	r.stats.Coalesced += uint64(len(run))
	c := r.batchChunk()
	for _, m := range run {
		c.buf = append(c.buf, m.frame.buf...)
	}
	return c
}

// envelopeChunk is the same in envelope mode, whose frames are built here: once
// a reactor, and only where a member wants them.
func (r *reactor) envelopeChunk(run []*message) *chunk {
	c := r.batchChunk()
	for i, m := range run {
		c.buf = protocol.AppendHeader(c.buf, ws.OpText, r.batch.lens[i])
		c.buf = protocol.AppendMessage(c.buf, m.group, m.payload, m.isText)
	}
	return c
}

func (r *reactor) batchChunk() *chunk {
	c := r.chunks.get(chunkBatch)
	r.batch.chunks = append(r.batch.chunks, c)
	return c
}

// session returns the session of that id, if it is one of ours and still there.
func (r *reactor) session(id SessionID) *Session {
	if int(id.reactor) != r.index+1 {
		return nil
	}
	return r.sessions.get(id.slot, id.generation)
}

func (r *reactor) ownsAck(m *message) bool {
	return m.reqID != nil && int(m.origin.reactor) == r.index+1
}

func (r *reactor) acknowledge(m *message) {
	if s := r.session(m.origin); s != nil {
		s.sendAck(m.reqID)
	}
}

// flushSlice flushes listed sessions, each once, up to the slice's limit, and
// returns whether any are left. The list is walked, never the groups: between
// two slices sessions join, leave and die as they like.
func (r *reactor) flushSlice() (more bool) {
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
func (r *reactor) observeLatency() {
	if len(r.batch.reached) == 0 {
		return
	}
	now := int64(time.Since(r.engine.start))
	for _, published := range r.batch.reached {
		r.stats.Latency.observe(uint64(max(now-published, 0)) / 1000)
	}
	r.batch.reached = r.batch.reached[:0]
}

// endFlush forgets the batch: its chunks that no session kept are used again.
func (r *reactor) endFlush() {
	r.dirty, r.flushed = r.dirty[:0], 0
	for i, c := range r.batch.chunks {
		if !c.retained {
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
