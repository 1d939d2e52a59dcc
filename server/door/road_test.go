package door

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"groupcast/loop/wait"
)

// roadside is a road with a listener before it and an echo behind it.
type roadside struct {
	*Road
	t       *testing.T
	address string
	refused chan error // by Go
	failed  chan error // on the way
	peers   chan Peer  // of those that arrived
	heads   chan string
}

func runRoad(t *testing.T, o RoadOptions) *roadside {
	t.Helper()
	s := &roadside{t: t, refused: make(chan error, 1000), failed: make(chan error, 1000), peers: make(chan Peer, 1000)}
	s.heads = make(chan string, 1000)
	l := &o.Limits
	l.Timeout = cmp.Or(l.Timeout, patience)
	l.MaxPending, l.MaxHeadBytes = cmp.Or(l.MaxPending, 100), cmp.Or(l.MaxHeadBytes, 1000)
	switch {
	case o.Then != nil:
	case o.Proxy == nil && o.TLS == nil && o.Forwarded == nil && !o.Head: // on the acceptor's goroutine
		o.Then = func(ctx context.Context, a *Arrival) { go s.echo(ctx, a) }
	default:
		o.Then = s.echo
	}
	o.Failed = func(_ net.Addr, err error) { s.failed <- err }
	var err error
	if s.Road, err = NewRoad(o); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = ln.Addr().String()
	var accepting sync.WaitGroup
	t.Cleanup(func() {
		_ = ln.Close()
		accepting.Wait()
		s.Close()
	})
	accepting.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if err := s.Go(c); err != nil {
				_ = c.Close()
				s.refused <- err
			}
		}
	})
	return s
}

func (s *roadside) echo(_ context.Context, a *Arrival) {
	s.peers <- a.Peer
	s.heads <- string(a.Head)
	c := a.Stream()
	_, _ = io.Copy(c, c)
	_ = c.Close()
	_ = a.Conn.Close()
}

func (s *roadside) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// next is the next value of a channel.
func next[T any](t *testing.T, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatal("nothing comes")
	}
	return v
}

// echoes sends over c and waits for it to come back.
func echoes(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("got %q, %v", got, err)
	}
}

// Every combination of what may be on the road; the bytes of all steps come in one write.
func TestRoad(t *testing.T) {
	a := newAuthority(t)
	secure, err := NewTLS(TLSOptions{Certificates: load(t, a.write("x", "a.test"))})
	if err != nil {
		t.Fatal(err)
	}
	proxy := &ProxyProtocol{Trusted: networks(t, "127.0.0.0/8")}
	for name, o := range map[string]RoadOptions{
		"nothing": {}, "TLS": {TLS: secure}, "PROXY": {Proxy: proxy}, "PROXY and TLS": {Proxy: proxy, TLS: secure},
		"head": {Head: true}, "TLS and head": {TLS: secure, Head: true},
		"PROXY and head": {Proxy: proxy, Head: true}, "all": {Proxy: proxy, TLS: secure, Head: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := runRoad(t, o)
			c := s.dial()
			want := c.LocalAddr().String()
			if o.Proxy != nil {
				want = "198.51.100.1:9"
				c = &ahead{Conn: c, first: header(t, 2, want, "10.0.0.5:80")}
			}
			if o.TLS != nil {
				c = tls.Client(c, &tls.Config{RootCAs: a.Pool, ServerName: "a.test"})
			}
			const head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
			echoes(t, c, head+"and what follows")
			echoes(t, c, "and more")
			if got := next(t, s.heads); got != head && o.Head || got != "" && !o.Head {
				t.Errorf("the head is %q", got)
			}
			if got := next(t, s.peers); got.Client.String() != want || got.Proxy.IsValid() != (o.Proxy != nil) {
				t.Errorf("the client is %v, want %s", got, want)
			}
			if got := s.Counters(); got.Arrived != 1 || name != "nothing" && got.Pending != 1 {
				t.Errorf("counted %+v", got)
			}
		})
	}
}

// ahead is a connection whose first write has something in front of it.
type ahead struct {
	net.Conn
	first string
}

func (c *ahead) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(append([]byte(c.first), p...))
	n, c.first = n-len(c.first), ""
	return n, err
}

