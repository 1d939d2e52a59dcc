package door

import (
	"net/netip"
	"strings"
	"testing"

	"groupcast/loop/quota"
)

func networks(t testing.TB, texts ...string) Networks {
	t.Helper()
	n, err := ParseNetworks(texts)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestParseNetworks(t *testing.T) {
	n := networks(t, "10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1", "::ffff:198.51.100.1")
	for text, want := range map[string]bool{
		"10.255.0.1": true, "::ffff:10.1.1.1": true, "192.0.2.1": true, "192.0.2.2": false, "11.0.0.1": false,
		"2001:db8:ffff::1": true, "2001:db9::1": false, "::1": true, "198.51.100.1": true, "fe80::1%eth0": false,
	} {
		if got := n.Contain(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if n.Contain(netip.Addr{}) || Networks(nil).Contain(netip.MustParseAddr("10.0.0.1")) {
		t.Error("no address is in a network, or one in none")
	}
	for _, text := range []string{
		"", "x", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "/8", "10.0.0.0/-1", "2001:db8::/129", "fe80::1%eth0",
		"::ffff:10.0.0.0/104", "10.0.0.0/08", "localhost", " 10.0.0.1", "10.0.0",
	} {
		if got, err := ParseNetworks([]string{text}); err == nil || !strings.Contains(err.Error(), `got "`+text+`"`) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestLimitKey(t *testing.T) {
	for _, c := range []struct {
		address string
		bits    int
		want    string
	}{
		{"192.0.2.1", 64, "192.0.2.1/32"},
		{"::ffff:192.0.2.1", 64, "192.0.2.1/32"},
		{"2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::/64"},
		{"2001:db8:1:2:3:4:5:6", 48, "2001:db8:1::/48"},
		{"2001:db8:1:2:3:4:5:6", 128, "2001:db8:1:2:3:4:5:6/128"},
		{"fe80::1%eth0", 64, "fe80::/64"},
	} {
		if got := quota.AddressKey(netip.MustParseAddr(c.address), c.bits); got != netip.MustParsePrefix(c.want) {
			t.Errorf("%s by %d: %v", c.address, c.bits, got)
		}
	}
	if got := quota.AddressKey(netip.Addr{}, 64); got.IsValid() {
		t.Errorf("no address: %v", got)
	}
}

func TestXForwardedFor(t *testing.T) {
	trusted := networks(t, "10.0.0.0/8", "2001:db8::/32")
	const proxy = "10.0.0.1"
	for _, c := range []struct {
		peer   string
		values []string
		want   string
	}{
		{"192.0.2.9", nil, "192.0.2.9"},
		{"192.0.2.9", []string{"198.51.100.1"}, "192.0.2.9"}, // it is not trusted
		{proxy, nil, proxy},
		{proxy, []string{"198.51.100.1"}, "198.51.100.1"},
		{"::ffff:10.0.0.1", []string{"198.51.100.1"}, "198.51.100.1"},
		{proxy, []string{"203.0.113.7, 198.51.100.1"}, "198.51.100.1"}, // what is left of it is the client's own word
		{proxy, []string{"203.0.113.7", "198.51.100.1"}, "198.51.100.1"},
		{proxy, []string{"198.51.100.1, 10.0.0.2,10.0.0.3"}, "198.51.100.1"},
		{proxy, []string{"198.51.100.1,10.0.0.2", "10.0.0.3"}, "198.51.100.1"},
		{proxy, []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"}, // only proxies
		{proxy, []string{"198.51.100.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{proxy, []string{"198.51.100.1, garbage"}, proxy},
		{proxy, []string{""}, proxy},
		{proxy, []string{","}, proxy},
		{proxy, []string{"198.51.100.1,"}, proxy},
		{proxy, []string{"198.51.100.1:443"}, "198.51.100.1"},
		{proxy, []string{"[2001:db9::1]:443"}, "2001:db9::1"},
		{proxy, []string{"[2001:db9::1]"}, "2001:db9::1"},
		{proxy, []string{"2001:db9::1"}, "2001:db9::1"},
		{proxy, []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{proxy, []string{"198.51.100.1, ::ffff:10.0.0.2"}, "198.51.100.1"},
		{proxy, []string{"fe80::1%eth0"}, proxy},
		{proxy, []string{"[198.51.100.1]"}, proxy},
		{proxy, []string{"198.51.100.1:"}, proxy},
		{proxy, []string{"198.51.100.1:99999"}, proxy},
		{proxy, []string{"0x7f.1"}, proxy},
		{proxy, []string{"010.0.0.1"}, proxy},
		{proxy, []string{`"evil`, "198.51.100.1"}, "198.51.100.1"},
		{proxy, []string{`"evil, 198.51.100.1`}, "198.51.100.1"}, // quotes mean nothing here
		{proxy, []string{strings.Repeat("203.0.113.7,", 10_000) + "198.51.100.1"}, "198.51.100.1"},
	} {
		if got := XForwardedFor(netip.MustParseAddr(c.peer), c.values, trusted); got != netip.MustParseAddr(c.want) {
			t.Errorf("%s, %.80q: got %v, want %s", c.peer, c.values, got, c.want)
		}
	}
}

func TestForwarded(t *testing.T) {
	trusted := networks(t, "10.0.0.0/8", "2001:db8::/32")
	const proxy = "10.0.0.1"
	for _, c := range []struct {
		values []string
		want   string
	}{
		{nil, proxy},
		{[]string{"for=198.51.100.1"}, "198.51.100.1"},
		{[]string{`For="198.51.100.1:4711"`}, "198.51.100.1"},
		{[]string{`for="[2001:db9:cafe::17]:4711"`}, "2001:db9:cafe::17"},
		{[]string{`for="[2001:db9:cafe::17]";proto=https; by=203.0.113.43`}, "2001:db9:cafe::17"},
		{[]string{"by=203.0.113.43;for=198.51.100.1"}, "198.51.100.1"},
		{[]string{"for=203.0.113.7, for=198.51.100.1"}, "198.51.100.1"},
		{[]string{"for=198.51.100.1, for=10.0.0.2", "for=10.0.0.3"}, "198.51.100.1"},
		{[]string{`for=198.51.100.1;ext="a, for=203.0.113.7", for=10.0.0.2`}, "198.51.100.1"},
		{[]string{`for=198.51.100.1;ext="a\", for=203.0.113.7", for=10.0.0.2`}, "198.51.100.1"},
		{[]string{`for=198.51.100.1;ext="a\\", for=10.0.0.2`}, "198.51.100.1"},
		{[]string{`for=203.0.113.7, for=198.51.100.1;ext="a\",b", for=10.0.0.2`}, "198.51.100.1"},
		{[]string{`for="evil, for=198.51.100.1`}, "198.51.100.1"}, // a quote left open by the client
		{[]string{`for="evil`, `for=198.51.100.1`}, "198.51.100.1"},
		{[]string{"for=198.51.100.1, for=unknown"}, proxy},
		{[]string{"for=198.51.100.1, for=_hidden"}, proxy},
		{[]string{"for=198.51.100.1, proto=https"}, proxy},
		{[]string{"for=198.51.100.1;for=203.0.113.7"}, proxy},
		{[]string{`for="198.51.100.1`}, proxy},
		{[]string{"for="}, proxy},
		{[]string{"198.51.100.1"}, proxy},
		{[]string{""}, proxy},
	} {
		if got := Forwarded(netip.MustParseAddr(proxy), c.values, trusted); got != netip.MustParseAddr(c.want) {
			t.Errorf("%q: got %v, want %s", c.values, got, c.want)
		}
	}
	stranger := netip.MustParseAddr("192.0.2.9")
	if got := Forwarded(stranger, []string{"for=198.51.100.1"}, trusted); got != stranger {
		t.Errorf("not trusted: %v", got)
	}
}

// Whatever a client puts in front, what the proxy adds decides.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{"", "198.51.100.1", `for="`, `for="a\",`, "1.2.3.4, ", `\`, `"\"`} {
		f.Add(seed)
	}
	trusted := networks(f, "10.0.0.0/8")
	peer, client := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("198.51.100.1")
	f.Fuzz(func(t *testing.T, left string) {
		if got := XForwardedFor(peer, []string{left + ", 198.51.100.1"}, trusted); got != client {
			t.Errorf("X-Forwarded-For %q: %v", left, got)
		}
		if got := Forwarded(peer, []string{left + `, for="198.51.100.1:1"`}, trusted); got != client {
			t.Errorf("Forwarded %q: %v", left, got)
		}
		if got := XForwardedFor(peer, []string{left}, trusted); !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Errorf("X-Forwarded-For %q: %v", left, got)
		}
		if got := Forwarded(peer, []string{left}, trusted); !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Errorf("Forwarded %q: %v", left, got)
		}
	})
}
