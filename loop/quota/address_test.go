package quota

import (
	"net/netip"
	"testing"
)

// TestAddressKey: clients of one customer's network are one, and no others are.
func TestAddressKey(t *testing.T) {
	for _, c := range []struct {
		one, other string
		bits       int
		same       bool
	}{
		{"192.0.2.1", "192.0.2.1", 64, true},
		{"192.0.2.1", "::ffff:192.0.2.1", 64, true},
		{"192.0.2.1", "192.0.2.2", 1, false},
		{"2001:db8::1", "2001:db8::2", 64, true},
		{"2001:db8::1", "2001:db8::2", 128, false},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", 64, false},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", 56, true},
		{"fe80::1%eth0", "fe80::2%eth1", 64, true},
	} {
		one, other := netip.MustParseAddr(c.one), netip.MustParseAddr(c.other)
		if got := AddressKey(one, c.bits) == AddressKey(other, c.bits); got != c.same {
			t.Errorf("%s and %s by %d bits: %t", one, other, c.bits, got)
		}
	}
	if AddressKey(netip.Addr{}, 64).IsValid() {
		t.Error("no address has a key")
	}
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::1/128")}
	for address, counted := range map[string]bool{
		"10.1.2.3": false, "::ffff:10.1.2.3": false, "11.1.2.3": true, "2001:db8::1": false, "2001:db8::2": true,
	} {
		if got := AddressKey(netip.MustParseAddr(address), 64, proxies...).IsValid(); got != counted {
			t.Errorf("%s is counted: %t", address, got)
		}
	}
}
