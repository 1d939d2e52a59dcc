package loop

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// TestPlainRequests: what is not an upgrade is answered over HTTP, and then
// the server ends the connection.
func TestPlainRequests(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: localhost\r\n"
	_, addr := start(t, nil)
	other := open(t, addr)
	for _, test := range []struct {
		name, request string
		status        int
		head, body    string // parts of the answer
	}{
		{"healthz", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "Content-Length: 3", "ok\n"},
		{"healthz by HEAD", "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "Content-Length: 3", ""},
		{"healthz with what follows", "GET /healthz HTTP/1.0\r\n\r\nGET / HTTP/1.1\r\n", 200, "Connection: close", "ok\n"},
		{"page", get + "Accept: text/html\r\n\r\n", 200, "Content-Security-Policy: default-src 'none'", "WebSocket(location"},
		{"page by HEAD", "HEAD" + get[3:] + "Accept: text/html\r\n\r\n", 200, "Cache-Control: no-store", ""},
		{"its icon", "GET /favicon.ico HTTP/1.1\r\nHost: localhost\r\n\r\n", 204, "Connection: close", ""},
		{"no page for programs", get + "Accept: */*\r\n\r\n", 426, "Upgrade: websocket", "ws://"},
		{"post", "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody", 426, "Upgrade: websocket", "ws://"},
		{"version 8", strings.Replace(upgradeHead, "Version: 13", "Version: 8", 1), 426, "Sec-WebSocket-Version: 13", ""},
		{"no key", strings.Replace(upgradeHead, "Sec-WebSocket-Key", "X-Key", 1), 400, "", "Key"},
		{"no host", strings.Replace(upgradeHead, "Host", "X-Host", 1), 400, "", ""},
		{"garbage", "\x16\x03\x01\x00\x00\r\n\r\n", 400, "", ""},
		{"empty lines", "\r\n\r\n", 400, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := connect(t, addr)
			w.write([]byte(test.request))
			status, head := w.response()
			if status != test.status || !strings.Contains(head, test.head) {
				t.Errorf("answered %s", head)
			}
			body, err := io.ReadAll(w.in)
			empty := strings.HasPrefix(test.request, "HEAD") || test.status == 204
			if err != nil || !strings.Contains(string(body), test.body) || empty && len(body) > 0 {
				t.Errorf("body %q, error %v", body, err)
			}
		})
	}
	other.sync()
}

// pieces are ways in which bytes may arrive.
var pieces = []struct {
	name string
	size int
}{
	{"at once", 1 << 20},
	{"in sevens", 7},
	{"byte by byte", 1},
}

// TestPipelinedFrames: frames may follow the head in the same segment, and
// everything may come in pieces of any size.
func TestPipelinedFrames(t *testing.T) {
	_, addr := start(t, nil)
	for _, p := range pieces {
		t.Run(p.name, func(t *testing.T) {
			w := connect(t, addr)
			b := []byte(upgradeHead)
			b = append(b, textFrame(`{"cmd":"add_group","group_id":"g"}`)...)
			b = append(b, frame(byte(ws.OpText), `{"cmd":"send_to_`)...)
			b = append(b, frame(fin|byte(ws.OpPing), "first")...)
			b = append(b, frame(byte(ws.OpContinuation), `group","group_id":"g",`)...)
			b = append(b, frame(byte(ws.OpContinuation), "")...)
			b = append(b, frame(fin|byte(ws.OpPing), strings.Repeat("p", 125))...)
			b = append(b, frame(fin|byte(ws.OpContinuation), `"message":"äöü"}`)...)
			b = append(b, frame(fin|byte(ws.OpBinary), `{"cmd":"send_to_group","group_id":"g","message":"`+strings.Repeat("x",
				300)+`"}`)...)
			b = append(b, closeFrame(4321, "bye")...)
			go func() {
				for piece := range slices.Chunk(b, p.size) {
					_ = w.tryWrite(piece)
				}
			}()
			w.upgraded()
			for _, want := range []string{"first", strings.Repeat("p", 125)} {
				if op, payload, err := w.tryRead(); op != ws.OpPong || payload != want {
					t.Fatalf("opcode %d %q, error %v; want pong %q", op, payload, err, want)
				}
			}
			// The close may be answered before the messages have gone round.
			code, _, texts := w.untilClose()
			if code != 4321 {
				t.Errorf("close code %d", code)
			}
			for i, want := range []string{"äöü", strings.Repeat("x", 300)}[:len(texts)] {
				if texts[i] != want {
					t.Errorf("received %q, want %q", texts[i], want)
				}
			}
			w.wantEOF()
		})
	}
}

