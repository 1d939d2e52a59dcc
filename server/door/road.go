package door

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"groupcast/loop/tlsconn"
)

// RoadOptions are what is on a Road. What is nil is not on it.
type RoadOptions struct {
	Proxy *ProxyProtocol
	Rate  *RateLimit
	TLS   *TLS

	Timeout    time.Duration // for the whole road, Then included
	MaxPending int           // connections on it at a time, a goroutine each

	// Then is called for each connection that has come so far, on the connection's own
	// goroutine and while it still has its place: it may read the request's head and check a
	// token until ctx ends. The connection is Then's to close.
	Then func(ctx context.Context, a *Arrival)
	// Failed, if not nil, is told why a connection came no further: a *ProxyError, a
	// *HandshakeError, ErrTooFast. remote is the address that has connected.
	Failed func(remote net.Addr, err error)
}

// Arrival is a connection at the end of the road. Its deadline is the road's.
// Owner: Then.
type Arrival struct {
	Conn net.Conn // as it was accepted: what a loop is given
	Peer Peer
	// TLS is the connection to be read from, with TLS; nil without. Its Session is for a
	// loop, its own Conn for net/http.
	TLS *tlsconn.Conn
	// Read is what has been read of Conn behind the PROXY header, without TLS.
	Read []byte
}

// Road is where connections are between being accepted and their loop while something that
// can block has to be done to them: the PROXY protocol's header, TLS. Each has a goroutine
// for that time, there is a bounded number, and each has one deadline for all of it.
// Owner: the server; every method may be called by any goroutine.
type Road struct {
	o        RoadOptions
	ctx      context.Context // ends with the road
	end      context.CancelFunc
	places   chan struct{}
	mu       sync.Mutex           // orders Go's beginning and Close, and guards each
	each     map[netip.Prefix]int // places taken by one address that is no proxy
	all      sync.WaitGroup
	counters struct{ arrived, full, tooFast atomic.Uint64 }
}

// Why a connection does not get on the road.
var (
	ErrRoadFull   = errors.New("too many connections wait for their handshake")
	ErrRoadClosed = errors.New("the server takes no more connections")
	ErrTooFast    = errors.New("too many connections a second")
)

// addressShare is which part of a Road's places one address may have: a quarter.
const addressShare = 4

// NewRoad is a Road as o says. The errors are for the operator.
func NewRoad(o RoadOptions) (*Road, error) {
	switch {
	case o.Timeout <= 0:
		return nil, fmt.Errorf("wants a time of more than 0 for handshakes, got %v", o.Timeout)
	case o.MaxPending < 1:
		return nil, fmt.Errorf("wants at least 1 pending handshake, got %d", o.MaxPending)
	}
	r := &Road{o: o, places: make(chan struct{}, o.MaxPending), each: make(map[netip.Prefix]int)}
	r.ctx, r.end = context.WithCancel(context.Background())
	return r, nil
}

// Go takes c along the road, on a goroutine of its own, and returns at once. With an error,
// ErrRoadFull, ErrRoadClosed or ErrTooFast, c is the caller's to close; Failed is not
// told.
func (r *Road) Go(c net.Conn) error {
	// Behind a proxy the client is not known yet.
	if r.o.Proxy == nil && !r.inTime(AddrPort(c.RemoteAddr())) {
		return ErrTooFast
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return ErrRoadClosed
	}
	// One address may have a share of the places, so that others come in beside it. A
	// proxy's own connections are many clients', and those of a unix socket nobody's.
	peer := AddrPort(c.RemoteAddr()).Addr()
	shares := peer.IsValid() && (r.o.Proxy == nil || !r.o.Proxy.Trusted.Contain(peer))
	key := netip.Prefix{}
	if shares {
		key = LimitKey(peer, 64)
	}
	if shares && r.each[key] >= max(1, r.o.MaxPending/addressShare) {
		r.counters.full.Add(1)
		return ErrRoadFull
	}
	select {
	case r.places <- struct{}{}:
	default:
		r.counters.full.Add(1)
		return ErrRoadFull
	}
	if shares {
		r.each[key]++
	}
	r.all.Go(func() {
		defer func() {
			<-r.places
			if !shares {
				return
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.each[key]--; r.each[key] == 0 {
				delete(r.each, key)
			}
		}()
		r.walk(c)
	})
	return nil
}

// walk takes c to the road's end.
func (r *Road) walk(c net.Conn) {
	ctx, cancel := context.WithTimeout(r.ctx, r.o.Timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	// One deadline for all that reads or writes; the past, once the road is closed.
	if err := c.SetDeadline(deadline); err != nil {
		r.fail(c, err)
		return
	}
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()

	a, err := r.steps(ctx, c)
	if err != nil {
		r.fail(c, err)
		return
	}
	r.counters.arrived.Add(1)
	r.o.Then(ctx, a)
}

func (r *Road) steps(ctx context.Context, c net.Conn) (*Arrival, error) {
	a := &Arrival{Conn: c, Peer: Peer{Client: AddrPort(c.RemoteAddr())}}
	if r.o.Proxy != nil {
		var err error
		if a.Peer, a.Read, err = r.o.Proxy.Read(c, c.RemoteAddr()); err != nil {
			return nil, err
		}
		if !r.inTime(a.Peer.Client) {
			return nil, ErrTooFast
		}
	}
	if r.o.TLS == nil {
		return a, nil
	}
	below := c
	if len(a.Read) > 0 {
		below = &readAhead{Conn: c, read: a.Read}
		a.Read = nil
	}
	var err error
	a.TLS, err = r.o.TLS.Handshake(ctx, below)
	return a, err
}

// inTime reports whether client comes slowly enough.
func (r *Road) inTime(client netip.AddrPort) bool {
	if r.o.Rate == nil || r.o.Rate.Allow(client.Addr(), time.Now()) {
		return true
	}
	r.counters.tooFast.Add(1)
	return false
}

func (r *Road) fail(c net.Conn, err error) {
	_ = c.Close()
	if r.o.Failed != nil && !errors.Is(err, ErrChallenge) {
		r.o.Failed(c.RemoteAddr(), err)
	}
}

// Close takes no more connections, ends those on the road, and waits until they have left
// it: until every Then has returned, whose context it cancels. It may be called twice.
func (r *Road) Close() {
	r.mu.Lock()
	r.end()
	r.mu.Unlock()
	r.all.Wait()
}

// RoadCounters is what became of connections, since the start, and how many are on the
// road now.
type RoadCounters struct {
	Arrived, Full, TooFast uint64
	Pending                int
}

// Counters is what became of connections so far. TLS and Proxy count what failed there.
func (r *Road) Counters() RoadCounters {
	return RoadCounters{
		Arrived: r.counters.arrived.Load(), Full: r.counters.full.Load(), TooFast: r.counters.tooFast.Load(),
		Pending: len(r.places),
	}
}

// readAhead is a connection of which something has been read: that comes first.
type readAhead struct {
	net.Conn
	read []byte
}

func (c *readAhead) Read(p []byte) (int, error) {
	if len(c.read) > 0 {
		n := copy(p, c.read)
		c.read = c.read[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite ends the writing half, where the connection has one.
func (c *readAhead) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
