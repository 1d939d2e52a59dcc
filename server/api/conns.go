package api

import (
	"cmp"
	"container/list"
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"groupcast/loop/quota"
	"groupcast/server/door"
)

// Who has a connection to the API. Places are for those who show a token. A
// connection that has shown none is a stranger's: it keeps its place as long as no one
// else wants it, and the one that has been quiet for longest goes first.

// ReservedConns are connections beyond MaxConns, for those who watch over the server,
// when no stranger is left to be closed. They are answered one request each, and only
// about health and metrics.
const ReservedConns = 16

// strangersShare is the part of MaxConns that strangers from one address may have where
// tokens are wanted: a quarter.
const strangersShare = 4

// conns are the connections to an API, those of all its listeners.
type conns struct {
	ipv6Bits int // of an address that count

	mu        sync.Mutex // guards what follows, and what it says below
	limit     int        // of connections that are not reserved
	held      int        // of these
	reserved  int
	quiet     list.List          // of *conn, strangers with nothing going on; the first for longest
	strangers map[netip.Addr]int // by address
	evicted   uint64
}

// conn is a connection that has a place.
type conn struct {
	net.Conn
	all  *conns
	addr netip.Addr // invalid on a unix socket

	// Guarded by all.mu.
	reserved bool
	known    bool          // has shown a token
	working  bool          // on a request that was admitted
	gone     bool          // has given its place back
	waiting  *list.Element // in all.quiet, or nil
}

func newConns(ipv6Bits int) *conns {
	return &conns{ipv6Bits: cmp.Or(ipv6Bits, 64), strangers: make(map[netip.Addr]int)}
}

func (cs *conns) setLimit(n int) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.limit = n
}

// enter gives a connection a place, or returns nil if there is none. share says that
// strangers from one address may not have more than their share.
func (cs *conns) enter(inner net.Conn, share bool) *conn {
	c := &conn{Conn: inner, all: cs, addr: cs.addressOf(inner)}
	victim, entered := cs.place(c, share)
	if victim != nil {
		_ = victim.Conn.Close()
	}
	if !entered {
		return nil
	}
	return c
}

func (cs *conns) place(c *conn, share bool) (victim *conn, entered bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if victim = cs.victim(c.addr, share); victim != nil {
		cs.evicted++
		victim.leave()
	}
	if c.reserved = cs.held >= cs.limit; c.reserved && cs.reserved >= ReservedConns {
		return victim, false
	}
	cs.count(c, 1)
	c.settle()
	return victim, true
}

// victim is the connection to be closed for one from addr; nil if there is room
// without that, or no stranger to be closed.
func (cs *conns) victim(addr netip.Addr, share bool) *conn {
	if share && addr.IsValid() && cs.strangers[addr] >= max(cs.limit/strangersShare, 1) {
		return cs.quietest(func(other *conn) bool { return other.addr == addr })
	}
	if cs.held < cs.limit {
		return nil
	}
	if c := cs.quietest(func(other *conn) bool { return !other.reserved }); c != nil || cs.reserved < ReservedConns {
		return c
	}
	return cs.quietest(func(other *conn) bool { return other.reserved })
}

// quietest is the stranger that has been quiet for longest, of those that fit.
func (cs *conns) quietest(fits func(*conn) bool) *conn {
	for e := cs.quiet.Front(); e != nil; e = e.Next() {
		if c := e.Value.(*conn); fits(c) {
			return c
		}
	}
	return nil
}

// count adds n to all that c is counted in.
func (cs *conns) count(c *conn, n int) {
	if c.reserved {
		cs.reserved += n
	} else {
		cs.held += n
	}
	cs.countStranger(c, n)
}

func (cs *conns) countStranger(c *conn, n int) {
	if c.known || !c.addr.IsValid() {
		return
	}
	if cs.strangers[c.addr] += n; cs.strangers[c.addr] == 0 {
		delete(cs.strangers, c.addr)
	}
}

// settle puts c where it belongs, behind all others, now that something has changed.
func (c *conn) settle() {
	if c.waiting != nil {
		c.all.quiet.Remove(c.waiting)
		c.waiting = nil
	}
	if !c.gone && !c.known && !c.working {
		c.waiting = c.all.quiet.PushBack(c)
	}
}

// leave gives the place back.
func (c *conn) leave() {
	if !c.gone {
		c.gone = true
		c.all.count(c, -1)
		c.settle()
	}
}

// began notes a request, and reports whether it came in by a reserved place.
func (c *conn) began() (reserved bool) {
	if c == nil {
		return false
	}
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	c.settle()
	return c.reserved
}

// admitted notes that the request is being worked on, and whether it has shown a token.
func (c *conn) admitted(token bool) { c.change(token, true) }

// refused notes a request without the right token.
func (c *conn) refused() { c.change(false, false) }

// ended notes the end of a request.
func (c *conn) ended() {
	if c != nil {
		c.all.mu.Lock()
		defer c.all.mu.Unlock()
		c.working = false
		c.settle()
	}
}

func (c *conn) change(known, working bool) {
	if c == nil {
		return
	}
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	if !c.gone {
		c.all.countStranger(c, -1)
		c.known = known
		c.all.countStranger(c, 1)
	}
	c.working = working
	c.settle()
}

// Close closes the connection and gives its place back.
func (c *conn) Close() error {
	c.all.mu.Lock()
	c.leave()
	c.all.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite is what net/http does before it closes on a request that it has not
// read to its end.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// addressOf is who is at the other end, see quota.AddressKey.
func (cs *conns) addressOf(c net.Conn) netip.Addr {
	return quota.AddressKey(door.AddrPort(c.RemoteAddr()).Addr(), cs.ipv6Bits).Addr()
}

// now is how many there are.
func (cs *conns) now() (open int, evicted uint64) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.held + cs.reserved, cs.evicted
}

type connKey struct{}

// withConn is http.Server's ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*conn); ok {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// connOf is the connection that a request came by; nil on a listener that has no
// limit. Its methods take nil.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}
