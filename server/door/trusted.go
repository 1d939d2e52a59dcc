package door

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Networks are addresses that are trusted to say who their clients are.
type Networks []netip.Prefix

// ParseNetworks reads addresses and CIDRs. The error says which one is wrong.
func ParseNetworks(texts []string) (Networks, error) {
	var n Networks
	for _, text := range texts {
		if !strings.Contains(text, "/") {
			a, err := netip.ParseAddr(text)
			if err != nil || a.Zone() != "" {
				return nil, fmt.Errorf("wants an IP address or a CIDR, got %q", text)
			}
			n = append(n, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		switch {
		case err != nil || p.Addr().Is4In6():
			return nil, fmt.Errorf("wants an IP address or a CIDR, got %q", text)
		case p != p.Masked():
			// A slip that trusts more than was meant, or less.
			return nil, fmt.Errorf("wants a CIDR without bits behind its length, %s, got %q", p.Masked(), text)
		}
		n = append(n, p)
	}
	return n, nil
}

// Contain reports whether a is in one of the networks. An IPv4 address may be written as
// IPv6.
func (n Networks) Contain(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(a) })
}

// ParseAddrPort is the IP address and port in text, as net/http has them of a client; not
// valid for a unix socket's.
func ParseAddrPort(text string) netip.AddrPort {
	p, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}

// AddrPort is the IP address and port of a; not valid for a unix socket's.
func AddrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := tcp.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}
