package workerman

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"groupcast/loop"
	"groupcast/loop/wait"
	"groupcast/protocol/workerman"
)

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

// eventually is what tests wait with.
var eventually = wait.Until

func logTo(tb testing.TB) *slog.Logger {
	tb.Helper()
	return slog.New(slog.NewTextHandler(tb.Output(), nil))
}

// logBuffer keeps what a server logs. Its methods may be called from any goroutine.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// testServer is a running Server.
type testServer struct {
	*Server
	addr string
}

// startServer starts a server on a port of the kernel's choice and closes it
// when the test ends. change may be nil; without a broker nothing is bridged.
func startServer(tb testing.TB, node *Node, broker Broker, change func(*Options)) *testServer {
	tb.Helper()
	o := DefaultOptions()
	o.Logger = logTo(tb)
	if change != nil {
		change(&o)
	}
	s, err := NewServer(o, node, broker)
	if err != nil {
		tb.Fatal(err)
	}
	return &testServer{s, serve(tb, s, "tcp", "127.0.0.1:0")}
}

// serve has s accept at one more address until the test ends.
func serve(tb testing.TB, s *Server, network, address string) string {
	tb.Helper()
	ln, err := (&net.ListenConfig{KeepAlive: -1}).Listen(tb.Context(), network, address)
	if err != nil {
		tb.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			tb.Errorf("Close: %v", err)
		}
		if err := <-served; err != nil {
			tb.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// peer is a PHP program at the other end of a connection, or as good as one.
// Owner: the test; reading and writing may be done by two goroutines.
type peer struct {
	tb       testing.TB
	conn     net.Conn
	in       []byte
	splitter workerman.Splitter
	buf      []byte
}

func dial(tb testing.TB, addr string) *peer {
	tb.Helper()
	p, err := tryDial(tb, addr)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func tryDial(tb testing.TB, addr string) (*peer, error) {
	tb.Helper()
	c, err := (&net.Dialer{Timeout: patience}).DialContext(tb.Context(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	tb.Cleanup(func() { _ = c.Close() })
	return &peer{tb: tb, conn: c, buf: make([]byte, 4096)}, nil
}

// frame puts a length before body.
func frameOf(body string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+workerman.HeaderBytes)), body...)
}

// write sends bytes as they are.
func (p *peer) write(b []byte) {
	p.tb.Helper()
	_ = p.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := p.conn.Write(b); err != nil {
		p.tb.Errorf("write: %v", err)
	}
}

// send sends a body.
func (p *peer) send(body string) {
	p.tb.Helper()
	p.write(frameOf(body))
}

// tryNext is the body of the next frame.
func (p *peer) tryNext() (string, error) {
	_ = p.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		body, rest, ok, err := p.splitter.Next(p.in, 1<<30)
		if err != nil {
			return "", err
		}
		p.in = rest
		if ok {
			return string(body), nil
		}
		n, readErr := p.conn.Read(p.buf)
		if n == 0 && readErr != nil {
			return "", readErr
		}
		p.in = p.buf[:n]
	}
}

func (p *peer) next() string {
	p.tb.Helper()
	body, err := p.tryNext()
	if err != nil {
		p.tb.Fatalf("read: %v", err)
	}
	return body
}

func (p *peer) want(body string) {
	p.tb.Helper()
	if got := p.next(); got != body {
		p.tb.Fatalf("got  %.500q\nwant %.500q", got, body)
	}
}

// wantClosed reads to the end, which the server must make.
func (p *peer) wantClosed() {
	p.tb.Helper()
	for {
		if _, err := p.tryNext(); err != nil {
			if os.IsTimeout(err) {
				p.tb.Fatal("still open")
			}
			return
		}
	}
}

// Bodies as PHP's serialize writes them.

func str(s string) string { return string(workerman.AppendString(nil, s)) }

// names is the list of these channels, strings all.
func names(channels ...string) string {
	out := "a:" + strconv.Itoa(len(channels)) + ":{"
	for i, c := range channels {
		out += "i:" + strconv.Itoa(i) + ";" + str(c)
	}
	return out + "}"
}

// about is a message about channels, without data.
func about(typ string, channels ...string) string {
	return `a:2:{s:4:"type";` + str(typ) + `s:8:"channels";` + names(channels...) + `}`
}

// with is a message to one channel, with serialized data.
func with(typ, channel, data string) string {
	return `a:3:{s:4:"type";` + str(typ) + `s:8:"channels";` + names(channel) + `s:4:"data";` + data + `}`
}

// event is what a subscriber gets.
func eventOf(channel, data string) string {
	return `a:3:{s:4:"type";s:5:"event";s:7:"channel";` + str(channel) + `s:4:"data";` + data + `}`
}

func queueOf(channel, data string) string {
	return `a:3:{s:4:"type";s:5:"queue";s:7:"channel";` + str(channel) + `s:4:"data";` + data + `}`
}

// groupData is data of the channel send_to_group.
func groupData(group, message string) string {
	return `a:2:{s:8:"group_id";` + str(group) + `s:7:"message";` + str(message) + `}`
}

// syncs numbers the channels of sync, so that nobody gets another one's.
var syncs atomic.Int64

// sync has everything that p sent before be served: it subscribes to a channel of
// its own and publishes to it. Nothing else may be on its way to p.
func (p *peer) sync() {
	p.tb.Helper()
	own := fmt.Sprintf("~%d", syncs.Add(1)%100)
	p.send(about("subscribe", own))
	p.send(with("publish", own, "N;"))
	p.want(eventOf(own, "N;"))
	p.send(about("unsubscribe", own))
}

// subscriber is a peer that subscribes to these channels, and is known to.
func subscriber(tb testing.TB, addr string, channels ...string) *peer {
	tb.Helper()
	p := dial(tb, addr)
	p.send(about("subscribe", channels...))
	p.sync()
	return p
}

// get is the value of a label.
func get(tb testing.TB, counts iter.Seq2[string, uint64], label string) uint64 {
	tb.Helper()
	for one, n := range counts {
		if one == label {
			return n
		}
	}
	tb.Fatalf("no counter %q in %v", label, maps.Collect(counts))
	return 0
}

// sumOf adds all of them.
func sumOf(counts iter.Seq2[string, uint64]) (sum uint64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// startEngine starts real loops with a door for WebSocket clients.
func startEngine(tb testing.TB, change func(*loop.Options)) (e *loop.Engine, url string) {
	tb.Helper()
	o := loop.DefaultOptions()
	o.Loops = 2
	o.Logger = logTo(tb)
	if change != nil {
		change(&o)
	}
	e, err := loop.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	ln, err := (&net.ListenConfig{KeepAlive: -1}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- e.Serve(ln) }()
	tb.Cleanup(func() {
		_ = ln.Close()
		if err := e.Close(); err != nil {
			tb.Errorf("close the engine: %v", err)
		}
		if err := <-served; err != nil {
			tb.Errorf("Serve: %v", err)
		}
	})
	return e, "ws://" + ln.Addr().String()
}

// member is a WebSocket client.
type member struct {
	tb   testing.TB
	conn *websocket.Conn
}

// join connects and is in these groups when it returns.
func join(tb testing.TB, url string, groups ...string) *member {
	tb.Helper()
	return joinWith(tb, url, &websocket.DialOptions{}, groups...)
}

func joinWith(tb testing.TB, url string, o *websocket.DialOptions, groups ...string) *member {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	o.HTTPClient = &http.Client{Transport: transport}
	conn, response, err := websocket.Dial(ctx, url, o)
	if err != nil {
		tb.Fatal(err)
	}
	if response.Body != nil {
		defer response.Body.Close()
	}
	conn.SetReadLimit(1 << 20)
	m := &member{tb, conn}
	tb.Cleanup(func() { _ = conn.CloseNow() })
	for _, g := range groups {
		m.send(`{"cmd":"add_group","group_id":%q,"req_id":1}`, g)
		if ack := m.next(); !bytes.Contains([]byte(ack), []byte(`ack`)) {
			tb.Fatalf("join %q: %s", g, ack)
		}
	}
	return m
}

func (m *member) send(format string, args ...any) {
	m.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := m.conn.Write(ctx, websocket.MessageText, fmt.Appendf(nil, format, args...)); err != nil {
		m.tb.Errorf("send: %v", err)
	}
}

func (m *member) tryNext() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, data, err := m.conn.Read(ctx)
	return string(data), err
}

func (m *member) next() string {
	m.tb.Helper()
	text, err := m.tryNext()
	if err != nil {
		m.tb.Fatalf("read: %v", err)
	}
	return text
}

func (m *member) want(text string) {
	m.tb.Helper()
	if got := m.next(); got != text {
		m.tb.Fatalf("got %q, want %q", got, text)
	}
}

// publish has the broker take a text, as the HTTP API would.
func publish(tb testing.TB, b Broker, group, text string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := b.PublishAll(ctx, loop.Publication{
		Groups: []string{group}, Payload: []byte(text),
		IsText: true,
	}); err != nil {
		tb.Fatal(err)
	}
}

var _ io.Closer = (*Client)(nil)
