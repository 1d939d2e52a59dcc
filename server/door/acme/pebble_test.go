package acme

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"groupcast/server/door"
)

const patience = 60 * time.Second

// pebbleVersion is the Makefile's PEBBLE_VERSION.
const pebbleVersion = "v2.10.1"

// pebble is Let's Encrypt's server for tests: a real authority, which asks us its challenges.
type pebble struct {
	t     *testing.T
	url   string
	roots string // a file: what its own certificate is checked by
	asks  net.Listener
	plain net.Listener
}

// startPebble starts one whose certificates are valid for so long. It asks its TLS-ALPN-01
// challenges at asks, the HTTP-01 ones at plain.
func startPebble(t *testing.T, valid time.Duration) *pebble {
	t.Helper()
	program, err := filepath.Abs("../../../bin/pebble-" + pebbleVersion)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("NO PEBBLE: not run; to run it: make test-deps")
	}
	dir := t.TempDir()
	p := &pebble{t: t, asks: listen(t), plain: listen(t)}
	cert, key := writeAuthority(t, dir)
	p.roots = cert
	api := listen(t)
	address := api.Addr().String()
	_ = api.Close() // and pebble takes it again
	p.url = "https://" + address + "/dir"
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": address, "certificate": cert, "privateKey": key, "keyAlgorithm": "ecdsa",
		"httpPort": port(p.plain), "tlsPort": port(p.asks),
		"retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles":   map[string]any{"default": map[string]any{"description": "-", "validityPeriod": int(valid.Seconds())}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	command := exec.Command(program, "-config", file, "-dnsserver", serveDNS(t))
	command.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=5")
	command.Stdout, command.Stderr = &log, &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Logf("pebble:\n%s", log.String())
		}
	})
	for deadline := time.Now().Add(patience); ; {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return p
		}
		if time.Now().After(deadline) {
			t.Fatal("pebble does not listen")
		}
		<-time.After(10 * time.Millisecond)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

func port(ln net.Listener) int { return ln.Addr().(*net.TCPAddr).Port }

// writeAuthority writes a certificate for 127.0.0.1 and its key.
func writeAuthority(t *testing.T, dir string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pebble"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "api.crt"), filepath.Join(dir, "api.key")
	err = errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile
}

// serveDNS answers every question for an IPv4 address with 127.0.0.1, and others with
// nothing. It speaks TCP, as pebble does.
func serveDNS(t *testing.T) (address string) {
	t.Helper()
	ln := listen(t)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(patience))
				for answerDNS(c) == nil {
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		all.Wait()
	})
	return ln.Addr().String()
}

// answerDNS answers one question, RFC 1035.
func answerDNS(c net.Conn) error {
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return err
	}
	q := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, q); err != nil {
		return err
	}
	end := 12 // of the first question
	for end < len(q) && q[end] != 0 {
		end += 1 + int(q[end])
	}
	if end += 5; end > len(q) {
		return io.ErrUnexpectedEOF
	}
	a := append([]byte{0, 0, q[0], q[1], 0x85, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
	if q[end-4] == 0 && q[end-3] == 1 { // type A
		a[9] = 1
		a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1)
	}
	binary.BigEndian.PutUint16(a, uint16(len(a)-2))
	_, err := c.Write(a)
	return err
}

// serveTLS serves an issuer's certificates on ln until the test ends.
func serveTLS(t *testing.T, ln net.Listener, o door.TLSOptions) *door.TLS {
	t.Helper()
	secure, err := door.NewTLS(o)
	if err != nil {
		t.Fatal(err)
	}
	road, err := door.NewRoad(door.RoadOptions{
		TLS: secure, Limits: door.RoadLimits{Timeout: 10 * time.Second, MaxPending: 100},
		Then: func(_ context.Context, a *door.Arrival) { _, _ = io.WriteString(a.TLS, "x"); _ = a.TLS.Close() },
	})
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if road.Go(c) != nil {
				_ = c.Close()
			}
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		accepting.Wait()
		road.Close()
	})
	return secure
}

// serialOf is the number of the certificate that a client for name gets at address.
func serialOf(address, name string) (*big.Int, error) {
	dialer := &net.Dialer{Timeout: patience}
	c, err := tls.DialWithDialer(dialer, "tcp", address, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	if _, err := io.ReadAll(c); err != nil {
		return nil, err
	}
	leaf := c.ConnectionState().PeerCertificates[0]
	return leaf.SerialNumber, leaf.VerifyHostname(name)
}

// reports are what an Issuer reports.
type reports chan error

func (r reports) report(name string, err error) {
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	r <- err
}

func (r reports) next(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r:
		return err
	case <-time.After(patience):
		t.Fatal("nothing is reported")
		return nil
	}
}

