package server

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"groupcast/loop"
)

// writeCertificate makes a certificate for localhost, which signs itself, and writes it
// with its key to one file: a client that trusts the pool accepts it.
func writeCertificate(t *testing.T, file string, serial int64) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return pool
}

// dialSecured is a client on wss:// that trusts pool, in group g, with the subprotocol.
func dialSecured(t *testing.T, address string, pool *x509.CertPool) (*websocket.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	address = strings.TrimPrefix(address, "tls:")
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
	options := &websocket.DialOptions{HTTPClient: client, Subprotocols: []string{"groupcast.v1"}}
	c, _, err := websocket.Dial(ctx, "wss://localhost/", options) //nolint:bodyclose // coder/websocket closes it
	if err == nil {
		t.Cleanup(func() { _ = c.CloseNow() })
	}
	return c, err
}

func say(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, c *websocket.Conn, part string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, text, err := c.Read(ctx)
	if err != nil || !strings.Contains(string(text), part) {
		t.Fatalf("got %s, %v; want %s", text, err, part)
	}
}

// With one flag the server speaks TLS; plain and TLS listen side by side; members of both
// kinds are in one group and get large messages whole.
func TestTLS(t *testing.T) {
	file := filepath.Join(t.TempDir(), "both.pem")
	pool := writeCertificate(t, file, 1)
	s := startServer(t, func(o *Options) {
		o.Listen, o.TLSCert = []string{"127.0.0.1:0", "tls:127.0.0.1:0"}, []string{file}
	})
	connect(t, s.Addresses()[0], "groupcast.v1")
	secured, err := dialSecured(t, s.Addresses()[1], pool)
	if err != nil {
		t.Fatal(err)
	}
	secured.SetReadLimit(1 << 20)
	say(t, secured, `{"cmd":"add_group","group_id":"g","req_id":1}`)
	hear(t, secured, `"ack"`)
	large := strings.Repeat("x", 60_000)
	for i := range 50 {
		say(t, secured, fmt.Sprintf(`{"cmd":"send_to_group","group_id":"g","message":"%d%s"}`, i, large))
		hear(t, secured, fmt.Sprintf(`"message":"%d%s"`, i, large))
	}
	if err := secured.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("close: %v", err)
	}
	// Plain HTTP on the TLS port is told so.
	c, err := net.Dial("tcp", strings.TrimPrefix(s.Addresses()[1], "tls:"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _ = r.Body.Close(); r.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP: %d", r.StatusCode)
	}
	if got := startServer(t, func(o *Options) { o.TLSCert = []string{file} }).Addresses()[0]; !strings.HasPrefix(got,
		"tls:") {
		t.Errorf("without tls: in front: %s", got)
	}
}

// A certificate is replaced by a reload, and by nothing that cannot be used.
func TestTLSReload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "both.pem")
	first := writeCertificate(t, file, 1)
	s, _ := startReloadable(t, func(o *Options) { o.TLSCert = []string{file} })
	stays, err := dialSecured(t, s.Addresses()[0], first)
	if err != nil {
		t.Fatal(err)
	}
	second := writeCertificate(t, file, 2)
	if done, err := s.Reload(t.Context()); err != nil || len(done.Problems) != 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := dialSecured(t, s.Addresses()[0], second); err != nil {
		t.Errorf("with the new certificate: %v", err)
	}
	if err := os.WriteFile(file, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	done, err := s.Reload(t.Context())
	if err != nil || len(done.Problems) != 1 || !strings.Contains(done.Problems[0], file) {
		t.Errorf("garbage: %+v, %v", done, err)
	}
	if _, err := dialSecured(t, s.Addresses()[0], second); err != nil {
		t.Errorf("after garbage: %v", err)
	}
	say(t, stays, `{"cmd":"ping","req_id":1}`)
	hear(t, stays, `"ack"`)
}

