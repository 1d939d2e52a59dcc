package server

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"groupcast/server/door"
)

// proxyV2 is a header of the PROXY protocol's version 2 for a TCP connection over IPv4.
func proxyV2(command byte, client netip.AddrPort) string {
	const signature, tcp4, size = "\r\n\r\n\x00\r\nQUIT\n", 0x11, 12
	ip := client.Addr().As4()
	h := append([]byte(signature), 0x20|command, tcp4, 0, size)
	h = append(append(h, ip[:]...), 198, 51, 100, 1)
	h = binary.BigEndian.AppendUint16(h, client.Port())
	return string(binary.BigEndian.AppendUint16(h, 443))
}

// A proxy on this machine speaks the PROXY protocol over a unix socket, too, where every peer is
// believed, and has to send a header.
func TestProxyProtocolOverUnixSocket(t *testing.T) {
	const local, proxied, unnamed = 0, 1, "@"
	path := filepath.Join(shortDir(t), "ws.sock")
	s := startServer(t, func(o *Options) {
		o.Listen, o.MaxConnsPerIP = []string{"unix:" + path}, 1
		o.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("192.0.2.200/32")}
	})
	ask := func(header string) (c net.Conn, status int) { // 0: closed without an answer
		t.Helper()
		c, err := new(net.Dialer).DialContext(t.Context(), "unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(c, header+upgradeHead+"\r\n"); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return c, 0
		}
		_ = r.Body.Close()
		return c, r.StatusCode
	}
	client := func(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }
	for _, c := range []struct {
		name, header, remote string
		status               int
	}{
		{"v1", "PROXY TCP4 192.0.2.1 198.51.100.1 5000 443\r\n", "192.0.2.1:5000", 101},
		{"v1, IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 5000 443\r\n", "[2001:db8::1]:5000", 101},
		{"v2", proxyV2(proxied, client("192.0.2.2:6000")), "192.0.2.2:6000", 101},
		{"LOCAL", proxyV2(local, client("192.0.2.3:7000")), unnamed, 101},
		{"UNKNOWN", "PROXY UNKNOWN\r\n", unnamed, 101},
		{"garbage", "PROXY TCP9 x y\r\n", "", 0},
		{"no header", "", "", 0},
		{"another beginning of v2", "\r\n\r\n\x00\r\nQUIT\n\x31\x11\x00\x00", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, status := ask(c.header)
			if status != c.status {
				t.Errorf("answered %d, want %d", status, c.status)
			}
			if got := remotes(t, s); c.status == 101 && got != c.remote {
				t.Errorf("the session is %q's", got)
			}
			_ = conn.Close()
			eventually(t, "it is gone", func() bool { return s.Conns() == 0 && s.roads.onRoad() == 0 })
		})
	}
	// The client's address is what is limited, and the proxy's own, which there is none of, is not.
	for _, c := range []struct {
		header string
		status int
	}{
		{proxyV2(proxied, client("192.0.2.2:6000")), 101},
		{proxyV2(proxied, client("192.0.2.2:6001")), 503},
		{proxyV2(proxied, client("192.0.2.3:6000")), 101},
		{"PROXY UNKNOWN\r\n", 101},
		{"PROXY UNKNOWN\r\n", 101},
	} {
		if _, status := ask(c.header); status != c.status {
			t.Errorf("%q is answered %d", c.header, status)
		}
	}
	want := door.Counts{
		"client": 6, "local": 4, "missing": 1, "malformed": 2, "direct": 0, "untrusted": 0, "cut": 0,
	}
	if got := s.roadStats().Proxied; !maps.Equal(got, want) {
		t.Errorf("counted %v", got)
	}
}

// Where every client is believed to be a proxy, the operator is warned, at the start and at a
// reload; and not where some are.
func TestWarnOfProxies(t *testing.T) {
	const warning = "has every address in it"
	var logged lockedBuffer
	o := DefaultOptions()
	o.Listen, o.API, o.Control, o.Loops = []string{"127.0.0.1:0"}, []string{none}, none, 1
	o.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::/0")}
	o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	log, err := OpenLog(o, &logged)
	if err != nil {
		t.Fatal(err)
	}
	all := &program{o: o}
	s, err := Program{Log: log, Load: all.load}.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(s.Close(), log.Close()); err != nil {
			t.Error(err)
		}
	}()
	if got := logged.String(); strings.Count(got, warning) != 1 || !strings.Contains(got, "--proxy-protocol has") ||
		!strings.Contains(got, "::/0") {
		t.Errorf("at the start: %s", got)
	}
	all.set(func(o *Options) {
		o.ProxyProtocol, o.TrustedProxies = nil, []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	})
	if _, err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := logged.String(); strings.Count(got, warning) != 2 || !strings.Contains(got, "--trusted-proxy has") {
		t.Errorf("at the reload: %s", got)
	}
}

// Behind a proxy that says in a header who its client is, all limits for each address (of
// connections, of new ones a second, of failed tokens) count the client's, and none the
// proxy's own.
func TestTrustedProxyLimits(t *testing.T) {
	const upgraded, tooMany, unavailable = 101, 429, 503
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	header := func(client, more string) string {
		if client != "" {
			more += "X-Forwarded-For: " + client + "\r\n"
		}
		return upgradeHead + more + "\r\n"
	}
	run := func(t *testing.T, change func(*Options)) (s *Server, answer func(client, more string) int) {
		t.Helper()
		s = startServer(t, func(o *Options) {
			o.TrustedProxies = local
			change(o)
		})
		return s, func(client, more string) int {
			t.Helper()
			c := dial(t, s.Addresses()[0])
			if _, err := io.WriteString(c, header(client, more)); err != nil {
				t.Fatal(err)
			}
			return readAnswer(t, bufio.NewReader(c)).status
		}
	}
	check := func(t *testing.T, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("answered %d, want %d", got, want)
		}
	}
	t.Run("max-conns-per-ip", func(t *testing.T) {
		_, answer := run(t, func(o *Options) { o.MaxConnsPerIP = 1 })
		check(t, answer("192.0.2.1", ""), upgraded)
		check(t, answer("192.0.2.1", ""), unavailable)
		check(t, answer("192.0.2.2", ""), upgraded)
		for range 3 {
			check(t, answer("", ""), upgraded)
		}
	})
	t.Run("handshake-rate-per-ip", func(t *testing.T) {
		s, answer := run(t, func(o *Options) { o.HandshakeRatePerIP = 0.0001 })
		check(t, answer("192.0.2.1", ""), upgraded)
		check(t, answer("192.0.2.1", ""), tooMany)
		check(t, answer("192.0.2.2", ""), upgraded)
		for range 3 {
			check(t, answer("", ""), upgraded)
		}
		if got := s.roadStats(); got.TooFastPerIP != 1 || got.RateAddresses != 2 {
			t.Errorf("counted %+v", got)
		}
	})
	t.Run("token-failures", func(t *testing.T) {
		file := secretFile(t, secretText)
		_, answer := run(t, func(o *Options) {
			o.TokenKeyFiles, o.TokenFailures = []string{file}, 0.0001
		})
		const bad = "Authorization: Bearer x\r\n"
		check(t, answer("192.0.2.1", bad), 401)
		check(t, answer("192.0.2.1", bad), tooMany)
		check(t, answer("192.0.2.2", bad), 401)
		for range 3 {
			check(t, answer("", bad), 401)
		}
	})
}
