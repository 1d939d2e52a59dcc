package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	details "groupcast/server/problem"
)

// visitor is one connection, kept open.
type visitor struct {
	world *world
	conn  net.Conn
	in    *bufio.Reader
}

// visit connects, from 127.0.0.1 or another address of this machine.
func (w *world) visit(from string) *visitor {
	w.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(w.t.Context(), "tcp", w.http)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &visitor{w, c, bufio.NewReader(c)}
}

// ask sends a request and returns the answer. withToken says whether it shows one.
func (v *visitor) ask(method, path string, withToken bool) *answer {
	v.world.t.Helper()
	head := method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
	if withToken {
		head += "Authorization: Bearer " + token + "\r\n"
	}
	if _, err := io.WriteString(v.conn, head+"\r\n"); err != nil {
		v.world.t.Fatal(err)
	}
	return v.world.answerOn(v.in, method+" "+path)
}

// isClosed reports whether the server has closed the connection; it waits for that.
func (v *visitor) isClosed() bool {
	_, err := v.in.ReadByte()
	return err != nil && !isTimeout(err)
}

// guarded is a world with a token and few connections.
func guarded(t *testing.T, maxConns int) *world {
	t.Helper()
	return start(t, func(s *setup) {
		s.token, s.api.Tokens = true, []string{token}
		s.api.Limits.MaxConns = maxConns
		s.api.Metrics = scraped(nil)
	})
}

// TestIdleStrangers: connections that have shown no token, however many and from
// wherever, keep nobody out.
func TestIdleStrangers(t *testing.T) {
	const limit = 8
	w := guarded(t, limit)
	backend := w.visit("127.0.0.1")
	backend.ask("GET", "/v1/status", true).want(200)
	var idle []*visitor
	for i := range 3 * limit {
		v := w.visit([]string{"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"}[i%5])
		if i%2 == 0 { // the others say nothing at all
			v.ask("GET", "/healthz", false).want(200)
		}
		idle = append(idle, v)
	}
	waitFor(t, "all have come in", func() bool { return w.api.Stats().EvictedConns >= 2*limit })
	w.visit("127.0.0.1").ask("GET", "/healthz", false).want(200)
	w.visit("127.0.0.1").ask("GET", "/metrics", true).want(200)
	w.visit("127.0.0.1").ask("POST", "/v1/groups/g/messages", true).want(202)
	backend.ask("GET", "/v1/status", true).want(200)
	if !idle[0].isClosed() || !idle[1].isClosed() {
		t.Error("those that have been quiet for longest are still there")
	}
	if s := w.api.Stats(); s.RefusedConns.Load() != 0 || s.Conns > limit {
		t.Errorf("%d refused, %d connections", s.RefusedConns.Load(), s.Conns)
	}
}

// TestStrangersShare: one address full of strangers costs those of another nothing;
// who has shown a token is not counted.
func TestStrangersShare(t *testing.T) {
	const limit = 16
	w := guarded(t, limit)
	first := w.visit("127.0.0.2")
	first.ask("GET", "/healthz", false).want(200)
	var workers []*visitor
	for range limit / 2 {
		v := w.visit("127.0.0.3")
		v.ask("GET", "/v1/status", true).want(200)
		workers = append(workers, v)
	}
	for range 2 * limit {
		w.visit("127.0.0.3").ask("GET", "/healthz", false).want(200)
	}
	first.ask("GET", "/healthz", false).want(200)
	for _, v := range workers {
		v.ask("GET", "/v1/status", true).want(200)
	}
	if s := w.api.Stats(); s.Conns > 1+limit/2+limit/strangersShare {
		t.Errorf("%d connections", s.Conns)
	}
}

// TestPlacesForHealth: when all places are taken by those who have shown a token, the
// next one is answered about health and metrics, and told about all else.
func TestPlacesForHealth(t *testing.T) {
	const limit = 4
	w := guarded(t, limit)
	var workers []*visitor
	for range limit {
		v := w.visit("127.0.0.1")
		v.ask("GET", "/v1/status", true).want(200)
		workers = append(workers, v)
	}
	for range 2 * ReservedConns {
		v := w.visit("127.0.0.1")
		v.ask("GET", "/healthz", false).want(200)
		if !v.isClosed() {
			t.Fatal("a reserved place is kept")
		}
	}
	w.visit("127.0.0.1").ask("GET", "/metrics", true).want(200)
	w.visit("127.0.0.1").ask("GET", "/readyz", false).want(200)
	w.visit("127.0.0.1").ask("GET", "/v1/status", true).wantCode(503, codeBusy)
	w.visit("127.0.0.1").ask("GET", "/openapi.json", false).wantCode(503, codeBusy)
	// Those that say nothing do not keep the reserved places either, wherever they are.
	for i := range 2 * ReservedConns {
		w.visit(fmt.Sprintf("127.0.1.%d", i+1))
	}
	w.visit("127.0.0.1").ask("GET", "/healthz", false).want(200)
	if s := w.api.Stats(); s.RefusedConns.Load() != 2 || s.Conns > limit+ReservedConns {
		t.Errorf("%d refused, %d connections", s.RefusedConns.Load(), s.Conns)
	}
	_ = workers[0].conn.Close()
	waitFor(t, "there is room again", func() bool {
		return w.visit("127.0.0.1").ask("GET", "/v1/status", true).status == 200
	})
}

