package loop

import (
	"net"
	"net/netip"
	"sync"
)

// addressQuota bounds the connections of each remote IP address. It does
// nothing unless a limit is set. It may be used from anywhere.
type addressQuota struct {
	counting bool // whether there is a limit at all; never changes

	mu    sync.Mutex
	limit int
	count map[netip.Addr]int
}

func newAddressQuota(limit int) *addressQuota {
	return &addressQuota{counting: limit != 0, limit: limit, count: make(map[netip.Addr]int)}
}

// setLimit replaces a limit by another; those who are over it stay.
func (q *addressQuota) setLimit(limit int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limit = limit
}

// enter takes a place for the address; false if there is none. Connections
// that have no IP address are not limited.
func (q *addressQuota) enter(addr net.Addr) bool {
	ip, ok := q.key(addr)
	if !ok {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.count[ip]
	if n >= q.limit {
		return false
	}
	q.count[ip] = n + 1
	return true
}

// exit gives a place back.
func (q *addressQuota) exit(addr net.Addr) {
	ip, ok := q.key(addr)
	if !ok {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count[ip]--; q.count[ip] == 0 {
		delete(q.count, ip)
	}
}

// key is the address that is counted, if any: an IPv4 address in IPv6 clothes
// is the same client.
func (q *addressQuota) key(addr net.Addr) (netip.Addr, bool) {
	tcp, ok := addr.(*net.TCPAddr)
	if !q.counting || !ok {
		return netip.Addr{}, false
	}
	return tcp.AddrPort().Addr().Unmap().WithZone(""), true
}
