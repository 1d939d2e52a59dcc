package door

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"groupcast/loop/accept"
	"groupcast/loop/ration"
)

// Listener gives connections that have come to the end of a road: for net/http, and for all
// that serves a net.Listener and no loop.
// Owner: the server; Close may be called by any goroutine, and twice.
type Listener struct {
	net.Listener // that accepts
	road         *Road
	come         chan net.Conn
	ended        chan struct{} // accepting has ended, with err
	err          error
	stop         func()
	accepting    sync.WaitGroup
}

// Along accepts from l and takes connections along a road as o says, whose Then it is. onError
// is called for each error of accepting after which it goes on.
func Along(l net.Listener, o RoadOptions, log *ration.Logger, onError func()) (*Listener, error) {
	a := &Listener{Listener: l, come: make(chan net.Conn), ended: make(chan struct{})}
	o.Then = a.arrived
	var err error
	if a.road, err = NewRoad(o); err != nil {
		return nil, err
	}
	stopped := make(chan struct{})
	a.stop = sync.OnceFunc(func() { close(stopped) })
	acceptor := accept.Acceptor{Listener: l, Stopped: stopped, OnError: onError, Log: log}
	a.accepting.Go(func() {
		defer close(a.ended)
		for {
			c, err := acceptor.Next()
			if err != nil {
				a.err = err
				return
			}
			acceptor.Went()
			if err := a.road.Go(c); err != nil {
				_ = c.Close()
				log.Warn("a connection is closed unserved", "peer", c.RemoteAddr().String(), "error", err)
			}
		}
	})
	return a, nil
}

// Road is what it goes along: for limits and counters.
func (a *Listener) Road() *Road { return a.road }

// arrived hands a connection to the caller of Accept. It keeps its place until then.
func (a *Listener) arrived(_ context.Context, one *Arrival) {
	c := one.Stream()
	if err := c.SetDeadline(time.Time{}); err != nil {
		_ = c.Close()
		return
	}
	select {
	case a.come <- c:
	case <-a.road.ctx.Done():
		_ = c.Close()
	case <-a.ended:
		_ = c.Close()
	}
}

// Accept waits for the next connection that arrives. Its address is the client's.
func (a *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-a.come:
		return c, nil
	case <-a.ended:
		return nil, a.err
	}
}

// Close accepts no more, and ends connections that are on the way.
func (a *Listener) Close() error {
	a.stop()
	err := a.Listener.Close()
	a.accepting.Wait()
	a.road.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Socket is the connection that the kernel has, below all that stands on it.
func Socket(c net.Conn) net.Conn {
	for {
		above, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		below := above.NetConn()
		if below == nil {
			return c
		}
		c = below
	}
}
