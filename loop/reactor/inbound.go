package reactor

import (
	"runtime/debug"

	"github.com/gobwas/ws"
	"github.com/panjf2000/gnet/v2"

	"groupcast/protocol"
)

// trafficBeforeTurn is how many reads a loop serves before it looks at its
// egress ring between them: a loop with a thousand readable sockets in one
// poll would otherwise keep the other loops' messages waiting for all of them.
const trafficBeforeTurn = 64

// read takes the bytes that arrived on s; b is the loop's own buffer, valid
// and writable until read returns. A panic in here costs this session.
func (r *Reactor) read(s *Session, b []byte) (action gnet.Action) {
	r.current = s
	began := r.clock()
	s.lastSeen = r.wheel.now
	if s.is(flagPinged) {
		r.spoke(s)
	}
	if r.opt.ReceiveRate > 0 && s.state == stateOpen {
		r.takeBytes(s, len(b))
	}
	r.interpretBytes(s, b)
	r.flushBehind(s)
	if s.is(flagDirty) && s.state != stateDead {
		r.stats.Writes += uint64(r.flush(s))
		r.unlist(s)
	}
	if s.via == viaTLS {
		r.endSecured(s)
	}
	r.port.WakeBroker()
	if r.traffic++; r.traffic >= trafficBeforeTurn && !r.yielding && !r.port.Empty() {
		r.turn()
	}
	r.current = nil
	if len(r.doomed) > 0 {
		r.reap()
	}
	r.tellMemory()
	r.stats.BusyNanos += uint64(r.clock() - began)
	if s.state == stateDead {
		return gnet.Close
	}
	return gnet.None
}

// unlist takes back the last entry of the dirty list, if it is that of s, which
// has just been flushed: replies would make a list of the done otherwise.
func (r *Reactor) unlist(s *Session) {
	if last := len(r.dirty) - 1; last >= r.flushed && r.dirty[last] == s && !s.is(flagDirty) {
		r.dirty[last] = nil
		r.dirty = r.dirty[:last]
	}
}

// interpretBytes takes bytes by the session's state.
func (r *Reactor) interpretBytes(s *Session, b []byte) {
	defer func() {
		if v := recover(); v != nil {
			r.survive(s, v)
		}
	}()
	b = s.receive(b)
	r.stats.BytesIn += uint64(len(b))
	s.bytesIn += uint64(len(b))
	if len(b) == 0 || s.is(flagDeaf) {
		return // a part of a TLS record says nothing yet
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
func (r *Reactor) survive(s *Session, v any) {
	if r.delivering {
		panic(v)
	}
	r.stats.Panics++
	r.shared.logPanic(s, v, debug.Stack())
	s.set(flagDeaf)
	s.decoder = nil // its state is unknown too: do not pool it
	r.closeWith(s, ws.StatusInternalServerError, "internal error")
}

// readFrames feeds the decoder. The common case, whole messages and nothing
// left over, borrows a decoder and gives it back.
func (r *Reactor) readFrames(s *Session, b []byte) {
	if s.decoder == nil {
		s.decoder = r.decoders.get()
	}
	r.uncountHalf(s)
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
		return
	}
	r.countHalf(s)
}

// handle acts on one message or control frame.
func (r *Reactor) handle(s *Session, event protocol.Event) {
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

const maxFreeDecoders = 256

func (r *Reactor) putDecoder(d *protocol.Decoder) {
	d.Reset()
	r.decoders.put(d)
}
