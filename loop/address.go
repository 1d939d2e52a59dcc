package loop

import (
	"net"
	"net/netip"
)

// enterAddress takes a place for a connection from addr; it reports false if there
// is none. Connections that have no IP address are not limited.
func (e *Engine) enterAddress(addr net.Addr) bool {
	ip, ok := e.addressKey(addr)
	return !ok || e.addresses.Enter(ip)
}

// exitAddress gives the place back.
func (e *Engine) exitAddress(addr net.Addr) {
	if ip, ok := e.addressKey(addr); ok {
		e.addresses.Exit(ip)
	}
}

// addressKey is the address that is counted, if any: an IPv4 address in IPv6 clothes
// is the same client.
func (e *Engine) addressKey(addr net.Addr) (netip.Addr, bool) {
	if !e.addresses.Counting() {
		return netip.Addr{}, false
	}
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	return tcp.AddrPort().Addr().Unmap().WithZone(""), true
}
