package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"groupcast/server/door"
	"groupcast/server/door/acme/pebble"
)

const patience = 60 * time.Second

// authority is pebble, and where it asks us its challenges.
type authority struct {
	url   string
	roots string // a file: what its own certificate is checked by
	asks  net.Listener
	plain net.Listener
}

// startPebble starts one whose certificates are valid for so long. It asks its TLS-ALPN-01
// challenges at asks, the HTTP-01 ones at plain.
func startPebble(t *testing.T, valid time.Duration) *authority {
	t.Helper()
	a := &authority{asks: listen(t), plain: listen(t)}
	p := pebble.Start(t, pebble.Options{Valid: valid, TLSPort: port(a.asks), PlainPort: port(a.plain)})
	a.url, a.roots = p.URL, p.RootsFile
	return a
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
