package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// FuzzStop gives the one request that has a body any body: a server stops only if
// it was told so in so many words, and only with a code that there is.
func FuzzStop(f *testing.F) {
	for _, body := range []string{
		`{}`, `{"graceful":true}`, `{"code":1012}`, `{"code":1000}`, `{"code":65536}`, `{"graceful":false,"code":1001}`,
		`{} {}`, `{"graceful":"no"}`, `[]`, ``, `null`, `{"Code":1001}`, strings.Repeat("[", 4096),
		strings.Repeat(" ", maxBodyBytes) + "{}",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p := &fake{}
		r := httptest.NewRequest(http.MethodPost, "/control/v1/stop", bytes.NewReader(body))
		w := httptest.NewRecorder()
		Handler(p.process(), nil).ServeHTTP(w, r)
		switch {
		case w.Code == http.StatusAccepted && len(p.stops) == 1 && (p.stops[0].Code == 1001 || p.stops[0].Code == 1012) &&
			len(body) <= maxBodyBytes:
		case (w.Code == http.StatusBadRequest || w.Code == http.StatusUnprocessableEntity) && len(p.stops) == 0:
		default:
			t.Errorf("%q: %d, stops %+v", body, w.Code, p.stops)
		}
	})
}

// pipeListener hands out what a test puts in.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// maxRequestAnswer is far more than this fake process ever has to say to one input.
const maxRequestAnswer = 4 << 20

// FuzzRequests gives the server any bytes, whole or in two parts: it answers what
// it answers within its bounds, and the next client is served.
func FuzzRequests(f *testing.F) {
	for _, raw := range []string{
		"GET /control/v1/info HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /control/v1/command HTTP/1.1\r\nHost: x\r\n\r\nGET /control/v1/info HTTP/1.0\r\n\r\n",
		"POST /control/v1/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
		"POST /control/v1/stop HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"POST /control/v1/reload HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
		"DELETE /control/v1/../%2e%2e HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /control/ HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 32<<10) + "\r\n\r\n",
		"\x00\x01", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		f.Add([]byte(raw), uint16(len(raw)/2))
	}
	p := &fake{}
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	s := Serve(l, Handler(p.process(), nil), slog.New(slog.DiscardHandler))
	f.Cleanup(func() { _ = s.Close() })
	f.Fuzz(func(t *testing.T, raw []byte, at uint16) {
		ours, theirs := net.Pipe()
		l.conns <- theirs
		written := make(chan struct{})
		go func() {
			defer close(written)
			cut := min(int(at), len(raw))
			for _, part := range [][]byte{raw[:cut], raw[cut:]} {
				if _, err := ours.Write(part); err != nil {
					return // refused: nobody reads the rest
				}
			}
			// A request that is in order, and the last: what was before it may have
			// swallowed it.
			_, _ = io.WriteString(ours, "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			_ = ours.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		}()
		answer, _ := io.ReadAll(io.LimitReader(ours, maxRequestAnswer+1)) // ends by the deadline or by the server
		_ = ours.Close()
		<-written
		if len(answer) > maxRequestAnswer {
			t.Errorf("%d bytes were answered", len(answer))
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, stop := range p.stops {
			if stop.Code != 1001 && stop.Code != 1012 {
				t.Errorf("stopped with %+v", stop)
			}
		}
		p.stops = p.stops[:0]
	})
}

// answering is a client whose server says exactly this to whatever it asks, and
// then nothing more. read counts what the client has taken.
func answering(answer io.Reader) (c *Client, read *atomic.Int64) {
	read = new(atomic.Int64)
	return newClient("fuzz", func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer ours.Close()
			if r, err := http.ReadRequest(bufio.NewReader(ours)); err != nil {
				return
			} else if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			chunk := make([]byte, 16<<10)
			for {
				n, err := answer.Read(chunk)
				sent, failed := ours.Write(chunk[:n])
				read.Add(int64(sent))
				if err != nil || failed != nil {
					return
				}
			}
		}()
		return theirs, nil
	}), read
}

// questions are all that a client asks.
var questions = []func(context.Context, *Client) error{
	func(ctx context.Context, c *Client) error { _, err := c.Info(ctx); return err },
	func(ctx context.Context, c *Client) error { _, err := c.Command(ctx); return err },
	func(ctx context.Context, c *Client) error { _, err := c.Stop(ctx, Stop{}); return err },
	func(ctx context.Context, c *Client) error { _, err := c.Reload(ctx); return err },
	func(ctx context.Context, c *Client) error { _, _, err := c.Status(ctx); return err },
	func(ctx context.Context, c *Client) error {
		page, _, err := c.Sessions(ctx, "", 3)
		if len(page) > 3 {
			return fmt.Errorf("TOO MANY: %d", len(page))
		}
		return err
	},
	func(ctx context.Context, c *Client) error { _, err := c.Publish(ctx, "g", []byte("m")); return err },
}

// FuzzAnswers has a client read any bytes as the answer to each of its questions.
func FuzzAnswers(f *testing.F) {
	const head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
	for i, body := range []string{
		`{"pid":4711,"listeners":[{"kind":"websocket","address":"x","state":"ok"}]}`,
		`{"args":["groupcast","start"],"env":["A=b"],"dir":"/","resources":{"open_files":18446744073709551615,"umask":18,"nice":-20,"cpus":[0]}}`,
		`{"pid":1,"drain_seconds":1e309}`,
		`{"changed":[{"flag":"--x"}],"need_restart":null,"problems":["\ud800"]}`,
		`{"reactors":[{"index":-1}],"started_at":"2026-11-23T00:00:00Z"}`,
		`{"sessions":[{"id":"0-1-2"},{},{},{}],"next":"0-1-2"}`,
		`{"order":18446744073709551615}`,
	} {
		f.Add(head+body, uint8(i))
		f.Add("HTTP/1.1 422 No\r\nContent-Length: 99\r\n\r\n"+body, uint8(i))
		f.Add("HTTP/1.1 307 Away\r\nLocation: /control/v1/stop\r\n\r\n"+body, uint8(i))
	}
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}", uint8(0))
	f.Add("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b", uint8(0))
	f.Add("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", uint8(0))
	f.Fuzz(func(t *testing.T, answer string, question uint8) {
		c, _ := answering(strings.NewReader(answer))
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		err := questions[int(question)%len(questions)](ctx, c)
		switch {
		case errors.Is(err, context.DeadlineExceeded) || err != nil && strings.Contains(err.Error(), "does not answer"):
			t.Errorf("it hangs: %v", err)
		case err != nil && strings.Contains(err.Error(), "TOO MANY"):
			t.Error(err)
		}
	})
}

