package reactor

import "golang.org/x/sys/unix"

// Writing what sessions have queued, and what becomes of them where the kernel takes no more.

// maxWriteBytes bounds one write: a raw write cannot be preempted. It is twice
// the default of BatchBytes, so that a batch, whose last message may pass its
// limit, still leaves in one write.
const maxWriteBytes = 128 << 10

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
	for _, c := range s.more.rest() {
		if len(buf)+len(c.Buf) > maxWriteBytes {
			break
		}
		buf = append(buf, c.Buf...)
	}
	r.scratch = buf
	return buf
}

// block notes that the kernel takes no more for s and asks to be told of room.
// What s still refers to outlives its batch.
func (r *Reactor) block(s *Session) {
	s.set(flagBlocked)
	r.stats.Blocked++
	r.stats.BacklogSessions++
	r.stats.BacklogBytes += int(s.backlog)
	if s.is(flagShed) {
		r.memory.shed++
	}
	if !s.is(flagHeld) {
		s.holdNext()
	}
	if s.more != nil {
		s.holdRest()
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
		if s.is(flagShed) {
			r.memory.shed--
		}
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
	if s.next == nil && s.state == stateClosing {
		r.finish(s)
	}
}
