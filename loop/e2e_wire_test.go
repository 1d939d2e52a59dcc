package loop

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"groupcast/loop/reactor"
	"groupcast/loop/wait"
)

// upgradeHead is a request that is upgraded.
const upgradeHead = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// start is startEngine, and checks at the end of the test, when all its
// clients are gone, that the engine holds nothing of them.
func start(tb testing.TB, adapt func(*Options)) (e *Engine, addr string) {
	tb.Helper()
	e, url := startEngine(tb, adapt)
	tb.Cleanup(func() {
		if !tb.Failed() {
			waitEmpty(tb, e)
		}
	})
	addr = strings.TrimPrefix(url, "ws://")
	// Connections inherit what Serve sets on its listener, but for those that
	// are there before it does.
	first := connect(tb, addr)
	waitFor(tb, "Serve", func() bool { return e.accepted.Load() > 0 })
	_ = first.c.Close()
	waitEmpty(tb, e)
	return e, addr
}

// serve has e accept on one more listener until the test ends.
func serve(tb testing.TB, e *Engine, network, address string) (addr string) {
	tb.Helper()
	ln, err := (&net.ListenConfig{KeepAlive: -1}).Listen(tb.Context(), network, address)
	if err != nil {
		tb.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- serveOn(e, ln) }()
	tb.Cleanup(func() {
		_ = ln.Close()
		if err := <-served; err != nil {
			tb.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// sum asks for the engine's statistics.
func sum(tb testing.TB, e *Engine) ReactorStats {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := e.Stats(ctx)
	if err != nil {
		tb.Fatalf("stats: %v", err)
	}
	return s.Sum()
}

// waitStats waits until the statistics are as ok wants them.
func waitStats(tb testing.TB, e *Engine, what string, ok func(ReactorStats) bool) {
	tb.Helper()
	waitFor(tb, what, func() bool { return ok(sum(tb, e)) })
}

// listed is how many connections the loops list, upgraded or not.
func listed(tb testing.TB, e *Engine) int {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	all, _, err := e.Sessions(ctx, SessionID{}, 100)
	if err != nil {
		tb.Fatalf("list: %v", err)
	}
	return len(all)
}

// waitEmpty waits until nothing is left of any session.
func waitEmpty(tb testing.TB, e *Engine) {
	tb.Helper()
	waitStats(tb, e, "no session left", func(s ReactorStats) bool {
		return s.Sessions == 0 && e.shared.Conns.Load() == 0
	})
	s := sum(tb, e)
	for _, r := range e.reactors {
		if n := r.Conns.Load(); n != 0 {
			tb.Errorf("without sessions, %d connections are counted on loop %d", n, r.Index())
		}
	}
	if s.Groups != 0 || s.Watched != 0 || s.Memberships != 0 || e.shared.Groups.Load() != 0 ||
		e.shared.Handshakes.Load() != 0 ||
		e.shared.Members.Keys() != 0 || e.shared.Addresses.Keys() != 0 || s.BacklogSessions != 0 || s.BacklogBytes != 0 {
		tb.Errorf("without sessions: %d groups, %d memberships, %d counted groups, %d handshakes, %d groups with a "+
			"quota, %d addresses, a backlog of %d bytes in %d",
			s.Groups, s.Memberships, e.shared.Groups.Load(), e.shared.Handshakes.Load(), e.shared.Members.Keys(),
			e.shared.Addresses.Keys(), s.BacklogBytes, s.BacklogSessions)
	}
}

// frame is one frame of a client: first is its first byte.
func frame(first byte, payload string) []byte {
	b := frameHeader(first, uint64(len(payload)))
	mask := b[len(b)-4:]
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i&3])
	}
	return b
}

// frameHeader is the header of a client's frame of n payload bytes.
func frameHeader(first byte, n uint64) []byte {
	b := []byte{first}
	switch {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), n)
	}
	return append(b, 0x12, 0x34, 0x56, 0x78)
}

const fin = 0x80

func textFrame(text string) []byte { return frame(fin|byte(ws.OpText), text) }

