package reactor

import (
	"github.com/gobwas/ws"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// maxReplyChunkBytes is how large a private chunk grows by appending replies.
const maxReplyChunkBytes = 16 << 10

// Send queues one frame; it leaves at the end of the current turn. The payload
// is copied. A session that is closing drops it.
func (s *Session) Send(op ws.OpCode, payload []byte) {
	if s.state != stateOpen {
		return
	}
	c := s.replyChunk()
	before := len(c.Buf)
	c.Buf = protocol.AppendFrame(c.Buf, op, payload)
	s.grew(c, len(c.Buf)-before)
}

// sendAck acknowledges a command of that kind.
func (s *Session) sendAck(kind protocol.Kind, reqID []byte) {
	if s.state != stateOpen {
		return
	}
	r := s.r
	r.reply = s.speaks().ack(r.reply[:0], s.mode, kind, reqID)
	s.Send(ws.OpText, r.reply)
}

// refusal counts an error and returns its text, which is good until the next reply.
func (r *Reactor) refusal(s *Session, reqID []byte, code protocol.Code, reason string) []byte {
	r.stats.Errors.count(code)
	r.reply = s.speaks().refusal(r.reply[:0], s.mode, reqID, code, reason)
	return r.reply
}

// sendFrames is Send for whole frames of the server's.
func (s *Session) sendFrames(frames []byte) {
	if s.state != stateOpen {
		return
	}
	c := s.replyChunk()
	c.Buf = append(c.Buf, frames...)
	s.grew(c, len(frames))
}

// enqueue appends a reference to c, whose bytes count as backlog from now on.
func (s *Session) enqueue(c *order.Chunk) {
	if s.next == nil {
		s.next = c
		if s.is(flagBlocked) {
			s.holdNext()
		}
	} else {
		if s.more == nil {
			if s.more = s.r.queues.get(); s.more.chunks == nil {
				s.more.chunks = make([]*order.Chunk, 0, 8)
			}
		}
		s.more.chunks = append(s.more.chunks, c)
		if s.is(flagBlocked) {
			s.holdRest()
		}
	}
	s.queued(len(c.Buf) + chunkOverhead)
}

// A session that is blocked holds all that is queued for it, and what it holds counts as
// memory until it is gone from the queue. Chunks that come while it is not blocked stand
// behind those: so what is held is the front of the queue.

// holdNext holds the next chunk.
func (s *Session) holdNext() {
	s.set(flagHeld)
	s.r.memory.backlogs += int64(s.next.Hold())
}

// letGoNext lets go of the next chunk, behind which the one comes that stands behind it.
func (s *Session) letGoNext() {
	s.r.memory.backlogs -= int64(s.next.LetGo())
	if q := s.more; q != nil && q.held > 0 {
		q.held--
		return
	}
	s.clear(flagHeld)
}

// holdRest holds those behind it.
func (s *Session) holdRest() {
	q := s.more
	rest := q.rest()
	for _, c := range rest[q.held:] {
		s.r.memory.backlogs += int64(c.Hold())
	}
	q.held = int32(len(rest))
}

// grew is queued for n more bytes of c, a private chunk in the queue.
func (s *Session) grew(c *order.Chunk, n int) {
	s.r.memory.backlogs += int64(c.Grew(n))
	s.queued(n)
}

// chunkOverhead is what a backlog counts for each chunk beside its bytes: what
// a reader who reads nothing keeps alive of a small message is mostly that.
const chunkOverhead = order.Overhead

// queued counts n more waiting bytes and lists the session for the next flush.
func (s *Session) queued(n int) {
	s.backlog += uint32(n) // n may be negative, and the sum is right
	if s.is(flagBlocked) {
		s.r.stats.BacklogBytes += n
	}
	if !s.is(flagDirty) {
		s.set(flagDirty)
		s.r.dirty = append(s.r.dirty, s)
	}
}

// lastChunk is the end of the queue, nil if it is empty.
func (s *Session) lastChunk() *order.Chunk {
	if s.more != nil {
		return s.more.chunks[len(s.more.chunks)-1]
	}
	return s.next
}

// waiting is how many bytes of s are queued here.
func (s *Session) waiting() (n int64) {
	if s.next == nil {
		return 0
	}
	n = int64(len(s.next.Buf)) - int64(s.sent)
	if s.more != nil {
		for _, c := range s.more.rest() {
			n += int64(len(c.Buf))
		}
	}
	return n
}

// replyChunk returns the private chunk at the end of the queue, a new one if
// need be. The caller appends whole frames to it and calls queued.
func (s *Session) replyChunk() *order.Chunk {
	if c := s.lastChunk(); c != nil && c.Kind == order.ChunkPrivate && len(c.Buf) < maxReplyChunkBytes {
		return c
	}
	c := s.r.replies.get(order.ChunkPrivate)
	s.enqueue(c)
	return c
}

// dequeue drops the next chunk; its bytes have been taken off the backlog.
func (s *Session) dequeue() {
	c := s.next
	if s.is(flagHeld) {
		s.letGoNext()
	}
	if c.Kind >= order.ChunkPrivate {
		if s.pong == c {
			s.pong = nil
		}
		s.r.replies.put(c)
	}
	s.sent = 0
	s.backlog -= chunkOverhead
	q := s.more
	if q == nil {
		s.next = nil
		return
	}
	s.next = q.take()
	if len(q.rest()) == 0 {
		s.more = nil
		s.r.putQueue(q)
	}
}

// consume takes n written bytes off the queue.
func (s *Session) consume(n int) {
	s.backlog -= uint32(n)
	for n > 0 {
		left := len(s.next.Buf) - int(s.sent)
		if n < left {
			s.sent += int32(n)
			return
		}
		n -= left
		s.dequeue()
	}
}

// truncate drops the queue behind the frame that is partly out: a frame once
// begun must end, or the peer could not read what comes after it.
func (r *Reactor) truncate(s *Session) {
	var rest []byte
	if s.next != nil && s.next.Kind == order.ChunkPlain {
		rest = s.next.Buf[s.sent:] // the answer to the upgrade, before any frame
	} else if s.sent > 0 {
		from, end := int(s.sent), 0
		for end < from {
			end += protocol.NextFrame(s.next.Buf[end:])
		}
		rest = s.next.Buf[from:end]
	}
	c := r.replies.get(order.ChunkSealed)
	c.Buf = append(c.Buf, rest...)
	s.dropQueue()
	if len(c.Buf) == 0 {
		r.replies.put(c)
		return
	}
	s.enqueue(c)
}

// dropQueue forgets all that the session has queued.
func (s *Session) dropQueue() {
	if s.is(flagBlocked) {
		s.r.stats.BacklogBytes -= int(s.backlog)
	}
	for s.next != nil {
		s.dequeue()
	}
	s.backlog = 0
}

// sendPong answers a ping. While the session is blocked only the latest ping
// is answered, so that a flood of them costs one frame.
func (r *Reactor) sendPong(s *Session, payload []byte) {
	if !s.is(flagBlocked) {
		s.Send(ws.OpPong, payload)
		return
	}
	if s.state != stateOpen {
		return
	}
	c := s.pong
	if c != nil && (c != s.next || s.sent == 0) {
		before := len(c.Buf)
		c.Buf = protocol.AppendFrame(c.Buf[:0], ws.OpPong, payload)
		s.grew(c, len(c.Buf)-before)
		return
	}
	c = r.replies.get(order.ChunkSealed)
	c.Buf = protocol.AppendFrame(c.Buf, ws.OpPong, payload)
	s.enqueue(c)
	s.pong = c
}

const (
	maxFreeQueues     = 4096
	maxFreeQueueSlots = 256
)

// putQueue takes back an emptied queue.
func (r *Reactor) putQueue(q *outQueue) {
	if cap(q.chunks) > maxFreeQueueSlots {
		return
	}
	clear(q.chunks)
	q.chunks, q.head = q.chunks[:0], 0
	r.queues.put(q)
}
