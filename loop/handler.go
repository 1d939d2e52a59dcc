package loop

import (
	"time"

	"github.com/panjf2000/gnet/v2"
)

// gnet's callbacks. They run on the loop's goroutine, but for OnBoot and
// OnShutdown, and do nothing but find the reactor.

// OnBoot implements gnet.EventHandler.
func (e *Engine) OnBoot(gnet.Engine) gnet.Action { return gnet.None }

// OnShutdown implements gnet.EventHandler.
func (e *Engine) OnShutdown(gnet.Engine) {}

// OnTick implements gnet.EventHandler; the engine has a clock of its own.
func (e *Engine) OnTick() (time.Duration, gnet.Action) { return time.Hour, gnet.None }

// OnOpen implements gnet.EventHandler: a connection has come to its loop.
func (e *Engine) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	s, ok := c.Context().(*Session)
	if !ok {
		return nil, gnet.None // the control socket
	}
	r := e.byLoop[c.EventLoop()]
	r.open(s, c)
	if r.draining {
		// It had passed the door when the drain began; its slot may be one
		// that closeSome has passed.
		return nil, gnet.Close
	}
	return nil, gnet.None
}

// OnTraffic implements gnet.EventHandler. Everything is taken at once: what
// were left would pile up in gnet's own unbounded buffer.
func (e *Engine) OnTraffic(c gnet.Conn) gnet.Action {
	b, _ := c.Next(-1)
	switch owner := c.Context().(type) {
	case *Session:
		return owner.r.read(owner, b)
	case *reactor:
		owner.yielding = false
		owner.turn()
	}
	return gnet.None
}

// OnClose implements gnet.EventHandler. It only buries: nothing here writes or
// pushes, since gnet may call it from within any other call.
func (e *Engine) OnClose(c gnet.Conn, _ error) gnet.Action {
	if s, ok := c.Context().(*Session); ok {
		s.r.bury(s)
	}
	return gnet.None
}

// open takes in the session of a new connection. It is counted already.
func (r *reactor) open(s *Session, c gnet.Conn) {
	s.r, s.conn, s.fd, s.lastSeen, s.opened = r, c, int32(c.Fd()), r.wheel.now, r.wheel.now
	s.lastSend = r.returned
	r.sessions.add(s)
	s.set(flagHandshaking)
	if r.opt.CommandRate > 0 {
		s.tokens = float32(r.opt.CommandBurst)
		s.bucketMillis = uint32(time.Since(r.engine.start).Milliseconds())
	}
	r.wheel.schedule(s, r.wheel.now+r.ticks(r.opt.HandshakeTimeout))
}

// bury ends a session whose connection is going: it leaves its groups, in time
// proportional to their number, and gives back all it holds.
func (r *reactor) bury(s *Session) {
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
	r.putHead(s)
	r.stats.Closed++
	r.engine.exitAddress(s.conn.RemoteAddr())
	r.engine.conns.Add(-1)
	r.enroll.conns.Add(-1)
}

var _ gnet.EventHandler = (*Engine)(nil)