// endless is a text that goes on for ever.
type endless struct {
	head string
	body string
}

func (e *endless) Read(p []byte) (n int, err error) {
	n = copy(p, e.head)
	e.head = e.head[n:]
	for n < len(p) {
		k := copy(p[n:], e.body)
		e.body = e.body[k:] + e.body[:k]
		n += k
	}
	return n, nil
}

// A client takes no more than its bounds of an answer that does not end.
func TestEndlessAnswers(t *testing.T) {
	const slack = 64 << 10 // buffers on the way
	for name, c := range map[string]struct{ head, body string }{
		"white space": {"HTTP/1.1 200 OK\r\n\r\n", " "},
		"sessions":    {"HTTP/1.1 200 OK\r\n\r\n{\"sessions\":[{}", ",{}"},
		"a number":    {"HTTP/1.1 200 OK\r\n\r\n", "1"},
		"brackets":    {"HTTP/1.1 200 OK\r\n\r\n", "["},
		"a problem":   {"HTTP/1.1 500 No\r\n\r\n{\"errors\":[{}", ",{}"},
		"headers":     {"HTTP/1.1 200 OK\r\n", "A: b\r\n"},
		"a header":    {"HTTP/1.1 200 OK\r\nA: ", "b"},
		"continue":    {"", "HTTP/1.1 100 Continue\r\n\r\n"},
	} {
		for i, ask := range questions {
			if i == 1 && name != "sessions" && name != "headers" {
				continue // sixteen times as long as the others
			}
			client, read := answering(&endless{c.head, c.body})
			err := ask(t.Context(), client)
			client.Close()
			limit := maxAnswerBytes
			if i == 1 { // Command
				limit = maxCommandBytes
			}
			if err == nil || read.Load() > int64(limit+slack) {
				t.Errorf("%s, question %d: %d bytes, %v", name, i, read.Load(), err)
			}
		}
	}
}
