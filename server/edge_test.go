package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"groupcast/loop"
)

const upgradeHead = "GET / HTTP/1.1\r\nHost: push.example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

// asked is the status that a head is answered with.
func asked(t *testing.T, c net.Conn, head string) int {
	t.Helper()
	if _, err := io.WriteString(c, head); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	return r.StatusCode
}

// remotes are the addresses of all sessions.
func remotes(t *testing.T, s *Server) string {
	t.Helper()
	list, _, err := s.engine.Sessions(t.Context(), loop.SessionID{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, one := range list {
		all = append(all, one.Remote)
	}
	return strings.Join(all, " ")
}

// clientTLS is c with TLS on it.
func clientTLS(c net.Conn, pool *x509.CertPool, certificates ...tls.Certificate) *tls.Conn {
	return tls.Client(c, &tls.Config{RootCAs: pool, ServerName: "localhost", Certificates: certificates})
}

// Behind a proxy that says in a header who its client is, a session has that address, in
// limits and listings, over TCP and over TLS. A header from anybody else is ignored.
func TestTrustedProxy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "both.pem")
	pool := writeCertificate(t, file, 1)
	s := startServer(t, func(o *Options) {
		o.Listen, o.TLSCert = []string{"127.0.0.1:0", "tls:127.0.0.1:0"}, []string{file}
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
		o.MaxConnsPerIP = 2
	})
	proxy := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	dial := func(d *net.Dialer, which int) net.Conn {
		t.Helper()
		c, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.Addresses()[which], "tls:"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		if which == 1 {
			return clientTLS(c, pool)
		}
		return c
	}
	header := func(value string) string { return upgradeHead + "X-Forwarded-For: " + value + "\r\n\r\n" }
	for which := range 2 {
		if got := asked(t, dial(&proxy, which), header("1.1.1.1, 192.0.2.7")); got != 101 {
			t.Fatalf("%d: answered %d", which, got)
		}
	}
	if got := remotes(t, s); strings.Count(got, "192.0.2.7:0") != 2 {
		t.Errorf("sessions of %s", got)
	}
	if got := asked(t, dial(&proxy, 0), header("192.0.2.7")); got != 503 {
		t.Errorf("a third of one client: %d", got)
	}
	if got := asked(t, dial(&proxy, 0), header("192.0.2.8")); got != 101 {
		t.Errorf("another client: %d", got)
	}
	if got := asked(t, dial(new(net.Dialer), 0), header("192.0.2.9")); got != 101 ||
		strings.Contains(remotes(t, s), "192.0.2.9") {
		t.Errorf("somebody else with such a header: %d, %s", got, remotes(t, s))
	}
}

// A proxy on this machine comes over a unix socket, and the other header is chosen by name.
func TestForwardedHeaderOverUnixSocket(t *testing.T) {
	path := filepath.Join(shortDir(t), "ws.sock")
	s := startServer(t, func(o *Options) {
		o.Listen, o.ForwardedHeader = []string{"unix:" + path}, "forwarded"
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
	})
	c, err := new(net.Dialer).DialContext(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	head := upgradeHead + "X-Forwarded-For: 192.0.2.6\r\nForwarded: for=\"[2001:db8::7]:4711\";proto=https\r\n\r\n"
	if got := asked(t, c, head); got != 101 || remotes(t, s) != "[2001:db8::7]:0" {
		t.Errorf("answered %d, sessions of %s", got, remotes(t, s))
	}
}

// What comes faster than it may is closed, of one address before all others.
func TestHandshakeRate(t *testing.T) {
	s := startServer(t, func(o *Options) { o.HandshakeRatePerIP, o.HandshakeRate = 0.5, 1 })
	from := func(ip byte) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, ip)}}
		c, err := d.DialContext(t.Context(), "tcp", s.Addresses()[0])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		return c
	}
	if got := asked(t, from(2), upgradeHead+"\r\n"); got != 101 {
		t.Errorf("the first: %d", got)
	}
	// Time goes by between two lines, so that one more may pass: not three.
	tooFast := func(ip byte) bool {
		t.Helper()
		for range 3 {
			c := from(ip)
			_, _ = io.WriteString(c, upgradeHead+"\r\n")
			if _, err := c.Read(make([]byte, 1)); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return true
			}
		}
		return false
	}
	if !tooFast(2) || s.roadStats().TooFastPerIP == 0 {
		t.Errorf("one address is not limited: %+v", s.roadStats())
	}
	limited := false
	for ip := byte(3); ip < 20 && !limited; ip++ {
		limited = tooFast(ip) && s.roadStats().TooFast > 0
	}
	if !limited {
		t.Errorf("all together are not limited: %+v", s.roadStats())
	}
}

