package api

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
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"groupcast/loop"
)

// What clients do that mean harm, know no better, or vanish.

// Ten thousand requests at once on one connection are answered one after the
// other, in their order.
func TestPipelined(t *testing.T) {
	t.Parallel()
	const requests = 10_000
	w := start(t, nil)
	m := w.connect("g")
	c := w.raw("")
	var sending sync.WaitGroup
	sending.Go(func() {
		out := bufio.NewWriterSize(c, 32<<10)
		for i := range requests {
			text := fmt.Sprint(i)
			fmt.Fprintf(out, "POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: %s\r\n"+
				"Content-Length: %d\r\n\r\n%s", text, len(text), text)
		}
		if err := out.Flush(); err != nil {
			t.Error(err)
		}
	})
	sending.Go(func() {
		for i := range requests {
			if got, err := m.next(); err != nil || got != fmt.Sprint(i) {
				t.Errorf("message %d: %q, %v", i, got, err)
				return
			}
		}
	})
	in := bufio.NewReader(c)
	for i := range requests {
		a := w.answerOn(in, fmt.Sprint("request ", i))
		if id := a.header.Get("X-Request-Id"); a.status != 202 || id != fmt.Sprint(i) {
			t.Fatalf("request %d: %d for %s", i, a.status, id)
		}
	}
	sending.Wait()
}

// Heads that never end cost their own connection and nobody else anything.
func TestSlowHeads(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.server.ReadHeaderTimeout = 3 * time.Second })
	var slow []net.Conn
	for i := range 45 {
		slow = append(slow, w.raw("GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX: "[:i]))
	}
	w.do("GET", "/healthz", "").want(200)
	for _, c := range slow {
		// What net/http says before it closes, if anything, is not ours.
		if _, err := io.Copy(io.Discard, c); err != nil && isTimeout(err) {
			t.Fatal("a slow head is still waited for")
		}
	}
	w.do("GET", "/healthz", "").want(200)
	waitFor(t, "the connections are given back", func() bool { return w.api.Stats().Conns <= 1 })
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

func TestSlowBody(t *testing.T) {
	t.Parallel()
	w := start(t, func(s *setup) { s.server.ReadTimeout = time.Second })
	m := w.connect("g")
	c := w.raw("POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello")
	w.answerOn(bufio.NewReader(c), "slow body").wantCode(408, codeTooSlow)
	if _, err := c.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // a connection's end is this very value
		t.Errorf("the connection goes on: %v", err)
	}
	m.sync()
}

// A body that ends too soon is no message.
func TestCutBody(t *testing.T) {
	w := start(t, nil)
	m := w.connect("g")
	for _, text := range []string{
		"POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello",
		"POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nhello\r\n",
		"POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{\"groups\":[\"g\"],\"message\":\"x\"}",
	} {
		c := w.raw(text)
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		w.answerOn(bufio.NewReader(c), text).wantCode(400, codeCutOff)
		_ = c.Close()
		_ = w.raw(text).Close() // and without waiting for an answer
	}
	waitFor(t, "all are gone", func() bool { return w.api.Stats().InFlight == 0 })
	m.sync()
	if s := w.api.Stats(); s.PublishedItems.Load() != 0 {
		t.Errorf("%d published", s.PublishedItems.Load())
	}
}

