package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"groupcast/loop/wait"
)

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second

// eventually is what tests wait with.
var eventually = wait.Until

// startServer starts a real server on a port of the kernel's choice and stops
// it when the test ends, if the test has not. change may be nil.
func startServer(t *testing.T, change func(*Options)) *Server {
	t.Helper()
	o := DefaultOptions()
	o.Listen = []string{"127.0.0.1:0"}
	o.Loops = 2
	o.Drain = patience
	o.API = []string{none}
	o.Control = filepath.Join(shortDir(t), "control.sock")
	if change != nil {
		change(&o)
	}
	s, err := Start(o, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// shortDir is a directory for sockets: t.TempDir has the test's name in it, and
// with a long one exceeds what a socket may be called.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "groupcast") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// client is one WebSocket connection of a test.
// Owner: the test; reading and writing may be done by two goroutines.
type client struct {
	t    *testing.T
	conn *websocket.Conn
	tcp  net.Conn // below it: to stop reading, or to reset
}

// connect opens a session at address ("127.0.0.1:1234", "unix:/path"), in
// envelope mode if protocols ask for it.
func connect(t *testing.T, address string, protocols ...string) *client {
	t.Helper()
	c, err := tryConnect(t, address, protocols...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tryConnect(t *testing.T, address string, protocols ...string) (*client, error) {
	t.Helper()
	c := &client{t: t}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		network := "tcp"
		if path, isUnix := strings.CutPrefix(address, "unix:"); isUnix {
			network, address = "unix", path
		}
		var err error
		c.tcp, err = new(net.Dialer).DialContext(ctx, network, address)
		return c.tcp, err
	}}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, "ws://groupcast/", &websocket.DialOptions{
		HTTPClient:   &http.Client{Transport: transport},
		Subprotocols: protocols,
	})
	if response != nil && response.Body != nil {
		defer func() { _ = response.Body.Close() }()
	}
	transport.CloseIdleConnections()
	if err != nil {
		return nil, err
	}
	c.conn = conn
	c.conn.SetReadLimit(1 << 20)
	t.Cleanup(func() { _ = c.conn.CloseNow() })
	return c, nil
}

// send sends one command.
func (c *client) send(command string) {
	c.t.Helper()
	if err := c.trySend(command); err != nil {
		c.t.Errorf("send %s: %v", command, err)
	}
}

func (c *client) trySend(command string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.conn.Write(ctx, websocket.MessageText, []byte(command))
}

// next is the next message that arrives.
func (c *client) next() string {
	c.t.Helper()
	text, err := c.tryNext()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return text
}

func (c *client) tryNext() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, data, err := c.conn.Read(ctx)
	return string(data), err
}

// want checks the next message.
func (c *client) want(text string) {
	c.t.Helper()
	if got := c.next(); got != text {
		c.t.Fatalf("got %q, want %q", got, text)
	}
}

// join joins group and waits for the ack.
func (c *client) join(group string) {
	c.t.Helper()
	c.send(`{"cmd":"add_group","group_id":"` + group + `","req_id":"join"}`)
	c.want(`{"cmd":"ack","req_id":"join"}`)
}

// publish sends message to group; nobody answers.
func (c *client) publish(group, message string) {
	c.t.Helper()
	c.send(publishCommand(group, message))
}

func publishCommand(group, message string) string {
	quoted, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	return `{"cmd":"send_to_group","group_id":"` + group + `","message":` + string(quoted) + `}`
}

// closing reads until the server's close frame, and is its code.
func (c *client) closing() websocket.StatusCode {
	c.t.Helper()
	for {
		if _, err := c.tryNext(); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}