// The API speaks TLS where its address says so, and wants certificates of clients if it is
// told whose.
func TestAPITLS(t *testing.T) {
	dir := t.TempDir()
	file, own := filepath.Join(dir, "both.pem"), filepath.Join(dir, "client.pem")
	pool := writeCertificate(t, file, 1)
	writeCertificate(t, own, 2)
	certificate, err := tls.LoadX509KeyPair(own, own)
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t, func(o *Options) {
		o.TLSCert, o.APIClientCA = []string{file}, own
		o.API, o.APIToken = []string{"tls:127.0.0.1:0"}, "0123456789abcdef"
	})
	var address string
	for _, one := range s.listeners() {
		if one.Kind == "api" {
			address = strings.TrimPrefix(one.Address, "tls:")
		}
	}
	c := clientTLS(dialRaw(t, address), pool, certificate)
	const head = "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer 0123456789abcdef\r\n\r\n"
	if got := asked(t, c, head); got != 200 {
		t.Errorf("answered %d", got)
	}
	c = clientTLS(dialRaw(t, address), pool)
	_, _ = io.WriteString(c, head)
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("without a certificate")
	}
	eventually(t, "the refusal is counted", func() bool { return s.roadStats().TLSFailed["client_certificate"] == 1 })
}

// A groupcast joins another's Channel server over TLS.
func TestChannelTLS(t *testing.T) {
	file := filepath.Join(t.TempDir(), "both.pem")
	pool := writeCertificate(t, file, 1)
	one := startServer(t, func(o *Options) { o.TLSCert, o.Channel = []string{file}, []string{"tls:127.0.0.1:0"} })
	_, port, err := net.SplitHostPort(strings.TrimPrefix(one.services[0].listeners()[0].Address, "tls:"))
	if err != nil {
		t.Fatal(err)
	}
	two := startServer(t, func(o *Options) {
		o.ChannelJoin, o.ChannelClient.RootsFile = "tls:localhost:"+port, file
	})
	eventually(t, "it has joined", func() bool { return two.joinStats().Connected })
	member := connect(t, two.Addresses()[0])
	member.join("g")
	secured, err := dialSecured(t, one.Addresses()[0], pool)
	if err != nil {
		t.Fatal(err)
	}
	stranger := startServer(t, func(o *Options) { o.ChannelJoin = "tls:localhost:" + port })
	eventually(t, "who does not know the authority is told", func() bool {
		return strings.Contains(stranger.joinStats().LastError, "TLS: ")
	})
	say(t, secured, `{"cmd":"send_to_group","group_id":"g","message":"over TLS"}`)
	member.want("over TLS")
}

// An authority that asks over plain HTTP is answered; everybody else there is served as ever.
func TestACMEOverHTTP(t *testing.T) {
	s := startServer(t, func(o *Options) {
		o.Listen = []string{"127.0.0.1:0", "tls:127.0.0.1:0"}
		o.ACME, o.ACMECA = []string{"push.example.org"}, "https://127.0.0.1:1/nobody"
		o.ACMEDir = filepath.Join(t.TempDir(), "acme")
	})
	ask := func(head string) int { return asked(t, dialRaw(t, s.Addresses()[0]), head) }
	const unknown = "GET /.well-known/acme-challenge/unknown HTTP/1.1\r\nHost: push.example.org\r\n\r\n"
	if got := ask(unknown); got != 404 {
		t.Errorf("a challenge that is not known: %d", got)
	}
	if got := ask("GET /other HTTP/1.1\r\nHost: push.example.org\r\n\r\n"); got != 426 {
		t.Errorf("another path: %d", got)
	}
	if got := ask(upgradeHead + "\r\n"); got != 101 {
		t.Errorf("an upgrade: %d", got)
	}
	if got := s.roadStats().HTTPChallenges; got != 1 {
		t.Errorf("%d counted", got)
	}
}

// A reload changes the time and the places of those who are still on the road, not only the
// loops'.
func TestRoadReload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "both.pem")
	writeCertificate(t, file, 1)
	s, all := startReloadable(t, func(o *Options) { o.TLSCert = []string{file} })
	all.set(func(o *Options) { o.HandshakeTimeout, o.MaxHandshakes, o.MaxHeadBytes = 7*time.Second, 9, 999 })
	if done, err := s.Reload(t.Context()); err != nil || len(done.Problems) > 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	l := s.roads.secured.Limits()
	if got := fmt.Sprint(l.Timeout, l.MaxPending, l.MaxHeadBytes); got != "7s 9 999" {
		t.Errorf("got %s", got)
	}
}
