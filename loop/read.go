package loop

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/gobwas/ws"
	"github.com/panjf2000/gnet/v2"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// trafficBeforeTurn is how many reads a loop serves before it looks at its
// egress ring between them: a loop with a thousand readable sockets in one
// poll would otherwise keep the other loops' messages waiting for all of them.
const trafficBeforeTurn = 64

// read takes the bytes that arrived on s; b is the loop's own buffer, valid
// and writable until read returns. A panic in here costs this session.
func (r *reactor) read(s *Session, b []byte) (action gnet.Action) {
	r.current = s
	began := r.clock()
	r.stats.BytesIn += uint64(len(b))
	s.bytesIn += uint64(len(b))
	s.lastSeen = r.wheel.now
	s.clear(flagPinged)
	r.receive(s, b)
	if s.is(flagDirty) && s.state != stateDead {
		r.stats.Writes += uint64(r.flush(s))
		r.unlist(s)
	}
	r.port.WakeBroker()
	if r.traffic++; r.traffic >= trafficBeforeTurn && !r.yielding && !r.port.Empty() {
		r.turn()
	}
	r.current = nil
	if len(r.doomed) > 0 {
		r.reap()
	}
	r.stats.BusyNanos += uint64(r.clock() - began)
	if s.state == stateDead {
		return gnet.Close
	}
	return gnet.None
}

// unlist takes back the last entry of the dirty list, if it is that of s, which
// has just been flushed: replies would make a list of the done otherwise.
func (r *reactor) unlist(s *Session) {
	if last := len(r.dirty) - 1; last >= r.flushed && r.dirty[last] == s && !s.is(flagDirty) {
		r.dirty[last] = nil
		r.dirty = r.dirty[:last]
	}
}

// receive interprets bytes by the session's state.
func (r *reactor) receive(s *Session, b []byte) {
	defer func() {
		if v := recover(); v != nil {
			r.survive(s, v)
		}
	}()
	if s.is(flagDeaf) {
		return
	}
	if s.state == stateHandshake {
		b = r.handshake(s, b)
	}
	if len(b) > 0 && (s.state == stateOpen || s.state == stateClosing) {
		r.readFrames(s, b)
	}
}

// survive ends the session whose bytes brought the panic, if only that session
// can have suffered; a panic while delivering leaves the reactor in an unknown
// state and ends the process.
func (r *reactor) survive(s *Session, v any) {
	if r.delivering {
		panic(v)
	}
	r.stats.Panics++
	r.engine.logPanic(s, v, debug.Stack())
	s.set(flagDeaf)
	s.dropDecoder() // its state is unknown too: do not pool it
	r.closeWith(s, ws.StatusInternalServerError, "internal error")
}

// readFrames feeds the decoder. The common case, whole messages and nothing
// left over, borrows a decoder and gives it back.
func (r *reactor) readFrames(s *Session, b []byte) {
	if s.decoder == nil {
		s.decoder = r.getDecoder()
	}
	for {
		event, rest, ok, err := s.decoder.Next(b, r.limits)
		if err != nil {
			if s.state == stateOpen {
				r.closeWith(s, err.Code, err.Reason)
			}
			// Nobody knows where the next frame begins. What comes is still
			// looked through for the peer's close frame, on the guess that its
			// next segment begins with one: a peer that waits for us to end the
			// connection need not wait for CloseTimeout, and one that makes us
			// guess wrong ends its own connection.
			s.decoder.Reset()
			break
		}
		if !ok {
			break
		}
		r.stats.Continuations += uint64(s.decoder.Continuations())
		r.handle(s, event)
		// Anything may have happened to s in there.
		if s.decoder == nil || s.state == stateDead {
			return
		}
		b = rest
		if s.is(flagDeaf) {
			s.decoder.Reset()
			break // nothing may follow a close frame
		}
	}
	if s.decoder.Idle() {
		r.putDecoder(s.decoder)
		s.decoder = nil
	}
}

// handle acts on one message or control frame.
func (r *reactor) handle(s *Session, event protocol.Event) {
	if event.Op == ws.OpClose {
		r.stats.CloseFrames++
		r.peerClosed(s, event.Payload)
		return
	}
	if s.state != stateOpen {
		return // we have said goodbye: only the peer's close still matters
	}
	switch event.Op {
	case ws.OpPing:
		r.stats.PingFrames++
		r.sendPong(s, event.Payload)
	case ws.OpPong:
		r.stats.PongFrames++
	case ws.OpText, ws.OpBinary:
		r.stats.MessagesIn++
		if event.Op == ws.OpText {
			r.stats.TextFrames++
		} else {
			r.stats.BinaryFrames++
		}
		if r.opt.OnMessage != nil {
			r.opt.OnMessage(s, event.Op, event.Payload)
			return
		}
		r.execCommand(s, event.Payload, event.Op == ws.OpBinary)
	}
}

