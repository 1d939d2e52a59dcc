package reactor

import (
	"math"
	"net"
	"time"
)

// Progress is what tells a slow peer from a dead one while bytes wait for it: the
// bytes that its side has acknowledged grow in number. What the kernel has taken
// says little about that: it takes a few hundred kilobytes and then nothing for
// a long while. A peer that has acknowledged all there is for it is not slow:
// then only what it says counts.

// progress is what is remembered of a session whose progress is looked at.
//
// Owner: its reactor's goroutine. Few sessions have one at a time: those that
// are pinged behind a backlog, and those that do not end their close handshake.
type progress struct {
	at    position // when it was last looked at
	from  uint32   // tick of that
	until uint32   // tick at which its time is over, unless it makes progress

	// Of an open session: the bytes that the peer has once it has our ping.
	pinged int64
	// Of a closing session: the tick at which it began, and whether everything
	// has been acknowledged.
	began uint32
	all   bool
}

// position is how far a peer has come: bytes that the kernel took for it ever, and
// those of them that its side has not acknowledged.
type position struct{ out, unacked int64 }

// acked is how many bytes the other side has.
func (p position) acked() int64 { return p.out - p.unacked }

func (s *Session) position() position {
	return position{int64(s.bytesOut), int64(transports[s.via].unacked(s))}
}

// gained is how many bytes the other side has taken since from. A unix socket has no
// acknowledgements, and its kernel counts its own overhead, so that what waits in it
// may seem to grow while the peer reads; but it takes more only where the peer has
// read, so both what it takes and what falls count.
func (s *Session) gained(from, to position) int64 {
	if s.isUnix() {
		return to.out - from.out + max(0, from.unacked-to.unacked)
	}
	return to.acked() - from.acked()
}

func (s *Session) isUnix() bool {
	if s.conn == nil {
		return false
	}
	_, unix := s.conn.RemoteAddr().(*net.UnixAddr)
	return unix
}

// waiting is how many bytes of s are queued here.
func (s *Session) waiting() (n int64) {
	if s.next == nil {
		return 0
	}
	n = int64(len(s.next.Buf)) - int64(s.sent)
	if s.more != nil {
		for _, c := range s.more.chunks[s.more.head:] {
			n += int64(len(c.Buf))
		}
	}
	return n
}

// outstanding is how many bytes of what there is for s its side has not acknowledged.
func (s *Session) outstanding() int64 { return s.waiting() + int64(transports[s.via].unacked(s)) }

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