func closeFrame(code ws.StatusCode, reason string) []byte {
	return frame(fin|byte(ws.OpClose), string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

// wire is a WebSocket client that knows only bytes, and so can do what no
// library does. What returns an error may be called from any goroutine.
type wire struct {
	tb testing.TB
	c  net.Conn
	in *bufio.Reader

	socket net.Conn // c, or what is below its TLS
}

// connect makes a TCP or unix connection and sends nothing yet.
func connect(tb testing.TB, addr string) *wire {
	tb.Helper()
	return connectWith(tb, &net.Dialer{}, addr)
}

func connectWith(tb testing.TB, dialer *net.Dialer, addr string) *wire {
	tb.Helper()
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	c, err := dialer.DialContext(tb.Context(), network, addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	secured := c
	if overTLS {
		secured = clientTLS(tb, c)
	}
	return &wire{tb, secured, bufio.NewReader(secured), c}
}

// smallWindow is a dialer whose connections hold few unread bytes.
func smallWindow() *net.Dialer {
	return &net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		failed := raw.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
		})
		return errors.Join(err, failed)
	}}
}

// open connects and upgrades.
func open(tb testing.TB, addr string) *wire {
	tb.Helper()
	return openWith(tb, &net.Dialer{}, addr)
}

func openWith(tb testing.TB, dialer *net.Dialer, addr string) *wire {
	tb.Helper()
	w := connectWith(tb, dialer, addr)
	w.write([]byte(upgradeHead))
	w.upgraded()
	return w
}

// upgraded reads the response of the server and wants it to be 101.
func (w *wire) upgraded() {
	w.tb.Helper()
	if status, head := w.response(); status != 101 {
		w.tb.Fatalf("not upgraded: %s", head)
	}
}

// response reads the head of an HTTP response.
func (w *wire) response() (status int, head string) {
	w.tb.Helper()
	status, head, err := w.tryResponse()
	if err != nil {
		w.tb.Fatalf("response %q: %v", head, err)
	}
	return status, head
}

func (w *wire) tryResponse() (status int, head string, err error) {
	_ = w.c.SetReadDeadline(time.Now().Add(patience))
	for !strings.HasSuffix(head, "\r\n\r\n") {
		line, err := w.in.ReadString('\n')
		if head += line; err != nil {
			return 0, head, err
		}
	}
	_, err = fmt.Sscanf(head, "HTTP/1.1 %d ", &status)
	return status, head, err
}

func (w *wire) write(b []byte) {
	w.tb.Helper()
	if err := w.tryWrite(b); err != nil {
		w.tb.Fatal(err)
	}
}

func (w *wire) tryWrite(b []byte) error {
	_ = w.c.SetWriteDeadline(time.Now().Add(patience))
	_, err := w.c.Write(b)
	return err
}

// say sends one text message.
func (w *wire) say(format string, args ...any) {
	w.tb.Helper()
	w.write(textFrame(fmt.Sprintf(format, args...)))
}

// tryRead reads one frame.
func (w *wire) tryRead() (op ws.OpCode, payload string, err error) {
	_ = w.c.SetReadDeadline(time.Now().Add(patience))
	var head [2]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		return 0, "", err
	}
	if head[0]&0xf0 != fin || head[1]&0x80 != 0 {
		return 0, "", fmt.Errorf("frame header % x: not final, reserved bits or masked", head)
	}
	n := uint64(head[1])
	if n >= 126 {
		long := make([]byte, map[uint64]int{126: 2, 127: 8}[n])
		if _, err := io.ReadFull(w.in, long); err != nil {
			return 0, "", noEOF(err)
		}
		n = 0
		for _, c := range long {
			n = n<<8 | uint64(c)
		}
	}
	b := make([]byte, n)
	_, err = io.ReadFull(w.in, b)
	return ws.OpCode(head[0] & 0xf), string(b), noEOF(err)
}

// noEOF makes the end in the middle of a frame an error of its own.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// tryNext reads the next text message, past control frames but a close.
func (w *wire) tryNext() (string, error) {
	for {
		op, payload, err := w.tryRead()
		switch {
		case err != nil:
			return "", err
		case op == ws.OpText:
			return payload, nil
		case op == ws.OpClose:
			return "", fmt.Errorf("close frame %q", payload)
		}
	}
}