// Half-finished handshakes fill the road and no more than that; at their deadline all are
// gone, and clients come through again.
func TestRoadFull(t *testing.T) {
	a := newAuthority(t)
	secure, err := NewTLS(TLSOptions{Certificates: load(t, a.write("x", "a.test"))})
	if err != nil {
		t.Fatal(err)
	}
	const places = 200
	s := runRoad(t, RoadOptions{
		TLS: secure, Proxy: &ProxyProtocol{Trusted: networks(t, "127.0.0.0/8")}, Uncounted: networks(t, "127.0.0.0/8"),
		Limits: RoadLimits{MaxPending: places, Timeout: 3 * time.Second},
	})
	starts := []string{"", "PROXY TCP4", "\r\n\r\n", "PROXY UNKNOWN\r\n\x16\x03\x01\x02\x00\x01", "PROXY UNKNOWN\r\n"}
	for i := range places {
		if _, err := io.WriteString(s.dial(), starts[i%len(starts)]); err != nil {
			t.Fatal(err)
		}
	}
	c := s.dial()
	if err := next(t, s.refused); !errors.Is(err, ErrRoadFull) {
		t.Errorf("one more: %v", err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("one more was answered: %d, %v", n, err)
	}
	for range places {
		err := next(t, s.failed)
		if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("failed with %v", err)
		}
	}
	if got := s.Counters(); got.Full != 1 || got.Arrived != 0 {
		t.Errorf("counted %+v", got)
	}
	good := &ahead{Conn: s.dial(), first: "PROXY UNKNOWN\r\n"}
	echoes(t, tls.Client(good, &tls.Config{RootCAs: a.Pool, ServerName: "a.test"}), "hello")
}

// The rate is the client's own, not the proxy's.
func TestRoadRate(t *testing.T) {
	limit := RateOptions{PerAddress: 0.0001, PerAddressBurst: 2}
	s := runRoad(t, RoadOptions{Rate: rateLimit(t, limit)})
	for range 2 {
		echoes(t, s.dial(), "x")
	}
	s.dial()
	if err := next(t, s.refused); !errors.Is(err, ErrTooFast) {
		t.Errorf("the third: %v", err)
	}
	s = runRoad(t, RoadOptions{Rate: rateLimit(t, limit), Proxy: &ProxyProtocol{Trusted: networks(t, "127.0.0.0/8")}})
	for _, client := range []string{"198.51.100.1:9", "198.51.100.2:9", "198.51.100.1:8"} {
		echoes(t, &ahead{Conn: s.dial(), first: header(t, 1, client, "10.0.0.5:80")}, "x")
	}
	if _, err := io.WriteString(s.dial(), header(t, 1, "198.51.100.1:9", "10.0.0.5:80")); err != nil {
		t.Fatal(err)
	}
	if err := next(t, s.failed); !errors.Is(err, ErrTooFast) {
		t.Errorf("the third of one client: %v", err)
	}
	if got := s.Counters().TooFast; got != 1 {
		t.Errorf("counted %d", got)
	}
}

// Behind a proxy that tells in a header of HTTP who its client is, rate and places are the
// client's own; the proxy itself has all that there are, with and without a header.
func TestRoadForwarded(t *testing.T) {
	proxies := networks(t, "127.0.0.0/8")
	o := RoadOptions{Forwarded: NewForwardedHeader("x-forwarded-for", proxies), Uncounted: proxies}
	head := func(client string) string {
		return "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.9.9.9, " + client + "\r\n\r\n"
	}
	const own = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	refused := func(s *roadside, text, status string, want error) {
		t.Helper()
		c := s.dial()
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 "+status) ||
			!strings.Contains(string(answer), "\r\nRetry-After: ") {
			t.Errorf("got %q, %v", answer, err)
		}
		if err := next(t, s.failed); !errors.Is(err, want) {
			t.Errorf("failed with %v", err)
		}
	}
	o.Rate = rateLimit(t, RateOptions{PerAddress: 0.0001, PerAddressBurst: 2, Uncounted: proxies})
	s := runRoad(t, o)
	for _, text := range []string{own, head("1.1.1.1"), own, head("1.1.1.1"), head("1.1.1.2"), own, own} {
		echoes(t, s.dial(), text)
	}
	refused(s, head("1.1.1.1"), "429 ", ErrTooFast)
	if got := s.Counters(); got.TooFast != 1 || got.Arrived != 7 {
		t.Errorf("counted %+v", got)
	}

	o.Rate, o.Limits.MaxPending = nil, 13 // a share is 3
	s = runRoad(t, o)
	for range 6 {
		s.dial() // more than a share, of which nothing is known yet
	}
	for range 2 {
		echoes(t, s.dial(), own)
	}
	for range 3 {
		echoes(t, s.dial(), head("1.1.1.1")) // which stays
	}
	refused(s, head("1.1.1.1"), "503 ", ErrRoadFull)
	echoes(t, s.dial(), head("1.1.1.2"))
	for i := range 6 {
		peer := next(t, s.peers)
		if i >= 2 && i < 5 && (peer.Client.String() != "1.1.1.1:0" || peer.Proxy.Addr().String() != "127.0.0.1") {
			t.Errorf("the %d. is %+v", i, peer)
		}
	}
	wait.Until(t, "all others stay", func() bool { return s.Counters().Pending == 12 })
	if got := s.Counters(); got.Full != 1 {
		t.Errorf("counted %+v", got)
	}
}

