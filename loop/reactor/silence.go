package reactor

import (
	"math"

	"github.com/gobwas/ws"
)

// A session that says nothing is asked for a sign of life, and ended when none comes.

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
			r.scheduleOpen(s, ping)
			return
		}
		r.ping(s)
		r.scheduleOpen(s, answer)
	case r.reachesPing(s):
		r.scheduleOpen(s, answer)
	default:
		r.stats.IdleClosed++
		r.closeWith(s, ws.StatusPolicyViolation, "silent for too long")
	}
}

// spoke is called where a session that was pinged says something. It stands in the wheel
// where its time to answer ends, which may be far away: the next ping is due before.
func (r *Reactor) spoke(s *Session) {
	s.clear(flagPinged)
	if s.state == stateOpen {
		delete(r.later, s) // its look for silence, which is this one from now on
		r.scheduleOpen(s, r.wheel.now+r.ticks(r.opt.PingAfter))
	}
}

// noPing is where a ping stands that has found no room yet.
const noPing = math.MaxInt64

// ping asks a silent session for a sign of life. Behind a backlog, its answer
// can only come once the peer has got that far.
func (r *Reactor) ping(s *Session) {
	s.set(flagPinged)
	p := progress{at: s.position(), pinged: noPing}
	behind := s.next != nil || p.at.unacked > 0
	r.queuePing(s, &p)
	if behind {
		r.watched[s] = p
	}
}

// queuePing queues the ping, unless that would be what closes a slow reader.
func (r *Reactor) queuePing(s *Session, p *progress) {
	c := s.speaks().ping
	if int(s.backlog)+len(c.Buf)+chunkOverhead > r.opt.MaxBacklogBytes {
		return
	}
	r.stats.Pings++
	s.enqueue(c)
	p.pinged = int64(s.bytesOut) + s.waiting()
}

// reachesPing reports whether a session that was pinged and says nothing is on
// its way through what stands before the ping, or has only now got it.
func (r *Reactor) reachesPing(s *Session) bool {
	p, behind := r.watched[s]
	if !behind {
		return false
	}
	at := s.position()
	if at.acked() >= p.pinged {
		delete(r.watched, s) // it has it: from here on it has its time to answer
		return true
	}
	if s.gained(p.at, at) <= 0 {
		return false
	}
	p.at = at
	if p.pinged == noPing {
		r.queuePing(s, &p)
	}
	r.watched[s] = p
	return true
}
