package reactor

import (
	"github.com/gobwas/ws"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// closeWith begins the close handshake: a close frame behind what is queued,
// then our half of the connection is shut and the peer has CloseTimeout to end
// its own; see progress.go for one that is slow. The session leaves its groups
// at once.
func (r *Reactor) closeWith(s *Session, code ws.StatusCode, reason string) {
	switch s.state {
	case stateOpen:
		r.queueClose(s, code, reason)
		r.startClosing(s)
	case stateHandshake:
		r.doom(s)
	case stateClosing, stateDead: // it has an end already
	}
}

// overBacklog is what becomes of an open session whose backlog is over the limit
// after an attempt to write it. It is closed: what it has not read is dropped behind
// the frame that is partly out, so that it learns why. (A policy that drops whole
// messages of one group instead would begin here: each chunk says what it holds.)
func (r *Reactor) overBacklog(s *Session) {
	r.stats.SlowReaders++
	r.truncate(s)
	r.closeWith(s, ws.StatusPolicyViolation, "slow reader: backlog over the limit")
}

// peerClosed answers the peer's close frame, or ends the handshake that we began.
func (r *Reactor) peerClosed(s *Session, payload []byte) {
	s.set(flagPeerClosed | flagDeaf)
	if s.state == stateClosing {
		if s.next == nil {
			r.doom(s)
		}
		return
	}
	code, err := protocol.ParseClose(payload)
	reason := ""
	if err != nil {
		code, reason = err.Code, err.Reason
	} else if code == ws.StatusNoStatusRcvd {
		code = ws.StatusNormalClosure
	}
	r.queueClose(s, code, reason)
	r.startClosing(s)
}

func (r *Reactor) queueClose(s *Session, code ws.StatusCode, reason string) {
	c := r.replies.get(order.ChunkSealed)
	c.Buf = s.speaks().goodbye(c.Buf, code, reason)
	s.enqueue(c)
	r.countClose(code)
}

// startClosing: the last frame is queued; nothing is taken from the peer but
// its end, and nothing more is sent to it.
func (r *Reactor) startClosing(s *Session) {
	s.state = stateClosing
	r.leaveAll(s)
	delete(r.watched, s)
	r.wheel.schedule(s, r.wheel.now+r.closingLook())
}

// finish runs when a closing session has nothing left to write.
func (r *Reactor) finish(s *Session) {
	if s.is(flagPeerClosed) {
		r.doom(s)
		return
	}
	if !s.is(flagFinSent) {
		s.set(flagFinSent)
		// Not a close: unread input would turn it into a reset, which can
		// overtake what we just wrote. An error means there is no peer.
		if transports[s.via].halfClose(s) != nil {
			r.doom(s)
		}
	}
}

// reset drops the connection without ceremony: the peer had its time.
func (r *Reactor) reset(s *Session) {
	transports[s.via].reset(s)
	r.doom(s)
}

// expire is the wheel's: somebody must look at s now. Receiving does not move
// a session in the wheel, so it may be too early, and then it is put back.
func (r *Reactor) expire(s *Session) {
	switch s.state {
	case stateHandshake:
		r.stats.HandshakeExpired++
		if s.head == nil {
			r.reset(s) // not a word: nobody to answer
			return
		}
		r.respond(s, protocol.AppendTimeout(nil))
		r.dropHead(s)
	case stateOpen:
		r.checkSilence(s)
	case stateClosing:
		r.checkClosing(s)
	case stateDead: // on its way to be buried
	}
}

// checkSilence pings a session that has said nothing for PingAfter, and closes
// it when nothing comes of that: never without a ping that it had its time to
// answer, whatever was reconfigured meanwhile.
func (r *Reactor) checkSilence(s *Session) {
	now := r.wheel.now
	if !r.underway(s) {
		s.lastSend = r.returned // the counters wrap: never let it fall far behind
	}
	ping := s.lastSeen + r.ticks(r.opt.PingAfter)
	answer := now + r.ticks(r.opt.CloseAfter-r.opt.PingAfter)
	switch {
	case !s.is(flagPinged):
		delete(r.watched, s) // what was looked at before it spoke
		if int32(now-ping) < 0 {
			r.wheel.schedule(s, ping)
			return
		}
		r.ping(s)
		r.wheel.schedule(s, answer)
	case r.reachesPing(s):
		r.wheel.schedule(s, answer)
	default:
		r.stats.IdleClosed++
		r.closeWith(s, ws.StatusPolicyViolation, "silent for too long")
	}
}

// countClose counts a close frame that is sent, by what it says.
func (r *Reactor) countClose(code ws.StatusCode) {
	switch {
	case code == ws.StatusNormalClosure:
		r.stats.CloseNormal++
	case code == ws.StatusGoingAway || code == protocol.StatusServiceRestart:
		r.stats.CloseGoingAway++
	case code == ws.StatusPolicyViolation:
		r.stats.ClosePolicy++
	case code == ws.StatusInternalServerError:
		r.stats.CloseInternal++
	case code == ws.StatusMessageTooBig:
		r.stats.CloseTooBig++
	case code == ws.StatusProtocolError || code == ws.StatusInvalidFramePayloadData:
		r.stats.CloseProtocol++
	default:
		r.stats.CloseOther++ // the peer's own code, echoed
	}
}

// doom marks a session dead; reap buries it when nothing is being delivered.
// It leaves its groups and lets go of its queue at once: several batches may go
// by until then, and a chunk that it still held would be used again under it.
func (r *Reactor) doom(s *Session) {
	r.mayMove()
	if s.state != stateDead {
		s.state = stateDead
		r.leaveAll(s)
		s.dropQueue()
		r.doomed = append(r.doomed, s)
	}
}

// reap closes the connections of dead sessions. gnet calls back, and Gone comes, inside.
func (r *Reactor) reap() {
	for len(r.doomed) > 0 {
		last := len(r.doomed) - 1
		s := r.doomed[last]
		r.doomed[last] = nil
		r.doomed = r.doomed[:last]
		if s != r.current && s.fd >= 0 {
			_ = r.el.Close(s.conn) // an error here is about a descriptor that is gone
		}
	}
}