// A client that its proxy has told of has one share of the places, not the proxy's.
func TestRoadProxyShares(t *testing.T) {
	proxies := networks(t, "127.0.0.0/8")
	s := runRoad(t, RoadOptions{
		Proxy: &ProxyProtocol{Trusted: proxies}, Head: true, Limits: RoadLimits{MaxPending: 12}, Uncounted: proxies,
	})
	for i := range 4 { // and say nothing more
		from := header(t, 2, "1.1.1.1:"+string(rune('1'+i)), "10.0.0.5:80")
		if _, err := io.WriteString(s.dial(), from); err != nil {
			t.Fatal(err)
		}
	}
	if err := next(t, s.failed); !errors.Is(err, ErrRoadFull) {
		t.Errorf("a fourth of one client: %v", err)
	}
	const head = "GET / HTTP/1.1\r\n\r\n"
	for range 2 {
		echoes(t, &ahead{Conn: s.dial(), first: header(t, 1, "1.1.1.2:1", "10.0.0.5:80")}, head)
	}
	for range 4 {
		echoes(t, &ahead{Conn: s.dial(), first: "PROXY UNKNOWN\r\n"}, head)
	}
	wait.Until(t, "all others stay", func() bool { return s.Counters().Pending == 9 })
	if got := s.Counters(); got.Full != 1 {
		t.Errorf("counted %+v", got)
	}
}

// Close ends what waits, also behind the handshake, and nobody comes any more.
func TestRoadClose(t *testing.T) {
	behind := make(chan error, 1)
	s := runRoad(t, RoadOptions{
		Proxy: &ProxyProtocol{Trusted: networks(t, "127.0.0.0/8")}, Limits: RoadLimits{Timeout: time.Hour},
		Then: func(ctx context.Context, a *Arrival) {
			_, err := a.Conn.Read(make([]byte, 1)) // of a client that says nothing
			behind <- errors.Join(err, ctx.Err(), a.Conn.Close())
		},
	})
	s.dial()
	if _, err := io.WriteString(s.dial(), "PROXY UNKNOWN\r\n"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); s.Counters().Pending < 2 || s.Counters().Arrived < 1; {
		if time.Now().After(deadline) {
			t.Fatalf("counted %+v", s.Counters())
		}
		<-time.After(time.Millisecond)
	}
	closed := make(chan struct{})
	go func() { s.Close(); s.Close(); close(closed) }()
	next(t, closed)
	if err := next(t, behind); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, context.Canceled) {
		t.Errorf("behind it: %v", err)
	}
	if err := next(t, s.failed); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("on it: %v", err)
	}
	if got := s.Counters().Pending; got != 0 {
		t.Errorf("%d are left", got)
	}
	s.dial()
	if err := next(t, s.refused); !errors.Is(err, ErrRoadClosed) {
		t.Errorf("another one: %v", err)
	}
}