func start(t *testing.T, o Options) (*Issuer, reports) {
	t.Helper()
	r := make(reports, 100)
	o.Report, o.AcceptTerms = r.report, true
	if o.Directory == "" {
		o.Directory = filepath.Join(t.TempDir(), "acme")
	}
	i, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	i.Start()
	return i, r
}

// A certificate is got from a real authority by TLS-ALPN-01, kept in the directory, used
// again after a restart without the authority, and renewed.
func TestIssuedKeptRenewed(t *testing.T) {
	const life = time.Minute
	p := startPebble(t, life)
	directory := filepath.Join(t.TempDir(), "acme")
	o := Options{
		Names: []string{"push.example.org"}, Directory: directory, URL: p.url, RootsFile: p.roots,
		Email: "admin@example.org", LookEvery: 10 * time.Millisecond,
	}
	i, r := start(t, o)
	secure := serveTLS(t, p.asks, door.TLSOptions{Issuer: i})
	if err := r.next(t); err != nil {
		t.Fatal(err)
	}
	first, err := serialOf(p.asks.Addr().String(), "push.example.org")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); secure.Counters().Full < 1 && time.Now().Before(deadline); {
		<-time.After(time.Millisecond) // the client knows first
	}
	if got := secure.Counters(); got.Challenges == 0 || got.Full != 1 {
		t.Errorf("counted %+v", got)
	}
	infos := i.Infos()
	if len(infos) != 1 || time.Until(infos[0].NotAfter) > life || infos[0].Names[0] != "push.example.org" {
		t.Errorf("infos %+v", infos)
	}
	if info, err := os.Stat(directory); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Join(directory, "push.example.org")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the certificate and its key: %v, %v", info, err)
	}
	i.Close()

	// After a restart, with an authority that does not answer, it is there.
	down := o
	down.URL = "https://127.0.0.1:1/dir"
	i, _ = start(t, down)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	i.Wait(ctx)
	ln := listen(t)
	serveTLS(t, ln, door.TLSOptions{Issuer: i})
	if got, err := serialOf(ln.Addr().String(), "push.example.org"); err != nil || got.Cmp(first) != 0 {
		t.Errorf("after a restart: %v, %v, want %v", got, err, first)
	}
	i.Close()

	// One that is old enough is renewed. The challenges come to the first Issuer, which answers
	// from the directory that both have.
	renewing := o
	renewing.RenewBefore = life - time.Second // autocert takes off up to a tenth
	i, r = start(t, renewing)
	if err := errors.Join(r.next(t), r.next(t)); err != nil { // the one that was there, the new one
		t.Fatal(err)
	}
	ln = listen(t)
	serveTLS(t, ln, door.TLSOptions{Issuer: i})
	if got, err := serialOf(ln.Addr().String(), "push.example.org"); err != nil || got.Cmp(first) == 0 {
		t.Errorf("renewed: %v, %v, the first was %v", got, err, first)
	}
}

// By HTTP-01, where the TLS port is not the authority's: by net/http and without.
func TestHTTP01(t *testing.T) {
	for name, bare := range map[string]bool{"net/http": false, "bare": true} {
		t.Run(name, func(t *testing.T) {
			p := startPebble(t, time.Hour)
			_ = p.asks.Close()
			i, r := start(t, Options{
				Names: []string{"push.example.org"}, URL: p.url, RootsFile: p.roots, HTTP01: true, LookEvery: time.Second,
			})
			next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
			handler := i.Handler(next)
			if bare {
				handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					status, body, ok := i.Answer(r.Host, r.URL.Path)
					if !ok {
						next(w, r)
						return
					}
					w.WriteHeader(status)
					_, _ = w.Write(body)
				})
			}
			server := &http.Server{Handler: handler, ReadHeaderTimeout: patience}
			go func() { _ = server.Serve(p.plain) }()
			defer func() { _ = server.Close() }()
			if err := r.next(t); err != nil {
				t.Fatal(err)
			}
			for path, want := range map[string]int{"/": http.StatusTeapot, challengePath + "x": http.StatusForbidden} {
				answer, err := http.Get("http://" + p.plain.Addr().String() + path)
				if err != nil {
					t.Fatal(err)
				}
				_ = answer.Body.Close()
				if answer.StatusCode != want {
					t.Errorf("%s: %d, want %d", path, answer.StatusCode, want)
				}
			}
		})
	}
}
