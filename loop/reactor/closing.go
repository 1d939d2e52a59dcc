package reactor

import (
	"errors"
	"io"
	"time"

	"github.com/gobwas/ws"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// closeWith begins the close handshake: a close frame behind what is queued,
// then our half of the connection is shut and the peer has CloseTimeout to end
// its own; see checkClosing for one that is slow. The session leaves its groups
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
	r.exitUser(s)
	delete(r.watched, s)
	r.wheel.schedule(s, r.wheel.now+r.closingLook())
}

// finish runs when a closing session has nothing left to write.
func (r *Reactor) finish(s *Session) {
	if s.is(flagPeerClosed) {
		if s.via == viaTLS {
			_ = transports[s.via].halfClose(s) // it says goodbye; the end follows in any case
		}
		if !s.pending() { // else unblock comes back
			r.doom(s)
		}
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

// closingLooks is how often a close handshake is looked at within CloseTimeout.
const closingLooks = 4

// checkClosing looks at a close handshake that is not over yet. The peer's time
// is CloseTimeout; taking what was queued before the close frame, at CloseRate
// at least, gives it that time anew, and so does having taken all of it. Outside
// a drain, which has an end of its own, CloseLimit bounds all together.
func (r *Reactor) checkClosing(s *Session) {
	now := r.wheel.now
	limit, look := r.ticks(r.opt.CloseTimeout), r.closingLook()
	at := s.position()
	all := s.next == nil && at.unacked == 0
	p, watched := r.watched[s]
	switch {
	case !watched:
		p = progress{at: at, from: now, until: now - look + limit, began: now - look, all: all}
	case all && !p.all:
		p.all, p.until = true, now+limit
	case !all && s.gained(p.at, at) >= max(1, r.leastProgress(now-p.from)):
		p.at, p.from, p.until = at, now, now+limit
	}
	end := p.began + max(limit, r.ticks(r.opt.CloseLimit))
	if int32(now-p.until) >= 0 || !r.draining && int32(now-end) >= 0 {
		r.endClosing(s, all)
		return
	}
	r.watched[s] = p
	r.wheel.schedule(s, now+look)
}

func (r *Reactor) closingLook() uint32 { return max(1, r.ticks(r.opt.CloseTimeout)/closingLooks) }

// leastProgress is how many bytes CloseRate asks for in that many ticks.
func (r *Reactor) leastProgress(ticks uint32) int64 {
	return int64((time.Duration(ticks) * r.every).Seconds() * float64(r.opt.CloseRate))
}

// endClosing ends a close handshake that ran out of time. Who has taken all that
// was for him loses nothing by an orderly end; else the connection is reset, and
// what the peer did not get is counted.
func (r *Reactor) endClosing(s *Session, all bool) {
	r.stats.Resets++
	if all {
		r.doom(s)
		return
	}
	r.shared.Cut(1, s.outstanding())
	r.reset(s)
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
	case code == protocol.StatusTryAgainLater:
		r.stats.CloseTryLater++
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
		r.exitUser(s)
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

// endSecured ends a session whose peer has ended TLS, once all in front of that has been
// looked at: what it ends with close_notify is as good as the end of a connection.
func (r *Reactor) endSecured(s *Session) {
	t := r.secured[s]
	if t == nil || t.err == nil && t.broken == 0 || s.state == stateDead {
		return
	}
	if !errors.Is(t.err, io.EOF) {
		r.stats.TLSErrors++
	}
	r.doom(s)
}
