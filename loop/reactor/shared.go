package reactor

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"groupcast/loop/budget"
	"groupcast/loop/quota"
)

// Shared is what the reactors of one engine, and its acceptors, count and know
// together. It is touched when something begins or ends, never for a message.
//
// Owner: the engine, which makes it; its methods and what is atomic are for any
// goroutine, the rest never changes.
type Shared struct {
	Start   time.Time // of the engine
	Log     *slog.Logger
	Stopped <-chan struct{} // closed when the engine ends
	Fail    func(error)     // tells the engine that it cannot go on

	Budget *budget.Budget // of the process's memory; nil is none

	Conns      atomic.Int64 // connections in all
	Handshakes atomic.Int64 // of them not upgraded yet
	Groups     atomic.Int64

	// Sessions ended before they had acknowledged all that was queued for them.
	CutSessions atomic.Uint64
	CutBytes    atomic.Uint64

	IPv6Bits  int                        // of an address that count; see quota.AddressKey
	Uncounted []netip.Prefix             // addresses that are not
	Addresses *quota.Quota[netip.Prefix] // connections of each remote address
	Users     *quota.Quota[string]       // connections of each user
	Members   *quota.Quota[string]       // members of each group, over all reactors

	// Refusing: sessions' publications are refused, since other nodes cannot be reached.
	Refusing atomic.Bool

	// AcksWait, of capacity one, gets a token when the first ack of a join waits on a loop.
	AcksWait chan struct{}
	// Coverage says which groups the bus covers.
	Coverage CoverageTable

	lastPanic atomic.Int64 // when one was logged, in milliseconds since the start
}

// Cut counts sessions that were ended before they had acknowledged all that had
// been queued for them, and those bytes.
func (h *Shared) Cut(sessions int, bytes int64) {
	h.CutSessions.Add(uint64(sessions))
	h.CutBytes.Add(uint64(max(0, bytes)))
}

// EnterAddress takes a place for a connection from addr; it reports false if there
// is none. Connections that have no IP address, or one of Uncounted, are not limited.
func (h *Shared) EnterAddress(addr net.Addr) bool {
	ip, ok := h.addressKey(addr)
	return !ok || h.Addresses.Enter(ip)
}

// ExitAddress gives the place back.
func (h *Shared) ExitAddress(addr net.Addr) {
	if ip, ok := h.addressKey(addr); ok {
		h.Addresses.Exit(ip)
	}
}

// EnterUser takes a place for a connection of who; it reports false if there is none. The
// anonymous are not limited.
func (h *Shared) EnterUser(who *Identity) bool { return who == nil || h.Users.Enter(who.User) }

// ExitUser gives the place back.
func (h *Shared) ExitUser(who *Identity) {
	if who != nil {
		h.Users.Exit(who.User)
	}
}

// addressKey is what is counted of the address, if anything is.
func (h *Shared) addressKey(addr net.Addr) (netip.Prefix, bool) {
	if !h.Addresses.Counting() {
		return netip.Prefix{}, false
	}
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}, false
	}
	key := quota.AddressKey(tcp.AddrPort().Addr(), h.IPv6Bits, h.Uncounted...)
	return key, key.IsValid()
}

// tellAcksWait tells the engine's clock that a loop's first ack waits. A token that is there
// already says the same.
func (h *Shared) tellAcksWait() {
	select {
	case h.AcksWait <- struct{}{}:
	default:
	}
}

// logPanic logs a panic with its stack, the first time in full and from then
// on at most once a minute, since a client that causes it may do so at will.
func (h *Shared) logPanic(s *Session, v any, stack []byte) {
	now := time.Since(h.Start).Milliseconds() + 1
	last := h.lastPanic.Load()
	if last != 0 && now-last < time.Minute.Milliseconds() || !h.lastPanic.CompareAndSwap(last, now) {
		return
	}
	h.Log.Error("panic in a session, which was closed", "session", s.ID(), "panic", fmt.Sprint(v), "stack", string(stack))
}
