package door

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"groupcast/loop/accept"
	"groupcast/loop/quota"
	"groupcast/loop/tlsconn"
	"groupcast/protocol"
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

// Arrival is a connection at the end of the road. Its deadline is the road's.
// Owner: Then.
type Arrival struct {
	Conn net.Conn // as it was accepted: what a loop is given
	Peer Peer
	// Began is when it was accepted.
	Began time.Time
	// TLS is the connection to be read from, with TLS; nil without. Its Session is for a
	// loop, its own Conn for net/http.
	TLS *tlsconn.Conn
	// Read is what has been read behind the PROXY header, with TLS what it has decrypted.
	// Head, if one was to be read, is the beginning of it.
	Read, Head []byte
	// Verdict is what Head will be answered, and aliases it. Zero without.
	Verdict protocol.HandshakeResult
}

// Stream is the connection as it is read from and written to: of what has been read nothing
// is missing, and its address is the client's.
func (a *Arrival) Stream() net.Conn {
	below := a.Conn
	if a.TLS != nil {
		below = a.TLS
	}
	if len(a.Read) == 0 && a.Peer.Client == AddrPort(below.RemoteAddr()) {
		return below
	}
	return &readAhead{Conn: below, read: a.Read, client: a.Peer.Addr()}
}

// Refuse answers and closes. It blocks up to a second.
func (a *Arrival) Refuse(answer []byte) {
	if a.TLS != nil {
		accept.Answer(a.TLS, answer)
	}
	accept.Answer(a.Conn, answer) // which is closed by now, with TLS
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

// addressShare is which part of a Road's places one address may have: a quarter.
const addressShare = 4

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

// traveller is a connection with a place on the road.
type traveller struct {
	Arrival
	known  bool         // who the client is; before that, Peer.Client is a proxy
	key    netip.Prefix // whose share the place counts to; not valid: nobody's
	limits RoadLimits   // when it came
}

// enter gives t a place, with the client's share of them if it is known.
func (r *Road) enter(t *traveller) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return ErrRoadClosed
	}
	t.limits = r.limits
	if r.pending >= t.limits.MaxPending || t.known && !r.takeShare(t) {
		r.counters.full.Add(1)
		return ErrRoadFull
	}
	r.pending++
	r.all.Add(1)
	return nil
}

// takeShare counts t's place to its client's address, which may have a share of all, so that
// others come in beside it. Proxies' own are many clients', and those of a unix socket
// nobody's. The caller holds mu.
func (r *Road) takeShare(t *traveller) bool {
	key := quota.AddressKey(t.Peer.Client.Addr(), t.limits.IPv6Bits, r.o.Uncounted...)
	if !key.IsValid() {
		return true
	}
	if r.each[key] >= max(1, t.limits.MaxPending/addressShare) {
		return false
	}
	r.each[key]++
	t.key = key
	return true
}