func (w *wire) next() string {
	w.tb.Helper()
	text, err := w.tryNext()
	if err != nil {
		w.tb.Fatal(err)
	}
	return text
}

// want reads these text messages.
func (w *wire) want(texts ...string) {
	w.tb.Helper()
	for _, text := range texts {
		if got := w.next(); got != text {
			w.tb.Fatalf("received %.200q, want %.200q", got, text)
		}
	}
}

// join joins each group and waits for the acks; nothing else may come before.
func (w *wire) join(groups ...string) {
	w.tb.Helper()
	for _, group := range groups {
		w.say(`{"cmd":"add_group","group_id":%q,"req_id":"join"}`, group)
		w.want(ackOf(`"join"`))
	}
}

// sync is answered after all that was said before, and wants nothing but that answer.
func (w *wire) sync() {
	w.tb.Helper()
	w.say(`{"cmd":"ping","req_id":"sync"}`)
	w.want(ackOf(`"sync"`))
}

func ackOf(reqID string) string { return `{"cmd":"ack","req_id":` + reqID + `}` }

// untilClose reads up to the close frame, and returns its code and reason and
// the text messages in front of it.
func (w *wire) untilClose() (code ws.StatusCode, reason string, texts []string) {
	w.tb.Helper()
	for {
		op, payload, err := w.tryRead()
		if err != nil {
			w.tb.Fatalf("after %d messages, waiting for a close frame: %v", len(texts), err)
		}
		switch op {
		case ws.OpText:
			texts = append(texts, payload)
		case ws.OpClose:
			if len(payload) < 2 {
				w.tb.Fatalf("close frame with payload %q", payload)
			}
			return ws.StatusCode(binary.BigEndian.Uint16([]byte(payload))), payload[2:], texts
		}
	}
}

// wantClose wants nothing but a close frame of that code, and then the end of
// what the server sends.
func (w *wire) wantClose(want ws.StatusCode) {
	w.tb.Helper()
	code, reason, texts := w.untilClose()
	if code != want || len(texts) > 0 {
		w.tb.Fatalf("closed with %d (%s) after %q, want %d", code, reason, texts, want)
	}
	w.wantEOF()
}

// wantEOF wants the orderly end of what the server sends.
func (w *wire) wantEOF() {
	w.tb.Helper()
	if op, payload, err := w.tryRead(); !errors.Is(err, io.EOF) {
		w.tb.Fatalf("opcode %d %q, error %v; want the end", op, payload, err)
	}
}

// reset ends the connection without any ceremony.
func (w *wire) reset() {
	_ = w.socket.(*net.TCPConn).SetLinger(0)
	_ = w.socket.Close()
}

// wantReset writes until the connection says that it has been reset.
func (w *wire) wantReset() {
	w.tb.Helper()
	var err error
	waitFor(w.tb, "a reset", func() bool {
		_, err = w.c.Write(frame(fin|byte(ws.OpPong), ""))
		return err != nil
	})
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		w.tb.Errorf("%v, want a reset", err)
	}
}

// syncBuffer is a log that may be written and read at once.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// connectPair hands e a connection past the door, as an acceptor does that has
// just looked at the limits.
func connectPair(tb testing.TB, e *Engine) *wire {
	tb.Helper()
	ln, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer ln.Close()
	w := connect(tb, ln.Addr().String())
	c, err := ln.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	e.shared.Conns.Add(1)
	e.shared.Handshakes.Add(1)
	if !e.shared.EnterAddress(c.RemoteAddr()) {
		tb.Fatal("no place for the address")
	}
	e.enrol(&Admission{Conn: c})
	return w
}

// onLoop runs f on r's goroutine and waits for it.
func onLoop(tb testing.TB, r *reactor.Reactor, f func()) {
	tb.Helper()
	done := make(chan struct{})
	if err := r.Do(func() { defer close(done); f() }); err != nil {
		tb.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(patience):
		tb.Fatal("the loop does not answer")
	}
}

// waitFor is what tests wait with.
var waitFor = wait.Until