// A body over the limit is refused from its announced length, before it is sent,
// or where it passes the limit.
func TestLargeBody(t *testing.T) {
	w := start(t, nil)
	m := w.connect("g")
	c := w.raw("POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65537\r\nExpect: " +
		"100-continue\r\n\r\n")
	w.answerOn(bufio.NewReader(c), "announced").wantCode(413, codeTooLarge)
	c = w.raw("POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9223372036854775807\r\n\r\n")
	w.answerOn(bufio.NewReader(c), "announced beyond all bounds").wantCode(413, codeTooLarge)
	c = w.raw("POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
	go func() { // until the server has enough
		chunk := fmt.Sprintf("1000\r\n%s\r\n", strings.Repeat("x", 0x1000))
		for {
			if _, err := io.WriteString(c, chunk); err != nil {
				return
			}
		}
	}()
	w.answerOn(bufio.NewReader(c), "without end").wantCode(413, codeTooLarge)
	_ = c.Close()
	m.sync()
}

// What net/http refuses by itself, it refuses in its own words.
func TestBadHeads(t *testing.T) {
	w := start(t, nil)
	for text, status := range map[string]int{
		"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n": 431,
		"GET /" + strings.Repeat("x", 32<<10) + " HTTP/1.1\r\n":                               431,
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n":                                        400,
		"GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n":                                        400,
		"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n":                501,
		"GET / HTTP/1.1\r\n\r\n":                                                              400,
	} {
		c := w.raw(text)
		if a := w.answerOn(bufio.NewReader(c), text[:10]); a.status != status {
			t.Errorf("%.40q: status %d, want %d", text, a.status, status)
		}
		_ = c.Close()
	}
	w.do("GET", "/healthz", "").want(200)
}

// failing is a listener that cannot accept until it is closed.
type failing struct {
	net.Listener

	left atomic.Int64 // failures
}

func (f *failing) Accept() (net.Conn, error) {
	if f.left.Add(-1) < 0 {
		return nil, net.ErrClosed
	}
	return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
}

// TestAcceptErrors: connections that cannot be accepted are counted.
func TestAcceptErrors(t *testing.T) {
	w := start(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := &failing{Listener: l}
	f.left.Store(3)
	if _, err := w.api.LimitConns(f).Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if n := w.api.Stats().AcceptErrors.Load(); n != 3 {
		t.Errorf("%d errors of accept counted, want 3", n)
	}
}

// More requests in flight than may be are refused, at exactly the limit; health is
// answered all the same.
func TestMaxInFlight(t *testing.T) {
	const limit = 3
	entered, release := make(chan struct{}, limit), make(chan struct{})
	f := &fake{publish: func(context.Context, loop.Publication) (uint64, error) {
		entered <- struct{}{}
		<-release
		return 7, nil
	}}
	a := fakeAPI(t, f, func(o *Options) { o.Limits.MaxInFlight, o.Metrics = limit, scraped(nil) })
	h := a.Handler(false)
	post := func() *answer { return ask(t, h, request("POST", "/v1/groups/g/messages", "x")) }
	var held sync.WaitGroup
	for range limit {
		held.Go(func() { post().want(202) })
		<-entered
	}
	post().wantCode(503, codeBusy)
	ask(t, h, request("GET", "/v1/status", "")).wantCode(503, codeBusy)
	ask(t, h, request("GET", "/healthz", "")).want(200)
	ask(t, h, request("GET", "/readyz", "")).wantCode(503, codeNotReady)
	ask(t, h, request("GET", "/metrics", "")).want(200)
	ask(t, h, request("GET", "/openapi.json", "")).want(200)
	if s := a.Stats(); s.InFlight != limit || s.Busy.Load() != 2 {
		t.Errorf("%d in flight, %d refused", s.InFlight, s.Busy.Load())
	}
	close(release)
	held.Wait()
	post().want(202)
	if s := a.Stats(); s.InFlight != 0 {
		t.Errorf("%d in flight", s.InFlight)
	}
}

// scraped are metrics that are told once wait has been read from, if it is not nil.
func scraped(wait chan struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if wait != nil {
			<-wait
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "up 1\n")
	})
}