// handshake collects the request head and answers it. It returns the bytes
// behind the head, which are frames if the session is open now.
func (r *reactor) handshake(s *Session, b []byte) (rest []byte) {
	head, from := b, 0
	if s.head != nil {
		from = len(*s.head)
		*s.head = append(*s.head, b...)
		head = *s.head
	}
	end := protocol.HeadEnd(head, from)
	if end < 0 && len(head) > r.opt.MaxHeadBytes || end > r.opt.MaxHeadBytes {
		r.stats.HandshakeErrors++
		r.respond(s, protocol.AppendTooLarge(nil))
		r.putHead(s)
		return nil
	}
	if end < 0 {
		if s.head == nil {
			s.head = r.getHead()
			*s.head = append(*s.head, b...)
		}
		return nil
	}
	response, result := r.upgrade.Handshake(head[:end])
	if !result.Upgraded {
		if result.Status >= 400 {
			r.stats.HandshakeErrors++
		}
		r.respond(s, response)
		r.putHead(s)
		return nil
	}
	r.stats.Upgrades++
	r.endHandshake(s)
	s.state = stateOpen
	s.mode = result.Mode
	r.wheel.schedule(s, s.lastSeen+r.ticks(r.opt.PingAfter))
	r.queueHTTP(s, response)
	// What follows lies in b: the head ended there, or it would have been
	// found before.
	rest = b[end-from:]
	r.putHead(s)
	return rest
}

// respond answers plain HTTP and closes: flush, shut, wait for the peer's end.
func (r *reactor) respond(s *Session, response []byte) {
	r.queueHTTP(s, response)
	r.endHandshake(s)
	s.set(flagDeaf)
	r.startClosing(s)
}

func (r *reactor) queueHTTP(s *Session, response []byte) {
	c := r.replies.get(order.ChunkPlain)
	c.Buf = append(c.Buf, response...)
	s.enqueue(c)
}

// endHandshake takes s out of the connections that are not upgraded yet.
func (r *reactor) endHandshake(s *Session) {
	if s.is(flagHandshaking) {
		s.clear(flagHandshaking)
		r.engine.handshakes.Add(-1)
	}
}

// pools of what a session needs only in the middle of something

const (
	maxFreeDecoders = 256
	maxFreeHeads    = 256
	// Most heads are far smaller; a large one must not be kept for them.
	maxFreeHeadBytes = 2 << 10
)

func (r *reactor) getDecoder() *protocol.Decoder {
	if n := len(r.decoders); n > 0 {
		d := r.decoders[n-1]
		r.decoders = r.decoders[:n-1]
		return d
	}
	return new(protocol.Decoder)
}

func (r *reactor) putDecoder(d *protocol.Decoder) {
	d.Reset()
	if len(r.decoders) < maxFreeDecoders {
		r.decoders = append(r.decoders, d)
	}
}

func (s *Session) dropDecoder() { s.decoder = nil }

func (r *reactor) getHead() *[]byte {
	if n := len(r.heads); n > 0 {
		h := r.heads[n-1]
		r.heads = r.heads[:n-1]
		return h
	}
	return new([]byte)
}

func (r *reactor) putHead(s *Session) {
	if s.head == nil {
		return
	}
	if len(r.heads) < maxFreeHeads && cap(*s.head) <= maxFreeHeadBytes {
		*s.head = (*s.head)[:0]
		r.heads = append(r.heads, s.head)
	}
	s.head = nil
}

// logPanic logs a panic with its stack, the first time in full and from then
// on at most once a minute, since whoever causes it may do so at will.
func (e *Engine) logPanic(s *Session, v any, stack []byte) {
	now := time.Since(e.start).Milliseconds() + 1
	last := e.lastPanic.Load()
	if last != 0 && now-last < time.Minute.Milliseconds() || !e.lastPanic.CompareAndSwap(last, now) {
		return
	}
	e.log.Error("panic in a session, which was closed", "session", s.ID(), "panic", fmt.Sprint(v), "stack", string(stack))
}
