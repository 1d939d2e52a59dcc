package loop

import (
	"time"

	"github.com/panjf2000/gnet/v2"

	"groupcast/loop/reactor"
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
	switch n := c.Context().(type) {
	case *Session:
		return nil, e.byLoop[c.EventLoop()].Open(reactor.Newcomer{Session: n}, c)
	case *reactor.Newcomer:
		c.SetContext(n.Session)
		c.SetSafeContext(nil) // gnet keeps it there, too, and with it the head that was read
		return nil, e.byLoop[c.EventLoop()].Open(*n, c)
	}
	return nil, gnet.None // the control socket
}

// OnTraffic implements gnet.EventHandler. Everything is taken at once: what
// were left would pile up in gnet's own unbounded buffer.
func (e *Engine) OnTraffic(c gnet.Conn) gnet.Action {
	b, _ := c.Next(-1)
	switch owner := c.Context().(type) {
	case *Session:
		return owner.Received(b)
	case *reactor.Reactor:
		owner.Yielded()
	}
	return gnet.None
}

// OnClose implements gnet.EventHandler. It only buries: nothing here writes or
// pushes, since gnet may call it from within any other call.
func (e *Engine) OnClose(c gnet.Conn, _ error) gnet.Action {
	if s, ok := c.Context().(*Session); ok {
		s.Gone()
	}
	return gnet.None
}

var _ gnet.EventHandler = (*Engine)(nil)
