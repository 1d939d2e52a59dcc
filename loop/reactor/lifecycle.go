package reactor

import (
	"time"

	"github.com/panjf2000/gnet/v2"
)

// A session's birth and burial, and what gnet tells it in between.

// NewSession is the session of a connection that is about to be opened. read is what
// has been read of it already, which the session keeps until then; who is who its peer is
// known to be, nil for the anonymous.
func NewSession(read []byte, who *Identity) *Session {
	s := &Session{who: who}
	if len(read) > 0 {
		s.head = &read
	}
	return s
}

// Open takes in the session of a new connection. It is counted already.
func (r *Reactor) Open(s *Session, c gnet.Conn) gnet.Action {
	s.r, s.conn, s.fd, s.lastSeen, s.opened = r, c, int32(c.Fd()), r.wheel.now, r.wheel.now
	s.lastSend = r.returned
	r.sessions.add(s)
	s.set(flagHandshaking)
	if r.opt.CommandRate > 0 {
		s.tokens = float32(r.opt.CommandBurst)
		s.bucketMillis = uint32(time.Since(r.shared.Start).Milliseconds())
	}
	r.wheel.schedule(s, r.wheel.now+r.ticks(r.opt.HandshakeTimeout))
	if r.draining {
		// It had passed the door when the drain began; its slot may be one
		// that CloseSome has passed.
		return gnet.Close
	}
	if read := s.head; read != nil {
		s.head = nil
		return r.read(s, *read)
	}
	return gnet.None
}

// Opened reports whether a reactor has taken the session in. It is for whoever has
// waited for that.
func (s *Session) Opened() bool { return s.r != nil }

// Received takes the bytes that arrived; b is the loop's own buffer, valid and
// writable until it returns.
func (s *Session) Received(b []byte) gnet.Action { return s.r.read(s, b) }

// Gone buries a session whose connection has ended. It only buries: gnet may call it
// from within any other call.
func (s *Session) Gone() { s.r.bury(s) }

// bury ends a session whose connection is going: it leaves its groups, in time
// proportional to their number, and gives back all it holds.
func (r *Reactor) bury(s *Session) {
	if s.fd < 0 {
		return
	}
	s.state = stateDead
	s.fd = -1
	r.leaveAll(s)
	r.endHandshake(s)
	r.wheel.cancel(s)
	delete(r.watched, s)
	r.sessions.remove(s)
	s.dropQueue()
	r.clearBlocked(s)
	if s.decoder != nil {
		r.putDecoder(s.decoder)
		s.decoder = nil
	}
	r.dropHead(s)
	if release := transports[s.via].release; release != nil {
		release(s)
	}
	r.stats.Closed++
	r.shared.ExitAddress(s.conn.RemoteAddr())
	r.shared.Conns.Add(-1)
	r.Conns.Add(-1)
}
