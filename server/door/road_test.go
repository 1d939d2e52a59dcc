package door

import (
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
)

// roadside is a road with a listener before it and an echo behind it.
type roadside struct {
	*Road
	t       *testing.T
	address string
	refused chan error // by Go
	failed  chan error // on the way
	peers   chan Peer  // of those that arrived
}

func runRoad(t *testing.T, o RoadOptions) *roadside {
	t.Helper()
	s := &roadside{t: t, refused: make(chan error, 1000), failed: make(chan error, 1000), peers: make(chan Peer, 1000)}
	if o.Timeout == 0 {
		o.Timeout = patience
	}
	if o.MaxPending == 0 {
		o.MaxPending = 100
	}
	if o.Then == nil {
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
	var c net.Conn = &readAhead{Conn: a.Conn, read: a.Read}
	if a.TLS != nil {
		c = a.TLS
	}
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
			echoes(t, c, "hello")
			if got := next(t, s.peers); got.Client.String() != want || got.Proxy.IsValid() != (o.Proxy != nil) {
				t.Errorf("the client is %v, want %s", got, want)
			}
			if got := s.Counters(); got.Arrived != 1 || got.Pending != 1 {
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
		TLS: secure, Proxy: &ProxyProtocol{Trusted: networks(t, "127.0.0.0/8")}, MaxPending: places, Timeout: 3 * time.Second,
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

// Close ends what waits, also behind the handshake, and nobody comes any more.
func TestRoadClose(t *testing.T) {
	behind := make(chan error, 1)
	s := runRoad(t, RoadOptions{
		Proxy: &ProxyProtocol{Trusted: networks(t, "127.0.0.0/8")}, Timeout: time.Hour,
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
		"more than 0 for handshakes": {MaxPending: 1}, "at least 1 pending": {Timeout: time.Second},
	} {
		if _, err := NewRoad(o); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
