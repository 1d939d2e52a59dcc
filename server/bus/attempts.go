package bus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// attempts is nats.go's dialer, since that is the one place where each attempt passes: it tells of
// those that fail. (nats.go itself is silent about most that fail before the first connection, and
// about those that fail in a TLS handshake.)
//
// Attempts of nats.Options.Connect fail at once, so that it returns and its goroutine goes on: a
// host that does not answer would hold the caller for two seconds a server.
type attempts struct {
	h     handlers
	inner nats.CustomDialer         // that does the dialing; nil: net's does
	conn  atomic.Pointer[nats.Conn] // nil: Connect has not returned
	began atomic.Bool               // an attempt was made
	last  atomic.Pointer[string]    // HOST:PORT of the last one
	why   atomic.Pointer[error]     // what may be why the server refuses this node

	// there: a connection is. Owner: nats.go's goroutine for callbacks.
	there bool
	// open is what the last attempt has opened; nil: nothing. Owner: who has the connection's lock.
	open net.Conn
}

var errLater = errors.New("the connection is not there yet")

// report has nats.go tell what becomes of the connection. It calls these one after the other.
func (d *attempts) report(opt *nats.Options) {
	opt.ConnectedCB = func(*nats.Conn) {
		d.there = true
		d.h.connected(d.server())
	}
	opt.ReconnectedCB = func(*nats.Conn) {
		d.there = true
		d.h.reconnected(d.server())
	}
	opt.DisconnectedErrCB = func(_ *nats.Conn, err error) {
		if !d.there {
			return // it was closed in the middle of an attempt
		}
		d.there = false
		d.h.disconnected(err)
	}
	opt.ClosedCB = func(*nats.Conn) { d.h.closed() }
	opt.AsyncErrorCB = func(_ *nats.Conn, sub *nats.Subscription, err error) {
		switch {
		case sub != nil && errors.Is(err, nats.ErrSlowConsumer):
			d.h.slow(sub)
		case d.there:
			d.h.failed(err)
		default: // of an attempt: watch tells it
		}
	}
}

func (d *attempts) server() string {
	if last := d.last.Load(); last != nil {
		return *last
	}
	return ""
}

// hint notes what may be why the server refuses this node. nil: nothing is known.
func (d *attempts) hint(err error) { d.why.Store(&err) }

// pause is how long nats.go waits when it has tried all servers: at random, so that not all nodes
// come at once to a server that is back.
func (d *attempts) pause(int) time.Duration {
	if d.began.Load() {
		return reconnectMin + rand.N(reconnectMax-reconnectMin)
	}
	return time.Millisecond // Connect has not returned yet
}

// Dial is called with the connection's lock held.
func (d *attempts) Dial(network, address string) (net.Conn, error) {
	conn := d.conn.Load()
	if conn == nil {
		return nil, errLater
	}
	d.began.Store(true)
	d.last.Store(&address)
	d.h.dialing()
	// nats.go does not close what a server refuses: until the next garbage collection, two minutes on a node at
	// rest, each attempt would keep a descriptor.
	if d.open != nil {
		_ = d.open.Close()
	}
	raw, err := d.dial(network, address)
	d.open = raw
	if err != nil {
		d.h.tried(address, err)
		return nil, err
	}
	go d.watch(conn, address)
	return raw, nil
}

// watch tells of an attempt that fails after the server has accepted. The lock is free as soon as
// it has succeeded or failed, and who waits for it then comes before the next attempt.
func (d *attempts) watch(conn *nats.Conn, address string) {
	err := conn.LastError()
	if status := conn.Status(); err == nil || status == nats.CONNECTED || status == nats.CLOSED {
		return
	}
	if why := d.why.Load(); why != nil && *why != nil && reasonOf(err) == ReasonAuthorization {
		err = fmt.Errorf("%w; %w", err, *why)
	}
	d.h.tried(address, err)
}

// dial tries all addresses of a name, in random order, since the first one is the same for all
// nodes.
func (d *attempts) dial(network, address string) (conn net.Conn, err error) {
	if d.inner != nil {
		return d.inner.Dial(network, address)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	hosts, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	rand.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
	for _, one := range hosts {
		dialer := net.Dialer{Timeout: dialTimeout / time.Duration(len(hosts))}
		if conn, err = dialer.DialContext(ctx, network, net.JoinHostPort(one, port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}