func TestRoadOptionErrors(t *testing.T) {
	for text, o := range map[string]RoadOptions{
		"more than 0 for handshakes": {Limits: RoadLimits{MaxPending: 1}},
		"at least 1 pending":         {Limits: RoadLimits{Timeout: time.Second}},
		"at least 1 byte":            {Limits: RoadLimits{Timeout: time.Second, MaxPending: 1}, Head: true},
		"1 to 128 bits":              {Limits: RoadLimits{Timeout: time.Second, MaxPending: 1, IPv6Bits: 129}},
	} {
		if _, err := NewRoad(o); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// A request's head comes in any pieces; one that is too large or too late is answered.
func TestRoadHead(t *testing.T) {
	a := newAuthority(t)
	secure, err := NewTLS(TLSOptions{Certificates: load(t, a.write("x", "a.test"))})
	if err != nil {
		t.Fatal(err)
	}
	const head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	s := runRoad(t, RoadOptions{Head: true, Limits: RoadLimits{MaxHeadBytes: len(head)}})
	c := s.dial()
	for i := range head {
		if _, err := io.WriteString(c, head[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	echoes(t, &behind{Conn: c, skip: len(head)}, "x")
	if got := next(t, s.heads); got != head {
		t.Errorf("got %q", got)
	}
	for name, road := range map[string]*roadside{
		"plain": s, "TLS": runRoad(t, RoadOptions{TLS: secure, Head: true, Limits: RoadLimits{MaxHeadBytes: len(head)}}),
	} {
		for _, text := range []string{"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n", strings.Repeat("x", len(head)+1)} {
			c := road.dial()
			if name == "TLS" {
				c = tls.Client(c, &tls.Config{RootCAs: a.Pool, ServerName: "a.test"})
			}
			if _, err := io.WriteString(c, text); err != nil {
				t.Fatal(err)
			}
			if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 431 ") {
				t.Errorf("%s: got %q, %v", name, answer, err)
			}
			if err := next(t, road.failed); !errors.Is(err, ErrHeadTooLarge) {
				t.Errorf("%s: failed with %v", name, err)
			}
		}
	}

	s = runRoad(t, RoadOptions{Head: true, Limits: RoadLimits{Timeout: 100 * time.Millisecond}})
	for text, want := range map[string]string{"GET": "HTTP/1.1 408 ", "": ""} {
		c := s.dial()
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), want) || want == "" &&
			len(answer) > 0 {
			t.Errorf("%q: got %q, %v", text, answer, err)
		}
		if err := next(t, s.failed); !errors.Is(err, ErrHeadTimeout) {
			t.Errorf("%q: failed with %v", text, err)
		}
	}
	if got := s.Counters().NoHead; got != 2 {
		t.Errorf("counted %d", got)
	}
}

// behind is a connection of which some of what comes is known.
type behind struct {
	net.Conn
	skip int
}

func (b *behind) Read(p []byte) (int, error) {
	if b.skip > 0 {
		if _, err := io.ReadFull(b.Conn, make([]byte, b.skip)); err != nil {
			return 0, err
		}
		b.skip = 0
	}
	return b.Conn.Read(p)
}

// A mistake on the way costs its connection, and no more.
func TestRoadPanic(t *testing.T) {
	s := runRoad(t, RoadOptions{Head: true, Then: func(context.Context, *Arrival) { panic("a mistake") }})
	for range 2 {
		c := s.dial()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if err := next(t, s.failed); !strings.Contains(err.Error(), "a mistake") {
			t.Errorf("failed with %v", err)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("the connection lives")
		}
	}
	for deadline := time.Now().Add(patience); s.Counters().Pending > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("counted %+v", s.Counters())
		}
		<-time.After(time.Millisecond)
	}
	if got := s.Counters().Panics; got != 2 {
		t.Errorf("counted %d", got)
	}
}

// Other limits are for those who come next.
func TestRoadSetLimits(t *testing.T) {
	s := runRoad(t, RoadOptions{Head: true, Limits: RoadLimits{MaxHeadBytes: 4}})
	l := s.Limits()
	l.MaxHeadBytes = 1000
	if err := s.SetLimits(l); err != nil {
		t.Fatal(err)
	}
	echoes(t, s.dial(), "GET / HTTP/1.1\r\n\r\n")
	l.MaxPending = 0
	if err := s.SetLimits(l); err == nil || s.Limits().MaxPending == 0 {
		t.Errorf("no place at all: %v, %+v", err, s.Limits())
	}
}
