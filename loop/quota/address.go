package quota

import (
	"net/netip"
	"slices"
)

// AddressKey is what limits for each address count a by: an IPv4 address is its own, also
// in IPv6 clothes; of an IPv6 address the first bits are, 1 to 128, since a customer
// mostly has a whole network. The zero Prefix is no address, or one of those that are not
// counted: proxies', whose connections are many clients'.
func AddressKey(a netip.Addr, ipv6Bits int, uncounted ...netip.Prefix) netip.Prefix {
	a = a.Unmap().WithZone("")
	if slices.ContainsFunc(uncounted, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return netip.Prefix{}
	}
	if a.Is4() {
		ipv6Bits = a.BitLen()
	}
	p, err := a.Prefix(ipv6Bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