// A certificate that cannot be used at the start is one line that names the file.
func TestTLSMistakes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "no.pem")
	o := DefaultOptions()
	o.Listen, o.API, o.Control, o.TLSCert = []string{"127.0.0.1:0"}, []string{none}, none, []string{file}
	s, err := Start(o, slog.New(slog.DiscardHandler))
	if err == nil {
		_ = s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

// Pages of other origins are refused, those that are named are not; a reload changes it.
func TestOrigin(t *testing.T) {
	s, all := startReloadable(t, func(o *Options) { o.Origins = []string{"https://*.example.org", "none"} })
	dial := func(origin string) int {
		t.Helper()
		c := dialRaw(t, s.Addresses()[0])
		head := "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
		if origin != "" {
			head += "Origin: " + origin + "\r\n"
		}
		if _, err := io.WriteString(c, head+"\r\n"); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		return r.StatusCode
	}
	for origin, want := range map[string]int{
		"": 101, "https://app.example.org": 101, "https://example.com": 403, "null": 403, "http://app.example.org": 403,
	} {
		if got := dial(origin); got != want {
			t.Errorf("%q: %d, want %d", origin, got, want)
		}
	}
	all.set(func(o *Options) { o.Origins = nil })
	if done, err := s.Reload(t.Context()); err != nil || len(done.Changed) != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	if got := dial("https://example.com"); got != 101 {
		t.Errorf("after the reload: %d", got)
	}
}

// Behind a proxy that speaks the PROXY protocol a session has its client's address, in
// limits and listings; without a header nobody comes in, nor with one who is no proxy.
func TestProxyProtocol(t *testing.T) {
	s := startServer(t, func(o *Options) {
		o.ProxyProtocol = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		o.MaxConnsPerIP = 1
	})
	dial := func(header string) (net.Conn, error) {
		t.Helper()
		c := dialRaw(t, s.Addresses()[0])
		if _, err := io.WriteString(c, header+"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"); err != nil {
			return nil, err
		}
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		if r.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("%d", r.StatusCode)
		}
		return c, nil
	}
	first, err := dial("PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dial("PROXY TCP4 192.0.2.7 198.51.100.1 5001 443\r\n"); err == nil {
		t.Error("a second connection of the same client")
	}
	if _, err := dial("PROXY TCP4 192.0.2.8 198.51.100.1 5000 443\r\n"); err != nil {
		t.Errorf("another client: %v", err)
	}
	if _, err := dial(""); err == nil {
		t.Error("without a header")
	}
	list, _, err := s.engine.Sessions(t.Context(), loop.SessionID{}, 10)
	var remotes []string
	for _, one := range list {
		remotes = append(remotes, one.Remote)
	}
	if got := strings.Join(remotes, " "); err != nil || !strings.Contains(got, "192.0.2.7:5000") ||
		!strings.Contains(got, "192.0.2.8:5000") {
		t.Errorf("%s, %v", got, err)
	}
	_ = first.Close() // its place is free again, under the client's address
	eventually(t, "the place", func() bool {
		c, err := dial("PROXY TCP4 192.0.2.7 198.51.100.1 5002 443\r\n")
		return err == nil && c != nil
	})
}

// One address that opens connections to the TLS port and says nothing leaves places to
// others.
func TestRoadShares(t *testing.T) {
	file := filepath.Join(t.TempDir(), "both.pem")
	pool := writeCertificate(t, file, 1)
	s := startServer(t, func(o *Options) { o.TLSCert, o.MaxHandshakes = []string{file}, 8 })
	address := strings.TrimPrefix(s.Addresses()[0], "tls:")
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
	for range 20 {
		c, err := from.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	eventually(t, "the share is taken", func() bool { return s.roadStats().Full > 0 && s.roadStats().Pending == 2 })
	if _, err := dialSecured(t, s.Addresses()[0], pool); err != nil {
		t.Errorf("another address: %v", err)
	}
}

// A check looks at certificates: a restart must not stop a server that cannot come back.
func TestCheckCertificates(t *testing.T) {
	open := t.TempDir()
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(o *Options){
		"--tls-cert, --tls-key: certificate /nowhere/c.pem": func(o *Options) { o.TLSCert = []string{"/nowhere/c.pem"} },
		"wants mode 0700": func(o *Options) { o.ACME, o.ACMEDir = []string{"push.example.org"}, open },
		"roots /nowhere":  func(o *Options) { o.ACME, o.ACMERoots = []string{"push.example.org"}, "/nowhere" },
		"--channel-join-ca: certificate /nowhere": func(o *Options) {
			o.ChannelJoin, o.ChannelClient.RootsFile = "tls:x:1", "/nowhere"
		},
		"--api-client-ca: certificate /nowhere": func(o *Options) {
			o.ACME, o.API, o.APIClientCA = []string{"push.example.org"}, []string{"tls:127.0.0.1:0"}, "/nowhere"
			o.ACMEDir = filepath.Join(t.TempDir(), "acme")
		},
	} {
		o := DefaultOptions()
		o.Listen, o.API, o.Control = []string{"127.0.0.1:0"}, []string{none}, none
		change(&o)
		if err := Check(o, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// The last session leaves while a client is still on its way in: it is served.
func TestLeaveWithClientsOnTheRoad(t *testing.T) {
	s := startServer(t, func(o *Options) {
		o.ProxyProtocol, o.HandshakeTimeout = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, patience
	})
	c := dialRaw(t, s.Addresses()[0])
	eventually(t, "it is on the road", func() bool { return s.roads.onRoad() == 1 })
	left := make(chan error, 1)
	go func() { left <- s.Leave(t.Context()) }()
	eventually(t, "the doors are shut", s.closing.Load)
	if got := asked(t, c, "PROXY UNKNOWN\r\n"+upgradeHead+"\r\n"); got != 101 {
		t.Errorf("answered %d", got)
	}
	_ = c.Close()
	if err := <-left; err != nil {
		t.Error(err)
	}
}
