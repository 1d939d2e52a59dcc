package reactor

import (
	"net"
	"time"

	"github.com/panjf2000/gnet/v2"

	"groupcast/loop/tlsconn"
)

// A session's birth and burial, and what gnet tells it in between.

// Newcomer is a session with what is known of its connection before a loop takes it. Most
// have nothing but themselves.
// Owner: who makes it, until the loop opens it.
type Newcomer struct {
	Session *Session  // made by NewSession
	Began   time.Time // when it was accepted; zero: now
	Read    []byte    // what has been read of it already, plain; the loop keeps it
	Who     *Identity
	TLS     *tlsconn.Session // nil: the bytes are plain
	// Remote is the client's address, where the connection's own is a proxy's. nil: it is
	// the connection's.
	Remote net.Addr
}

// NewSession is the session of a connection that is about to be opened.
func NewSession() *Session { return new(Session) }

// Open takes in the session of a new connection, with what is known of it. It is counted
// already.
func (r *Reactor) Open(n Newcomer, c gnet.Conn) gnet.Action {
	s := n.Session
	s.who = n.Who
	if n.TLS != nil {
		s.via = viaTLS
		r.secured[s] = &secured{tls: n.TLS, read: n.Read}
		r.memory.secured++
	}
	if n.Remote != nil {
		s.set(flagProxied)
		r.remotes[s] = n.Remote
	}
	s.r, s.conn, s.fd, s.lastSeen, s.opened = r, c, int32(c.Fd()), r.wheel.now, r.wheel.now
	s.lastSend = r.returned
	r.sessions.add(s)
	s.set(flagHandshaking)
	if r.opt.CommandRate > 0 {
		s.tokens = float32(r.opt.CommandBurst)
		s.bucketMillis = uint32(time.Since(r.shared.Start).Milliseconds())
	}
	r.wheel.schedule(s, r.wheel.now+r.ticks(r.handshakeLeft(n.Began)))
	if r.draining {
		// It had passed the door when the drain began; its slot may be one
		// that CloseSome has passed.
		return gnet.Close
	}
	switch {
	case n.TLS != nil: // it may have brought more than its handshake
		return r.read(s, nil)
	case len(n.Read) > 0:
		return r.read(s, n.Read)
	}
	return gnet.None
}

// handshakeLeft is what is left of HandshakeTimeout to a connection accepted at began.
func (r *Reactor) handshakeLeft(began time.Time) time.Duration {
	if began.IsZero() {
		return r.opt.HandshakeTimeout
	}
	return max(0, r.opt.HandshakeTimeout-time.Since(began))
}

// Opened reports whether a reactor has taken the session in. It is for an acceptor
// that has waited for that.
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
	r.exitUser(s)
	r.endHandshake(s)
	r.wheel.cancel(s)
	delete(r.watched, s)
	delete(r.later, s)
	r.sessions.remove(s)
	s.dropQueue()
	r.clearBlocked(s)
	r.uncountHalf(s)
	if s.decoder != nil {
		r.putDecoder(s.decoder)
		s.decoder = nil
	}
	r.dropHead(s)
	if release := transports[s.via].release; release != nil {
		release(s)
	}
	if s.is(flagUpgraded) {
		s.clear(flagUpgraded)
		r.stats.Sessions--
	}
	r.stats.Closed++
	r.shared.ExitAddress(s.remote())
	r.shared.ExitUser(s.who)
	delete(r.remotes, s)
	delete(r.intakes, s)
	r.shared.Conns.Add(-1)
	r.Conns.Add(-1)
}