// More scrapes at a time than may be are refused; they are no one else's trouble.
func TestMaxScrapes(t *testing.T) {
	wait := make(chan struct{})
	a := fakeAPI(t, &fake{}, func(o *Options) { o.Limits.MaxScrapes, o.Metrics = 2, scraped(wait) })
	h := a.Handler(false)
	var held sync.WaitGroup
	for range 2 {
		held.Go(func() { ask(t, h, request("GET", "/metrics", "")).want(200) })
	}
	waitFor(t, "both are being made", func() bool { return a.scrapes.now() == 2 })
	ask(t, h, request("GET", "/metrics", "")).wantCode(503, codeBusy)
	ask(t, h, request("POST", "/v1/groups/g/messages", "x")).want(202)
	close(wait)
	held.Wait()
	ask(t, h, request("GET", "/metrics", "")).want(200)
}

// Listings take turns; whose turn does not come in time is told so.
func TestMaxListings(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}, 9), make(chan struct{})
	f := &fake{groups: func(context.Context) ([]loop.GroupInfo, bool, error) {
		entered <- struct{}{}
		<-release
		return nil, false, nil
	}}
	a := fakeAPI(t, f, func(o *Options) { o.Limits.MaxListings, o.Limits.QueryTimeout = 1, time.Second })
	h := a.Handler(false)
	var first sync.WaitGroup
	first.Go(func() { ask(t, h, request("GET", "/v1/groups", "")).want(200) })
	<-entered
	ask(t, h, request("GET", "/v1/groups", "")).wantCode(503, codeBusy)
	ask(t, h, request("GET", "/v1/sessions", "")).wantCode(503, codeBusy)
	if s := a.Stats(); s.ListingsFull.Load() != 2 {
		t.Errorf("%d refused", s.ListingsFull.Load())
	}
	close(release)
	first.Wait()
	ask(t, h, request("GET", "/v1/sessions", "")).want(200)
}

// A ring that stays full: what is answered 202 arrives, what is answered 503
// does not.
func TestFullRing(t *testing.T) {
	t.Parallel()
	blocked, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	defer once.Do(func() { close(release) })
	w := start(t, func(s *setup) {
		s.loop.RingSlots = 1
		s.api.Limits.PublishTimeout = 200 * time.Millisecond
		s.loop.OnMessage = func(*loop.Session, ws.OpCode, []byte) {
			close(blocked)
			<-release
		}
	})
	m := w.connect()
	id := w.sessions()[0]
	w.do("PUT", "/v1/groups/g/members/"+id, "").want(204)
	w.connect().command("block this loop")
	<-blocked
	var want []string
	overloaded := 0
	for i := range 12 {
		text := fmt.Sprint("message ", i)
		a := w.do("POST", "/v1/groups/g/messages", text)
		if a.status == 503 {
			a.wantCode(503, codeOverloaded)
			overloaded++
			continue
		}
		a.want(202)
		want = append(want, text)
	}
	var results []struct{ Code string }
	w.post(`[{"groups":["g"],"message":"a"},{"groups":["g"],"message":"b"},{"groups":["g"],"message":"c"}]`).want(202).json(&results)
	for _, r := range results {
		if r.Code != codeOverloaded {
			t.Errorf("an item of a batch: %q", r.Code)
		}
	}
	if overloaded == 0 || len(want) == 0 {
		t.Errorf("%d overloaded, %d taken; want some of both", overloaded, len(want))
	}
	once.Do(func() { close(release) })
	for _, text := range want {
		m.want(text)
	}
	waitFor(t, "publishing works again",
		func() bool { return w.do("POST", "/v1/groups/g/messages", "the end").status == 202 })
	m.want("the end")
}

