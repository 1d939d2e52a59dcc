package server

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"groupcast/server/monitor"
)

// addressOf is where the first listener of a kind is.
func addressOf(t *testing.T, s *Server, kind string) string {
	t.Helper()
	for _, l := range s.listeners() {
		if l.Kind == kind {
			return l.Address
		}
	}
	t.Fatalf("no listener of kind %s", kind)
	return ""
}

// dialRaw is a connection that ends with the test.
func dialRaw(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// The limits of the API's server are those that were set.
func TestAPISettingsAreInForce(t *testing.T) {
	s := startServer(t, func(o *Options) {
		o.API, o.APILimits.MaxConns, o.APIServer.MaxHeaderBytes = []string{"127.0.0.1:0"}, 1, 256
		o.APILimits.MaxBatchItems = 1
	})
	ask := func(c net.Conn, request string) int {
		t.Helper()
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		_, _ = io.Copy(io.Discard, r.Body)
		return r.StatusCode
	}
	first := dialRaw(t, addressOf(t, s, monitor.KindAPI))
	if code := ask(first, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); code != http.StatusOK {
		t.Errorf("health: %d", code)
	}
	batch := `[{"groups":["a"],"message":"1"},{"groups":["a"],"message":"2"}]`
	code := ask(first, "POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Content-Length: 63\r\n\r\n"+batch)
	if code != http.StatusRequestEntityTooLarge {
		t.Errorf("a batch of two: %d", code)
	}
	// The second connection has the place of the first, which has shown no token.
	second := dialRaw(t, addressOf(t, s, monitor.KindAPI))
	if n, err := first.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the first connection: %d, %v", n, err)
	}
	if code := ask(second, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", 9000)); code != 431 {
		t.Errorf("a long head: %d", code)
	}
}

// So are those of the Channel server, and of the connection to another one, which
// may be a unix socket.
func TestChannelSettingsAreInForce(t *testing.T) {
	socket := "unix:" + shortDir(t) + "/c"
	hub := startServer(t, func(o *Options) {
		o.Channel, o.ChannelServer.MaxConns = []string{"127.0.0.1:0", socket}, 1
	})
	joined := startServer(t, func(o *Options) { o.ChannelJoin = socket })
	eventually(t, "the connection", func() bool {
		return joined.joinStatus().Connected &&
			hub.channelStatus().Connections == 1
	})
	refused := dialRaw(t, addressOf(t, hub, monitor.KindChannel))
	if n, err := refused.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the second connection: %d, %v", n, err)
	}
}

// A request that has begun when the server ends has --api-close-timeout to end.
func TestAPICloseTimeout(t *testing.T) {
	s := startServer(t, func(o *Options) { o.API, o.APICloseTimeout = []string{"127.0.0.1:0"}, 3*time.Second })
	for _, one := range s.services {
		if a, ok := one.(*apiService); ok {
			if a.inForce.APICloseTimeout != 3*time.Second {
				t.Errorf("in force: %s", a.inForce.APICloseTimeout)
			}
			a.inForce.APICloseTimeout = patience // a busy machine may need more than can be set
		}
	}
	late := dialRaw(t, addressOf(t, s, monitor.KindAPI))
	head := "POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
	if _, err := io.WriteString(late, head); err != nil {
		t.Fatal(err)
	}
	// The server asks for the body: from here on it is at work.
	answers := bufio.NewReader(late)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err)
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		t.Fatalf("closed under a request: %v", err)
	case <-time.After(time.Second): // more than by default
	}
	if _, err := io.WriteString(late, "hello"); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answers)
	if err != nil || !strings.Contains(string(text), "HTTP/1.1 ") {
		t.Errorf("%q, %v", text, err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