// TestWrongToken: a connection whose token is not right any more is a stranger's.
func TestWrongToken(t *testing.T) {
	w := guarded(t, 1)
	v := w.visit("127.0.0.1")
	v.ask("GET", "/v1/status", true).want(200)
	if err := w.api.SetTokens([]string{other}); err != nil {
		t.Fatal(err)
	}
	v.ask("GET", "/v1/status", true).wantCode(401, codeUnauthorized)
	w.visit("127.0.0.1").ask("GET", "/healthz", false).want(200)
	if !v.isClosed() {
		t.Error("it has kept its place")
	}
}

// TestUnreadBodies: a body that no token came with, and that does not come, keeps no
// place.
func TestUnreadBodies(t *testing.T) {
	const limit = 4
	w := guarded(t, limit)
	for range 2 * limit {
		v := w.visit("127.0.0.1")
		_, _ = io.WriteString(v.conn, "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
	}
	waitFor(t, "all were closed but those within the share",
		func() bool { return w.api.Stats().EvictedConns >= 2*limit-1 })
	w.visit("127.0.0.1").ask("GET", "/v1/status", true).want(200)
}

// TestOpenConns: where no token is wanted, a request that is being worked on keeps its
// connection, and those from one address are not fewer than others.
func TestOpenConns(t *testing.T) {
	const limit = 8
	wait := make(chan struct{})
	release := sync.OnceFunc(func() { close(wait) })
	defer release()
	w := start(t, func(s *setup) { s.api.Limits.MaxConns, s.api.Metrics = limit, scraped(wait) })
	busy := w.visit("127.0.0.1")
	answered := make(chan *answer, 1)
	go func() {
		defer close(answered)
		answered <- busy.ask("GET", "/metrics", false)
	}()
	waitFor(t, "it is being worked on", func() bool { return w.api.scrapes.now() == 1 })
	for range 3 * limit {
		w.visit("127.0.0.1").ask("GET", "/v1/status", false).want(200)
	}
	if n := w.api.Stats().Conns; n != limit {
		t.Errorf("%d connections, want %d", n, limit)
	}
	release()
	if a := <-answered; a != nil { // else it has failed already
		a.want(200)
	}
}

// TestOneLimit: the limit is that of all listeners together.
func TestOneLimit(t *testing.T) {
	w := guarded(t, 2)
	second := listen(t)
	server := NewHTTPServer(w.api.Handler(true), DefaultServerOptions())
	done := make(chan error, 1)
	go func() { done <- server.Serve(w.api.LimitConns(second)) }()
	defer func() {
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	w.visit("127.0.0.1").ask("GET", "/v1/status", true).want(200)
	w.visit("127.0.0.1").ask("GET", "/v1/status", true).want(200)
	w.http = second.Addr().String()
	w.visit("127.0.0.1").ask("GET", "/v1/status", true).wantCode(503, codeBusy)
}

// TestRefusedConn: what finds no place at all is told so.
func TestRefusedConn(t *testing.T) {
	w := guarded(t, 1)
	w.api.conns.mu.Lock()
	w.api.conns.held, w.api.conns.reserved = 1, ReservedConns
	w.api.conns.mu.Unlock()
	v := w.visit("127.0.0.1")
	a := v.world.answerOn(v.in, "beyond all places")
	var p problem
	a.json(&p)
	if a.status != http.StatusServiceUnavailable || p.Code != codeBusy || a.header.Get("Retry-After") == "" ||
		a.header.Get("Content-Type") != details.MediaType {
		t.Errorf("%d %s", a.status, a.body)
	}
	if s := w.api.Stats(); s.RefusedConns.Load() != 1 {
		t.Errorf("%d refused", s.RefusedConns.Load())
	}
}

// TestAddressOf: a host with IPv6 has many addresses, and counts once.
func TestAddressOf(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:5000": "192.0.2.1", "[::ffff:192.0.2.1]:5000": "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::", "[fe80::1%1]:80": "fe80::",
	} {
		tcp, err := net.ResolveTCPAddr("tcp", remote)
		if err != nil {
			t.Fatal(err)
		}
		if got := newConns(0).addressOf(remoteConn{addr: tcp}).String(); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
	if newConns(0).addressOf(remoteConn{addr: &net.UnixAddr{}}).IsValid() {
		t.Error("a unix socket has an address")
	}
}

type remoteConn struct {
	net.Conn
	addr net.Addr
}

func (c remoteConn) RemoteAddr() net.Addr { return c.addr }

// TestNoConn: a handler on a listener without a limit.
func TestNoConn(t *testing.T) {
	a := fakeAPI(t, &fake{}, func(o *Options) { o.Tokens = []string{token} })
	ask(t, a.Handler(true), request("GET", "/v1/status", "", "Authorization: Bearer "+token)).want(200)
	ask(t, a.Handler(true), request("GET", "/v1/status", "", "Authorization: Bearer "+strings.ToUpper(token))).want(401)
}