// TestOneSegmentOfThousands: many small frames in one write, behind the head.
func TestOneSegmentOfThousands(t *testing.T) {
	const n = 5000
	for _, loops := range []int{1, 2} {
		_, addr := start(t, func(o *Options) { o.Loops = loops })
		w := connect(t, addr)
		b := []byte(upgradeHead)
		b = append(b, textFrame(`{"cmd":"add_group","group_id":"g","req_id":"j"}`)...)
		for i := range n {
			b = append(b, textFrame(fmt.Sprintf(`{"cmd":"send_to_group","group_id":"g","message":%d,"req_id":%d}`, i, i))...)
		}
		go func() { _ = w.tryWrite(b) }()
		w.upgraded()
		w.want(ackOf(`"j"`))
		message, ack := 0, 0
		for message < n || ack < n {
			switch text := w.next(); text {
			case fmt.Sprint(message):
				message++
			case ackOf(fmt.Sprint(ack)):
				if ack++; ack > message {
					t.Fatalf("ack of %d before its message", ack-1)
				}
			default:
				t.Fatalf("received %q at message %d, ack %d", text, message, ack)
			}
		}
	}
}

// headOf is an upgrade whose head is exactly n bytes.
func headOf(n int) string {
	const field = "X-Pad: "
	pad := n - len(upgradeHead) - len(field) - len("\r\n")
	return upgradeHead[:len(upgradeHead)-2] + field + strings.Repeat("x", pad) + "\r\n\r\n"
}

// TestHeadLimit is at the edge of MaxHeadBytes.
func TestHeadLimit(t *testing.T) {
	const limit = 1000
	e, addr := start(t, func(o *Options) { o.MaxHeadBytes = limit })
	for _, p := range pieces {
		for _, test := range []struct {
			name, head string
			status     int
		}{
			{"n", headOf(limit) + string(textFrame(`{"cmd":"ping"}`)), 101},
			{"n+1", headOf(limit + 1), 431},
			{"n+1 without an end", headOf(2 * limit)[:limit+1], 431},
			{"endless line", strings.Repeat("x", limit+1), 431},
		} {
			t.Run(p.name+"/"+test.name, func(t *testing.T) {
				w := connect(t, addr)
				go func() {
					for piece := range slices.Chunk([]byte(test.head), p.size) {
						_ = w.tryWrite(piece)
					}
				}()
				if status, _ := w.response(); status != test.status {
					t.Fatalf("status %d, want %d", status, test.status)
				}
				if test.status == 101 {
					w.want(`{"cmd":"ack"}`)
				} else if _, err := io.Copy(io.Discard, w.in); err != nil {
					t.Errorf("after the answer: %v", err)
				}
			})
		}
	}
	w := connect(t, addr)
	w.write([]byte(headOf(2 * limit)[:limit])) // may still end in time
	waitFor(t, "it is waited for", func() bool {
		s, err := e.Stats(t.Context())
		return err == nil && s.Conns == 1 && s.Handshakes == 1
	})
	if s := sum(t, e); s.Sessions != 0 {
		t.Errorf("%d sessions, and none is upgraded", s.Sessions)
	}
}

// TestHandshakeTimeout: neither silence nor a byte now and then buys time.
func TestHandshakeTimeout(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.HandshakeTimeout = 150 * time.Millisecond })
	stays := open(t, addr)
	silent, slow := connect(t, addr), connect(t, addr)
	slow.write([]byte("GET / HTTP/1.1\r\nX: "))
	waitFor(t, "the slow one is cut off", func() bool {
		_, err := slow.c.Write([]byte("x"))
		return err != nil
	})
	_ = silent.c.SetReadDeadline(time.Now().Add(patience))
	if n, err := silent.c.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("%d bytes, error %v; want the end", n, err)
	}
	waitStats(t, e, "both are gone", func(s ReactorStats) bool { return s.Sessions == 1 && s.HandshakeExpired == 2 })
	if n := e.shared.Handshakes.Load(); n != 0 {
		t.Errorf("%d handshakes are counted", n)
	}
	stays.sync() // an upgraded session has no such deadline
}

// TestSlowPageReader: a browser that takes neither the page nor its end has the close
// handshake's time, as all have that are answered.
func TestSlowPageReader(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.CloseTimeout, o.CloseLimit = 150*time.Millisecond, 150*time.Millisecond })
	connect(t, addr).write([]byte("GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n"))
	waitStats(t, e, "it is gone", func(s ReactorStats) bool { return s.Resets == 1 })
	if n := listed(t, e); n != 0 {
		t.Errorf("%d connections", n)
	}
}

// TestSlowHeadsCostNobody: a hundred unfinished heads, and the others work.
func TestSlowHeadsCostNobody(t *testing.T) {
	_, addr := start(t, nil)
	for i := range 100 {
		connect(t, addr).write([]byte(upgradeHead[:1+i]))
	}
	a, b := open(t, addr), open(t, addr)
	a.join("g")
	b.say(`{"cmd":"send_to_group","group_id":"g","message":"hello"}`)
	a.want("hello")
}
