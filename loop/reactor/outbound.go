package reactor

import (
	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// maxWriteBytes bounds one write: a raw write cannot be preempted. It is twice
// the default of BatchBytes, so that a batch, whose last message may pass its
// limit, still leaves in one write.
const maxWriteBytes = 128 << 10

// maxReplyChunkBytes is how large a private chunk grows by appending replies.
const maxReplyChunkBytes = 16 << 10

// outQueue is what stands behind a session's next chunk. A session has one
// only while two or more chunks wait, and it comes from its reactor's pool.
type outQueue struct {
	chunks []*order.Chunk
	head   int
}

// Send queues one frame; it leaves at the end of the current turn. The payload
// is copied. A session that is closing drops it.
func (s *Session) Send(op ws.OpCode, payload []byte) {
	if s.state != stateOpen {
		return
	}
	c := s.replyChunk()
	before := len(c.Buf)
	c.Buf = protocol.AppendFrame(c.Buf, op, payload)
	s.queued(len(c.Buf) - before)
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

// sendFrames is Send for whole frames of the server's.
func (s *Session) sendFrames(frames []byte) {
	if s.state != stateOpen {
		return
	}
	c := s.replyChunk()
	c.Buf = append(c.Buf, frames...)
	s.queued(len(frames))
}

// enqueue appends a reference to c, whose bytes count as backlog from now on.
func (s *Session) enqueue(c *order.Chunk) {
	if s.is(flagBlocked) {
		c.Retain()
	}
	if s.next == nil {
		s.next = c
	} else {
		if s.more == nil {
			if s.more = s.r.queues.get(); s.more.chunks == nil {
				s.more.chunks = make([]*order.Chunk, 0, 8)
			}
		}
		s.more.chunks = append(s.more.chunks, c)
	}
	s.queued(len(c.Buf) + chunkOverhead)
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
	s.next = q.chunks[q.head]
	q.chunks[q.head] = nil
	q.head++
	if q.head == len(q.chunks) {
		s.more = nil
		s.r.putQueue(q)
	} else if q.head >= 64 && q.head*2 >= len(q.chunks) {
		// A reader that is slow but alive never empties its queue: move it to
		// the front now and then, or it would grow for ever.
		n := copy(q.chunks, q.chunks[q.head:])
		clear(q.chunks[n:])
		q.chunks, q.head = q.chunks[:n], 0
	}
}

// flush writes what the session has queued until the queue is empty or the
// kernel takes no more, and returns how many writes that took. A failed write
// only marks the session dead; nothing here calls back into gnet.
func (r *Reactor) flush(s *Session) (writes int) {
	s.clear(flagDirty)
	if s.is(flagBlocked) && int(s.backlog) > r.opt.MaxBacklogBytes {
		// The limit is for what remains after an attempt: news of room may
		// still be on its way to us.
		r.clearBlocked(s)
	}
	for s.next != nil && !s.is(flagBlocked) && s.state != stateDead {
		b := r.gather(s)
		if len(b) == 0 { // a reply that was never written: nothing to wait for
			s.dequeue()
			continue
		}
		n, errno := transports[s.via].send(s, b)
		writes++
		if n > 0 {
			r.stats.BytesOut += uint64(n)
			s.bytesOut += uint64(n)
			s.consume(n)
		}
		switch {
		case errno != 0 && errno != unix.EAGAIN:
			r.stats.WriteErrors++
			r.doom(s)
		case n < len(b):
			r.block(s)
		}
	}
	switch {
	case s.state == stateDead:
	case s.next == nil:
		if s.state == stateClosing {
			r.finish(s)
		}
	case s.state == stateOpen && int(s.backlog) > r.opt.MaxBacklogBytes:
		r.overBacklog(s)
	}
	return writes
}

// gather returns the next bytes to write, at most maxWriteBytes: a part of the
// next chunk, or several chunks copied together, which costs less than telling
// the kernel of each.
func (r *Reactor) gather(s *Session) []byte {
	b := s.next.Buf[s.sent:]
	if s.more == nil || len(b) >= maxWriteBytes {
		return b[:min(len(b), maxWriteBytes)]
	}
	buf := append(r.scratch[:0], b...)
	for _, c := range s.more.chunks[s.more.head:] {
		if len(buf)+len(c.Buf) > maxWriteBytes {
			break
		}
		buf = append(buf, c.Buf...)
	}
	r.scratch = buf
	return buf
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

// block notes that the kernel takes no more for s and asks to be told of room.
// What s still refers to outlives its batch.
func (r *Reactor) block(s *Session) {
	s.set(flagBlocked)
	r.stats.Blocked++
	r.stats.BacklogSessions++
	r.stats.BacklogBytes += int(s.backlog)
	s.next.Retain()
	if s.more != nil {
		for _, c := range s.more.chunks[s.more.head:] {
			c.Retain()
		}
	}
	if err := transports[s.via].await(s); err != nil {
		r.shared.Log.Warn("watch for room to write", "session", s.ID(), "err", err)
		r.doom(s)
	}
}

func (r *Reactor) clearBlocked(s *Session) {
	if s.is(flagBlocked) {
		s.clear(flagBlocked)
		r.stats.BacklogSessions--
		r.stats.BacklogBytes -= int(s.backlog)
	}
}

// unblock is the answer to block: there is room again, or the connection is
// broken, which the next write will say.
func (r *Reactor) unblock(s *Session) {
	if !s.ready() {
		return
	}
	r.clearBlocked(s)
	if s.next != nil && !s.is(flagDirty) {
		s.set(flagDirty)
		r.dirty = append(r.dirty, s)
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
		s.queued(len(c.Buf) - before)
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
