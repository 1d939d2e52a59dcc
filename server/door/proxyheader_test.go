package door

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/pires/go-proxyproto"
)

var (
	theProxy  = &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 5555}
	aStranger = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 5555}
)

const v2 = "\r\n\r\n\x00\r\nQUIT\n"

// header is one as a proxy writes it.
func header(t testing.TB, version byte, from, to string) string {
	t.Helper()
	b, err := proxyproto.HeaderProxyFromAddrs(version,
		net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from)), net.TCPAddrFromAddrPort(netip.MustParseAddrPort(to))).Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestProxyHeader(t *testing.T) {
	tlvs := v2 + "\x21\x11\x00\x10" + "\xc6\x33\x64\x01\x0a\x00\x00\x05\x00\x09\x00\x50" + "\x04\x00\x01x"
	for name, c := range map[string]struct {
		sends  string // followed by "rest"
		from   net.Addr
		want   ProxyOutcome
		client string // "" is the peer itself
		text   string // of the error
	}{
		"v1": {
			header(t, 1, "198.51.100.1:9", "10.0.0.5:80"), theProxy, ProxyClient,
			"198.51.100.1:9", "",
		},
		"v1, IPv6": {
			header(t, 1, "[2001:db8::1]:9", "[::1]:80"), theProxy, ProxyClient, "[2001:db8::1]:9",
			"",
		},
		"v1, IPv4 as IPv6": {
			"PROXY TCP6 ::ffff:198.51.100.1 ::1 9 80\r\n", theProxy, ProxyClient,
			"198.51.100.1:9", "",
		},
		"v1, unknown":           {"PROXY UNKNOWN\r\n", theProxy, ProxyLocal, "", ""},
		"v1, unknown with more": {"PROXY UNKNOWN ffff::1 ::1 1 2\r\n", theProxy, ProxyLocal, "", ""},
		"v2": {
			header(t, 2, "198.51.100.1:9", "10.0.0.5:80"), theProxy, ProxyClient,
			"198.51.100.1:9", "",
		},
		"v2, IPv6": {
			header(t, 2, "[2001:db8::1]:9", "[::1]:80"), theProxy, ProxyClient, "[2001:db8::1]:9",
			"",
		},
		"v2, TLVs":             {tlvs, theProxy, ProxyClient, "198.51.100.1:9", ""},
		"v2, local":            {v2 + "\x20\x00\x00\x00", theProxy, ProxyLocal, "", ""},
		"v2, local with bytes": {v2 + "\x20\x11\x00\x03abc", theProxy, ProxyLocal, "", ""},
		"v2, local with an address": {
			v2 + "\x20\x11\x00\x0c\xc6\x33\x64\x01\x0a\x00\x00\x05\x00\x09\x00\x50", theProxy,
			ProxyLocal, "", "",
		},
		"v2, unix": {v2 + "\x21\x31\x00\xd8" + strings.Repeat("x", 216), theProxy, ProxyLocal, "", ""},
		"over a unix socket": {
			header(t, 2, "198.51.100.1:9", "10.0.0.5:80"), &net.UnixAddr{}, ProxyClient,
			"198.51.100.1:9", "",
		},
		"unix, none": {"GET / HTTP/1.1", &net.UnixAddr{}, ProxyMissing, "", "got none"},
		"none": {
			"GET / HTTP/1.1", theProxy, ProxyMissing, "",
			"wants a header from the proxy at 10.0.0.1, got none",
		},
		"nothing":               {"", theProxy, ProxyMissing, "", "got none"}, // "rest" is no header
		"none of its business":  {"PROXYjunk TCP4 1.1.1.1 2.2.2.2 1 2\r\n", theProxy, ProxyMissing, "", "got none"},
		"lower case":            {"proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n", theProxy, ProxyMissing, "", "got none"},
		"stranger":              {"GET / HTTP/1.1", aStranger, ProxyDirect, "", ""},
		"stranger, almost a v1": {"PROXYING", aStranger, ProxyDirect, "", ""},
		"stranger with v1": {
			header(t, 1, "10.0.0.9:9", "10.0.0.5:80"), aStranger, ProxyUntrusted, "",
			"got one from 192.0.2.9",
		},
		"stranger with v2": {
			header(t, 2, "10.0.0.9:9", "10.0.0.5:80"), aStranger, ProxyUntrusted, "",
			"got one from 192.0.2.9",
		},
		"stranger with local": {v2 + "\x20\x00\x00\x00", aStranger, ProxyUntrusted, "", "got one from 192.0.2.9"},
		"v1, endless": {
			"PROXY " + strings.Repeat("x", 1000), theProxy, ProxyMalformed, "",
			"at most 107 bytes",
		},
		"v1, 107 bytes and no LF": {
			"PROXY UNKNOWN " + strings.Repeat("x", 93), theProxy, ProxyMalformed, "",
			"at most 107 bytes",
		},
		"v1, 108 bytes": {
			"PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n", theProxy, ProxyMalformed, "",
			"at most 107",
		},
		"v1, 107 bytes":    {"PROXY UNKNOWN " + strings.Repeat("x", 91) + "\r\n", theProxy, ProxyLocal, "", ""},
		"v1, no CR":        {"PROXY UNKNOWN\n", theProxy, ProxyMalformed, "", "must end with"},
		"v1, no port":      {"PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", theProxy, ProxyMalformed, "", "can't read"},
		"v1, a large port": {"PROXY TCP4 1.1.1.1 2.2.2.2 65536 1\r\n", theProxy, ProxyMalformed, "", "invalid port"},
		"v1, a name": {
			"PROXY TCP4 localhost 2.2.2.2 1 1\r\n", theProxy, ProxyMalformed, "",
			"invalid address",
		},
		"v1, another family": {"PROXY TCP4 ::1 ::1 1 1\r\n", theProxy, ProxyMalformed, "", "invalid address"},
		"v1, UDP":            {"PROXY UDP4 1.1.1.1 2.2.2.2 1 1\r\n", theProxy, ProxyMalformed, "", "can't read"},
		"v1, a zone":         {"PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n", theProxy, ProxyMalformed, "", "invalid address"},
		"v2, too long": {
			v2 + "\x21\x11\x10\x01" + strings.Repeat("x", 4097), theProxy, ProxyMalformed, "",
			"at most 4112 bytes, got one of 4113",
		},
		"v2, longest": {
			v2 + "\x20\x00\x10\x00" + strings.Repeat("\x04\x00\x01x", 1024), theProxy, ProxyLocal,
			"", "",
		},
		"v2, too short":   {v2 + "\x21\x11\x00\x0bxxxxxxxxxxx", theProxy, ProxyMalformed, "", "invalid length"},
		"v2, version 3":   {v2 + "\x31\x11\x00\x0cxxxxxxxxxxxx", theProxy, ProxyMalformed, "", "unsupported"},
		"v2, command 2":   {v2 + "\x22\x11\x00\x0cxxxxxxxxxxxx", theProxy, ProxyMalformed, "", "unsupported"},
		"v2, UDP":         {v2 + "\x21\x12\x00\x0cxxxxxxxxxxxx", theProxy, ProxyMalformed, "", "protocol 0x12"},
		"v2, unspecified": {v2 + "\x21\x00\x00\x00", theProxy, ProxyMalformed, "", "unsupported"},
	} {
		for how, reader := range map[string]io.Reader{
			"whole":     strings.NewReader(c.sends + "rest"),
			"bytewise":  iotest.OneByteReader(strings.NewReader(c.sends + "rest")),
			"with EOF":  iotest.DataErrReader(strings.NewReader(c.sends + "rest")),
			"in halves": iotest.HalfReader(strings.NewReader(c.sends + "rest")),
		} {
			p := &ProxyProtocol{Trusted: networks(t, "10.0.0.0/8")}
			peer, rest, err := p.Read(reader, c.from)
			if want := c.want >= ProxyMissing; (err != nil) != want {
				t.Errorf("%s, %s: %v", name, how, err)
				continue
			}
			all := p.Counters()
			maps.DeleteFunc(all, func(_ string, n uint64) bool { return n == 0 })
			if !maps.Equal(all, map[string]uint64{c.want.String(): 1}) {
				t.Errorf("%s, %s: counted %v, want %s", name, how, all, c.want)
			}
			if err != nil {
				if e, ok := errors.AsType[*ProxyError](err); !ok || e.Outcome != c.want || !strings.Contains(err.Error(), c.text) {
					t.Errorf("%s, %s: %v", name, how, err)
				}
				continue
			}
			client, proxy := AddrPort(c.from), AddrPort(c.from)
			if c.client != "" {
				client = netip.MustParseAddrPort(c.client)
			}
			if c.want == ProxyDirect {
				proxy = netip.AddrPort{}
			}
			if (peer != Peer{client, proxy}) {
				t.Errorf("%s, %s: got %v, want %v by %v", name, how, peer, client, proxy)
			}
			if a := peer.Addr(); client.IsValid() && a.String() != client.String() || !client.IsValid() && a != nil {
				t.Errorf("%s: as net.Addr it is %v", name, a)
			}
			// What is behind the header is there, in rest or still to be read.
			left, _ := io.ReadAll(reader)
			want := "rest"
			if c.want == ProxyDirect {
				want = c.sends + want
			}
			if got := string(rest) + string(left); got != want {
				t.Errorf("%s, %s: behind the header %q", name, how, got)
			}
		}
	}
}

