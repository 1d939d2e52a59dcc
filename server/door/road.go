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
)

// RoadOptions are what is on a Road. What is nil is not on it.
type RoadOptions struct {
	Proxy *ProxyProtocol
	Rate  *RateLimit
	TLS   *TLS
	// Forwarded is the header of HTTP in which proxies say who their client is: of their
	// connections the request's head is read. Head says that it is read of all.
	Forwarded *ForwardedHeader
	Head      bool

	Limits RoadLimits
	// Uncounted are the addresses that no limit of one address counts: proxies', whose
	// connections are many clients'.
	Uncounted Networks

	// Then is called for each connection that has come so far, on the connection's own
	// goroutine and while it still has its place: it may read the request's head and check a
	// token until ctx ends. The connection is Then's to close.
	Then func(ctx context.Context, a *Arrival)
	// Failed, if not nil, is told why a connection came no further: a *ProxyError, a
	// *HandshakeError, ErrTooFast. remote is the address that has connected.
	Failed func(remote net.Addr, err error)
}

// RoadLimits bound a Road; see SetLimits.
type RoadLimits struct {
	Timeout      time.Duration // for the whole road, Then included
	MaxPending   int           // connections on it at a time, a goroutine each
	MaxHeadBytes int           // of a request's head; with Head
	IPv6Bits     int           // how much of an IPv6 address counts as one; 0 is 64
}

// Road is where connections are between being accepted and their loop while something that
// can block has to be done to them: the PROXY protocol's header, TLS. Each has a goroutine
// for that time, there is a bounded number, and each has one deadline for all of it.
// Owner: the server; every method may be called by any goroutine.
type Road struct {
	o        RoadOptions
	ctx      context.Context // ends with the road
	end      context.CancelFunc
	mu       sync.Mutex // orders Go's beginning and Close, and guards what follows
	limits   RoadLimits
	pending  int
	each     map[netip.Prefix]int // of these, by address that is no proxy's
	all      sync.WaitGroup
	counters struct{ arrived, full, tooFast, noHead, panics atomic.Uint64 }
}

// Why a connection does not get on the road.
var (
	ErrRoadFull   = errors.New("too many connections wait for their handshake")
	ErrRoadClosed = errors.New("the server takes no more connections")
	ErrTooFast    = errors.New("too many connections a second")
)

// NewRoad is a Road as o says. The errors are for the operator.
func NewRoad(o RoadOptions) (*Road, error) {
	r := &Road{o: o, each: make(map[netip.Prefix]int)}
	if err := r.SetLimits(o.Limits); err != nil {
		return nil, err
	}
	r.ctx, r.end = context.WithCancel(context.Background())
	return r, nil
}

// SetLimits replaces the limits for connections that come from now on.
func (r *Road) SetLimits(l RoadLimits) error {
	if l.IPv6Bits == 0 {
		l.IPv6Bits = 64
	}
	switch {
	case l.Timeout <= 0:
		return fmt.Errorf("wants a time of more than 0 for handshakes, got %v", l.Timeout)
	case l.MaxPending < 1:
		return fmt.Errorf("wants at least 1 pending handshake, got %d", l.MaxPending)
	case (r.o.Head || r.o.Forwarded != nil) && l.MaxHeadBytes < 1:
		return fmt.Errorf("wants at least 1 byte for a request's head, got %d", l.MaxHeadBytes)
	case l.IPv6Bits < 1 || l.IPv6Bits > 128:
		return fmt.Errorf("wants 1 to 128 bits of an IPv6 address, got %d", l.IPv6Bits)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limits = l
	return nil
}

// Limits are those in force.
func (r *Road) Limits() RoadLimits {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.limits
}

// Go takes c along the road, on a goroutine of its own, and returns at once; where nothing
// but a rate is on it, Then is called by Go itself. With an error, ErrRoadFull,
// ErrRoadClosed or ErrTooFast, c is the caller's to close; Failed is not told.
func (r *Road) Go(c net.Conn) error {
	t := &traveller{Arrival: Arrival{Conn: c, Peer: Peer{Client: AddrPort(c.RemoteAddr())}, Began: time.Now()}}
	peer := t.Peer.Client.Addr()
	// Of a proxy nothing is counted but its places in all: who the client is, it has yet to tell.
	t.known = !r.o.Proxy.Believes(peer) && !r.o.Forwarded.Believes(peer)
	if t.known && !r.inTime(t) {
		return ErrTooFast
	}
	if r.o.Proxy == nil && r.o.TLS == nil && !r.wantsHead(peer) {
		if r.ctx.Err() != nil {
			return ErrRoadClosed
		}
		r.counters.arrived.Add(1)
		r.o.Then(r.ctx, &t.Arrival)
		return nil
	}
	if err := r.enter(t); err != nil {
		return err
	}
	go func() {
		defer r.leave(t)
		r.walk(t)
	}()
	return nil
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
	Arrived, Full, TooFast, NoHead, Panics uint64
	Pending                                int
}

// Counters is what became of connections so far. TLS and Proxy count what failed there.
func (r *Road) Counters() RoadCounters {
	r.mu.Lock()
	defer r.mu.Unlock()
	return RoadCounters{
		Arrived: r.counters.arrived.Load(), Full: r.counters.full.Load(), TooFast: r.counters.tooFast.Load(),
		NoHead: r.counters.noHead.Load(), Panics: r.counters.panics.Load(), Pending: r.pending,
	}
}
