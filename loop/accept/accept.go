// Package accept takes connections from listeners, and refuses those that are too
// many: once for all that listens.
package accept

import (
	"errors"
	"net"
	"slices"
	"syscall"
	"time"

	"groupcast/loop/ration"
)

// Pauses grow from minPause to maxPause: what is missing comes back as connections end.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

// Acceptor takes connections from a listener. What accept(2) says about one
// connection, or for the moment, ends nothing: accepting pauses and goes on.
//
// Owner: one goroutine.
type Acceptor struct {
	Listener net.Listener
	// Stopped ends pauses, and Next with them. Its owner closes the listener, too.
	Stopped <-chan struct{}
	// OnError is called for every error after which accepting goes on.
	OnError func()
	// Log says so, now and then.
	Log *ration.Logger

	pause time.Duration
}

// Next returns the next connection. The error is net.ErrClosed once the listener is
// closed or Stopped is, or the listener's own.
func (a *Acceptor) Next() (net.Conn, error) {
	for {
		c, err := a.Listener.Accept()
		switch {
		case err == nil:
			if a.isStopped() {
				_ = c.Close()
				return nil, net.ErrClosed
			}
			return c, nil
		case errors.Is(err, net.ErrClosed) || a.isStopped():
			return nil, net.ErrClosed
		case !Transient(err):
			return nil, err
		}
		if a.Pause(err); a.isStopped() {
			return nil, net.ErrClosed
		}
	}
}

// Went says that a connection was taken care of, so that the next pause is short
// again.
func (a *Acceptor) Went() { a.pause = 0 }

// Pause waits a while, longer each time until Went is called: for Next, and for a
// caller that ran out of something itself.
func (a *Acceptor) Pause(err error) {
	a.OnError()
	a.Log.Warn("accepting pauses", "listener", a.Listener.Addr().String(), "err", err)
	a.pause = min(max(2*a.pause, minPause), maxPause)
	select {
	case <-time.After(a.pause):
	case <-a.Stopped:
	}
}

func (a *Acceptor) isStopped() bool {
	select {
	case <-a.Stopped:
		return true
	default:
		return false
	}
}

// Transient reports whether accepting may go on after err: the machine is out of
// something, or err is about one peer. accept(2) wants the network's errors of a
// connection that waits treated as if there were none, and a firewall's EPERM too.
func Transient(err error) bool {
	errno, ok := errors.AsType[syscall.Errno](err)
	return ok && slices.Contains(transient, errno)
}