// Once a batch's time is over the engine is not asked any more: it could take an
// item that is answered as not published.
func TestBatchOutOfTime(t *testing.T) {
	t.Parallel()
	var published []string
	f := &fake{publish: func(ctx context.Context, p loop.Publication) (uint64, error) {
		published = append(published, string(p.Payload))
		<-ctx.Done()
		return 0, ctx.Err()
	}}
	a := fakeAPI(t, f, func(o *Options) { o.Limits.PublishTimeout = time.Second })
	got := ask(t, a.Handler(false), request("POST", "/v1/publish",
		`[{"groups":["g"],"message":"a"},{"groups":["g"],"message":"b"}]`)).want(202)
	var results []struct {
		Pending bool
		Code    string
		Status  int
	}
	got.json(&results)
	if len(results) != 2 || !results[0].Pending || results[1].Code != codeOverloaded || results[1].Status != 503 {
		t.Errorf("results %s", got.body)
	}
	if !slices.Equal(published, []string{"a"}) {
		t.Errorf("published %q", published)
	}
}

// A program that sends a whole request and leaves without reading the answer has
// published.
func TestClientGone(t *testing.T) {
	w := start(t, nil)
	m := w.connect("g")
	for i := range 50 {
		text := fmt.Sprintf("%02d", i)
		_ = w.raw("POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n" + text).Close()
		m.want(text)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	a := fakeAPI(t, &fake{publish: func(ctx context.Context, _ loop.Publication) (uint64, error) {
		return 3,
			ctx.Err()
	}}, nil)
	for path, body := range map[string]string{
		"/v1/groups/g/messages": "x",
		"/v1/publish":           `{"groups":["g"],"message":"x"}`,
	} {
		if got := ask(t, a.Handler(false), request("POST", path, body).WithContext(gone)); got.order() != 3 {
			t.Errorf("%s: %s", path, got.body)
		}
	}
}

// A loop that does not answer makes questions fail, in time and clearly, and the
// server not ready.
func TestStalledLoop(t *testing.T) {
	t.Parallel()
	blocked, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	defer once.Do(func() { close(release) })
	w := start(t, func(s *setup) {
		s.api.Limits.QueryTimeout = 200 * time.Millisecond
		s.api.Limits.StallAfter = 200 * time.Millisecond
		s.api.Monitor = &still{}
		s.loop.OnMessage = func(*loop.Session, ws.OpCode, []byte) {
			close(blocked)
			<-release
		}
	})
	w.connect().command("block this loop")
	<-blocked
	w.do("GET", "/v1/sessions", "").wantCode(503, codeStalled)
	w.do("GET", "/v1/groups", "").wantCode(503, codeStalled)
	w.do("GET", "/v1/groups/g", "").wantCode(503, codeStalled)
	w.do("GET", "/v1/status", "").want(200)
	w.do("GET", "/healthz", "").want(200)
	once.Do(func() { close(release) })
	waitFor(t, "the loop answers", func() bool { return w.do("GET", "/v1/sessions", "").status == 200 })
}

// A handler that panics costs its own request alone.
func TestPanic(t *testing.T) {
	f := &fake{publish: func(context.Context, loop.Publication) (uint64, error) { panic("on purpose") }}
	a := fakeAPI(t, f, nil)
	h := a.Handler(false)
	ask(t, h, request("POST", "/v1/groups/g/messages", "x")).wantCode(500, codeInternal)
	if s := a.Stats(); s.Panics.Load() != 1 || s.InFlight != 0 {
		t.Errorf("%d panics, %d in flight", s.Panics.Load(), s.InFlight)
	}
	ask(t, h, request("GET", "/healthz", "")).want(200)
}

// The answer cannot be written: that is no panic, and the log has the reason.
func TestAnswerNotWritten(t *testing.T) {
	var log bytes.Buffer
	a := fakeAPI(t, &fake{}, func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	a.Handler(false).ServeHTTP(deaf{make(http.Header)}, request("GET", "/v1/status", ""))
	if s := a.Stats(); s.Panics.Load() != 0 || !strings.Contains(log.String(), io.ErrClosedPipe.Error()) {
		t.Errorf("%d panics, logged %s", s.Panics.Load(), log.String())
	}
}

type deaf struct{ header http.Header }

func (d deaf) Header() http.Header       { return d.header }
func (d deaf) WriteHeader(int)           {}
func (d deaf) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