// identify is for a client that its proxy has told of: from here on it is limited as if it had
// come itself.
func (r *Road) identify(t *traveller) error {
	t.known = true
	if !r.inTime(t) {
		return ErrTooFast
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.takeShare(t) {
		r.counters.full.Add(1)
		return ErrRoadFull
	}
	return nil
}

// leave gives the place back. A panic on the way costs this connection and no more.
func (r *Road) leave(t *traveller) {
	if p := recover(); p != nil {
		r.counters.panics.Add(1)
		r.fail(t.Conn, &PanicError{p, debug.Stack()})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending--
	if t.key.IsValid() {
		if r.each[t.key]--; r.each[t.key] == 0 {
			delete(r.each, t.key)
		}
	}
	r.all.Done()
}

// PanicError is a mistake in the server that cost a connection.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.Value, e.Stack) }

// walk takes t to the road's end.
func (r *Road) walk(t *traveller) {
	c := t.Conn
	ctx, cancel := context.WithDeadline(r.ctx, t.Began.Add(t.limits.Timeout))
	defer cancel()
	deadline, _ := ctx.Deadline()
	// One deadline for all that reads or writes; the past, once the road is closed, and only
	// then: an answer to a client that was too slow has a time of its own.
	if err := c.SetDeadline(deadline); err != nil {
		r.fail(c, err)
		return
	}
	defer context.AfterFunc(r.ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()

	if err := r.steps(ctx, t); err != nil {
		r.fail(c, err)
		return
	}
	r.counters.arrived.Add(1)
	r.o.Then(ctx, &t.Arrival)
}

func (r *Road) steps(ctx context.Context, t *traveller) (err error) {
	a := &t.Arrival
	if r.o.Proxy != nil {
		if a.Peer, a.Read, err = r.o.Proxy.Read(a.Conn, a.Conn.RemoteAddr()); err != nil {
			return err
		}
		if !t.known && !r.o.Forwarded.Believes(a.Peer.Client.Addr()) {
			if err = r.identify(t); err != nil {
				return err
			}
		}
	}
	if r.o.TLS != nil {
		below := a.Stream()
		a.Read = nil
		if a.TLS, err = r.o.TLS.Handshake(ctx, below); err != nil {
			return err
		}
	}
	if !r.wantsHead(a.Peer.Client.Addr()) {
		return nil
	}
	if err = r.readHead(t); err != nil || t.known {
		return err
	}
	var values []string
	for value := range a.Verdict.Request.Fields(r.o.Forwarded.Name) {
		values = append(values, string(value))
	}
	a.Peer = Peer{Client: r.o.Forwarded.Client(a.Peer.Client, values), Proxy: a.Peer.Client}
	// A proxy takes an answer for its client's matter, and an end without one for our failure.
	switch err = r.identify(t); {
	case errors.Is(err, ErrTooFast):
		a.Refuse(tooFast)
	case errors.Is(err, ErrRoadFull):
		a.Refuse(roadFull)
	}
	return err
}

// What a client is answered that is known only by its request's head.
var (
	tooFast = protocol.AppendRefusal(nil, 429, "Retry-After: 1\r\n", protocol.PlainText,
		"too many connections a second of this address, try again later\n")
	roadFull = protocol.AppendUnavailable(nil, 5, protocol.PlainText,
		"too many connections of this address wait for their upgrade, try again later\n")
)

// wantsHead reports whether the head of a request from peer is read.
func (r *Road) wantsHead(peer netip.Addr) bool { return r.o.Head || r.o.Forwarded.Believes(peer) }

// readHead reads the head of the request. One that is too large or too late is answered.
func (r *Road) readHead(t *traveller) (err error) {
	a := &t.Arrival
	from := a.Conn
	if a.TLS != nil {
		from = a.TLS
	}
	a.Head, a.Read, err = readHead(from, a.Read, t.limits.MaxHeadBytes)
	switch {
	case err == nil:
		a.Verdict = protocol.Inspect(a.Head)
	case errors.Is(err, ErrHeadTooLarge):
		r.counters.noHead.Add(1)
		a.Refuse(protocol.AppendTooLarge(nil))
	case errors.Is(err, os.ErrDeadlineExceeded) && r.ctx.Err() == nil:
		r.counters.noHead.Add(1)
		err = ErrHeadTimeout
		if len(a.Read) > 0 { // not a word: nobody to answer
			a.Refuse(protocol.AppendTimeout(nil))
		}
	}
	return err
}

// inTime reports whether t's client comes slowly enough.
func (r *Road) inTime(t *traveller) bool {
	if r.o.Rate == nil || r.o.Rate.Allow(t.Peer.Client.Addr(), time.Now()) {
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

// readAhead is a connection of which something has been read: that comes first. A proxy may
// have told who its client is.
type readAhead struct {
	net.Conn
	read   []byte
	client net.Addr // nil: Conn's
}

// NetConn is the connection below.
func (c *readAhead) NetConn() net.Conn { return c.Conn }

// RemoteAddr is the client's address.
func (c *readAhead) RemoteAddr() net.Addr {
	if c.client != nil {
		return c.client
	}
	return c.Conn.RemoteAddr()
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