// A header that ends in the middle, and one that never comes.
func TestProxyHeaderCut(t *testing.T) {
	p := &ProxyProtocol{Trusted: networks(t, "10.0.0.0/8")}
	whole := header(t, 2, "198.51.100.1:9", "10.0.0.5:80")
	for n := range len(whole) {
		_, _, err := p.Read(strings.NewReader(whole[:n]), theProxy)
		if e, ok := errors.AsType[*ProxyError](err); !ok || e.Outcome != ProxyCut || !errors.Is(err, io.EOF) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if peer, rest, err := p.Read(strings.NewReader(whole[:min(n, 15)]), aStranger); err != nil ||
			string(rest) != whole[:min(n, 15)] || peer.Client != AddrPort(aStranger) {
			t.Errorf("%d bytes of a stranger: %v, %q, %v", n, peer, rest, err)
		}
	}
	client, server := tcpPair(t)
	if _, err := io.WriteString(client, "PROXY TCP4 "); err != nil {
		t.Fatal(err)
	}
	if err := server.SetDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Read(server, theProxy); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a header that never ends: %v", err)
	}
}

// However the bytes come, the result is the same; nothing behind a header is lost, and no
// address comes from nowhere.
func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte(header(f, 1, "198.51.100.1:9", "10.0.0.5:80")+"rest"), uint8(3), true)
	f.Add([]byte(header(f, 2, "[2001:db8::1]:9", "[::1]:80")+"rest"), uint8(200), true)
	f.Add([]byte(v2+"\x20\x11\x00\x03abc"), uint8(14), false)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), uint8(1), false)
	f.Add([]byte("PROXY UNKNOWN\r\n"), uint8(0), true)
	f.Fuzz(func(t *testing.T, b []byte, split uint8, trusted bool) {
		from := AddrPort(theProxy)
		n := min(int(split), len(b))
		whole := bytes.NewReader(b)
		peer, rest, outcome, err := readProxyHeader(whole, from, trusted)
		halves := io.MultiReader(bytes.NewReader(b[:n]), bytes.NewReader(b[n:]))
		peer2, rest2, outcome2, err2 := readProxyHeader(halves, from, trusted)
		if peer != peer2 || outcome != outcome2 || (err == nil) != (err2 == nil) {
			t.Fatalf("%v %v %v; split: %v %v %v", peer, outcome, err, peer2, outcome2, err2)
		}
		if (err != nil) != (outcome >= ProxyMissing) || err == nil && !peer.Client.IsValid() {
			t.Fatalf("%v, %v, %v", peer, outcome, err)
		}
		left, _ := io.ReadAll(whole)
		left2, _ := io.ReadAll(halves)
		if err == nil {
			all, all2 := append(rest, left...), append(rest2, left2...)
			if !bytes.Equal(all, all2) || !bytes.HasSuffix(b, all) || outcome == ProxyDirect && len(all) != len(b) {
				t.Fatalf("%v: behind it %q, %q", outcome, all, all2)
			}
		}
		if !trusted && outcome != ProxyDirect && outcome != ProxyUntrusted && outcome != ProxyMalformed {
			t.Fatalf("a stranger is %v", outcome)
		}
	})
}
