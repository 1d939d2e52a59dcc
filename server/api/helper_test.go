package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"

	"groupcast/loop"
	"groupcast/loop/wait"
	"groupcast/server/monitor"
	details "groupcast/server/problem"
)

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

// waitFor is what tests wait with.
var waitFor = wait.Until

// world is a real engine with a WebSocket listener, and an API before it.
type world struct {
	t      *testing.T
	engine *loop.Engine
	api    *API
	http   string // host:port of the API
	ws     string // and of the loops
	client *http.Client
}

// setup is what a test may change before its world starts.
type setup struct {
	loop   loop.Options
	api    Options
	server ServerOptions
	token  bool // the listener wants one
}

func start(t *testing.T, change func(*setup)) *world {
	t.Helper()
	s := setup{loop: loop.DefaultOptions(), server: DefaultServerOptions()}
	s.loop.Loops = 2
	s.loop.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	s.api.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	s.api.Limits = DefaultLimits()
	// Nothing that a test expects to come must be in a hurry.
	s.api.Limits.PublishTimeout, s.api.Limits.QueryTimeout = maxTimeout, maxTimeout
	s.server.ReadHeaderTimeout, s.server.ReadTimeout = patience, patience
	if change != nil {
		change(&s)
	}
	w := &world{t: t}
	var err error
	if w.engine, err = loop.New(s.loop); err != nil {
		t.Fatal(err)
	}
	listener := listen(t)
	w.ws = listener.Addr().String()
	var serving sync.WaitGroup
	serving.Go(func() { _ = w.engine.Serve(listener) }) // until it is closed
	s.api.Engine = w.engine
	if s.api.Monitor == nil {
		s.api.Monitor = sampler{w.engine}
	}
	if w.api, err = New(s.api); err != nil {
		t.Fatal(err)
	}
	door := listen(t)
	w.http = door.Addr().String()
	s.server.Logger = s.api.Logger
	server := NewHTTPServer(w.api.Handler(s.token), s.server)
	serving.Go(func() { _ = server.Serve(w.api.LimitConns(door)) })
	w.client = &http.Client{Transport: new(http.Transport), Timeout: patience}
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		_ = server.Close()
		_ = listener.Close()
		if err := w.engine.Close(); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
	return w
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// sampler is a monitor whose sample is always fresh.
type sampler struct{ engine *loop.Engine }

func (s sampler) Stats() loop.Stats {
	stats, _ := s.engine.Stats(context.Background())
	return stats
}

func (s sampler) Status() monitor.Status {
	stats := s.Stats()
	return monitor.Status{Version: "test", State: "ok", Connections: stats.Conns, Order: stats.Order, TakenAt: stats.Taken}
}

// History is one that has happened.
func (s sampler) History() monitor.History { return aHistory(s.Stats().Taken) }

func aHistory(at time.Time) monitor.History {
	return monitor.History{
		EverySeconds: 1,
		Samples: monitor.Samples{
			AtMillis: []int64{at.UnixMilli()}, Sessions: []int{1}, MessagesPerSecond: []float64{2},
			DeliveriesPerSecond: []float64{4},
			LatencyP50:          []float64{0.001}, LatencyP99: []float64{0.002},
			BacklogBytes: []int{5}, ResidentBytes: []int64{6},
			CPUs: []float64{0.5},
		},
		Events: []monitor.Event{{Kind: monitor.EventRefused, Cause: "handshakes", From: at, To: at, Count: 3}},
	}
}

// answer is a response, read.
type answer struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   string
}

// do sends a request; headers are "Name: value".
func (w *world) do(method, path, body string, headers ...string) *answer {
	w.t.Helper()
	a, err := w.try(method, path, strings.NewReader(body), headers...)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func (w *world) try(method, path string, body io.Reader, headers ...string) (*answer, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, "http://"+w.http+path, body)
	if err != nil {
		return nil, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	response, err := w.client.Do(r) //nolint:bodyclose // read closes it
	if err != nil {
		return nil, err
	}
	a, err := read(w.t, method+" "+path, response)
	if err == nil {
		a.asDescribed(r)
	}
	return a, err
}

func read(t *testing.T, what string, response *http.Response) (*answer, error) {
	t.Helper()
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return &answer{t, what, response.StatusCode, response.Header, string(text)}, err
}

// post sends a publication or a batch.
func (w *world) post(body string) *answer {
	w.t.Helper()
	return w.do("POST", "/v1/publish", body, "Content-Type: application/json")
}

// want checks the status, and that errors are problems.
func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Errorf("%s: status %d, want %d: %s", a.what, a.status, status, a.body)
	}
	if a.status >= 400 {
		a.problem()
	}
	return a
}

// wantCode checks a problem.
func (a *answer) wantCode(status int, code string) *answer {
	a.t.Helper()
	a.want(status)
	if p := a.problem(); p.Code != code {
		a.t.Errorf("%s: code %q, want %q: %s", a.what, p.Code, code, a.body)
	}
	return a
}

// problem checks RFC 9457's form.
func (a *answer) problem() problem {
	a.t.Helper()
	var p problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		a.t.Fatalf("%s: no problem details: %v: %s", a.what, err, a.body)
	}
	if got := a.header.Get("Content-Type"); got != details.MediaType {
		a.t.Errorf("%s: Content-Type %q", a.what, got)
	}
	if p.Status != a.status || p.Title == "" || p.Code == "" || p.Detail == "" ||
		p.RequestID != a.header.Get("X-Request-Id") {
		a.t.Errorf("%s: %d with an incomplete problem %s", a.what, a.status, a.body)
	}
	if (a.status == 503) != (a.header.Get("Retry-After") != "") {
		a.t.Errorf("%s: Retry-After %q with %d", a.what, a.header.Get("Retry-After"), a.status)
	}
	return p
}

// json reads the body.
func (a *answer) json(v any) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		a.t.Fatalf("%s: %v: %s", a.what, err, a.body)
	}
}

// order is that of an accepted publication.
func (a *answer) order() uint64 {
	a.t.Helper()
	a.want(202)
	var result accepted
	a.json(&result)
	if result.Order == 0 {
		a.t.Errorf("%s: no order in %s", a.what, a.body)
	}
	return result.Order
}

// raw sends bytes on a connection of its own and returns it.
func (w *world) raw(text string) net.Conn {
	w.t.Helper()
	c, err := new(net.Dialer).DialContext(w.t.Context(), "tcp", w.http)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// answerOn reads one response from a connection.
func (w *world) answerOn(r *bufio.Reader, what string) *answer {
	w.t.Helper()
	response, err := http.ReadResponse(r, nil) //nolint:bodyclose // read closes it
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
	a, err := read(w.t, what, response)
	if err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
	return a
}

// member is a WebSocket session of a test.
type member struct {
	t    *testing.T
	conn *websocket.Conn
}

func (w *world) connect(groups ...string) *member {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	transport := new(http.Transport)
	conn, response, err := websocket.Dial(ctx, "ws://"+w.ws+"/",
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if response != nil && response.Body != nil {
		defer func() { _ = response.Body.Close() }()
	}
	transport.CloseIdleConnections()
	if err != nil {
		w.t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	w.t.Cleanup(func() { _ = conn.CloseNow() })
	m := &member{w.t, conn}
	for _, g := range groups {
		quoted, err := json.Marshal(g)
		if err != nil {
			w.t.Fatal(err)
		}
		m.command(`{"cmd":"add_group","group_id":` + string(quoted) + `,"req_id":1}`)
		m.want(`{"cmd":"ack","req_id":1}`)
	}
	return m
}

func (m *member) command(text string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := m.conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		m.t.Fatal(err)
	}
}

func (m *member) next() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, data, err := m.conn.Read(ctx)
	return string(data), err
}

func (m *member) want(texts ...string) {
	m.t.Helper()
	for _, text := range texts {
		if got, err := m.next(); err != nil || got != text {
			m.t.Fatalf("got %.200q, %v; want %.200q", got, err, text)
		}
	}
}

// sync shows that nothing else has come.
func (m *member) sync() {
	m.t.Helper()
	m.command(`{"cmd":"ping","req_id":"sync"}`)
	m.want(`{"cmd":"ack","req_id":"sync"}`)
}

// sessions are the ids of all sessions, in order.
func (w *world) sessions() (ids []string) {
	w.t.Helper()
	var page sessionsPage
	w.do("GET", "/v1/sessions?limit=1000", "").want(200).json(&page)
	for _, s := range page.Sessions {
		ids = append(ids, s.ID)
	}
	return ids
}

// fake is an engine that answers as it is told. What it is not told to answer
// answers nothing.
type fake struct {
	publish  func(ctx context.Context, p loop.Publication) (uint64, error)
	groups   func(ctx context.Context) ([]loop.GroupInfo, bool, error)
	question error // of all the others
	limit    int   // of the last listing of groups
	code     ws.StatusCode
}

func (f *fake) PublishAll(ctx context.Context, p loop.Publication) (uint64, error) {
	if f.publish == nil {
		return 1, nil
	}
	return f.publish(ctx, p)
}

func (f *fake) Sessions(context.Context, loop.SessionID, int) ([]loop.SessionInfo, loop.SessionID, error) {
	return nil, loop.SessionID{}, f.question
}

func (f *fake) Members(context.Context, string, loop.SessionID, int) ([]loop.SessionInfo, loop.SessionID, error) {
	return nil, loop.SessionID{}, f.question
}

func (f *fake) UserSessions(context.Context, string, loop.SessionID, int) ([]loop.SessionInfo, loop.SessionID, error) {
	return nil, loop.SessionID{}, f.question
}

func (f *fake) CloseUser(_ context.Context, _ string, code ws.StatusCode, _ string) (int, error) {
	f.code = code
	return 0, f.question
}

func (f *fake) Session(context.Context, loop.SessionID) (loop.SessionInfo, error) {
	return loop.SessionInfo{}, f.question
}

func (f *fake) CloseSession(_ context.Context, _ loop.SessionID, code ws.StatusCode, _ string) error {
	f.code = code
	return f.question
}
func (f *fake) Join(context.Context, string, loop.SessionID) error  { return f.question }
func (f *fake) WaitCovered(context.Context, string) bool            { return true }
func (f *fake) Leave(context.Context, string, loop.SessionID) error { return f.question }

func (f *fake) Groups(ctx context.Context, _, _ string, limit int) ([]loop.GroupInfo, bool, error) {
	if f.groups == nil {
		f.limit = limit
		return nil, false, f.question
	}
	return f.groups(ctx)
}

func (f *fake) Group(context.Context, string) (loop.GroupInfo, error) {
	return loop.GroupInfo{}, f.question
}
func (f *fake) Dissolve(context.Context, string) (int, error) { return 0, f.question }

// still is a monitor whose sample is what it is.
type still struct{ stats loop.Stats }

func (s *still) Stats() loop.Stats      { return s.stats }
func (s *still) Status() monitor.Status { return monitor.Status{} }

func (s *still) History() monitor.History { return aHistory(s.stats.Taken) }

// ready is a monitor that has just heard of the loops.
type ready struct{}

func (ready) Stats() loop.Stats      { return loop.Stats{Taken: time.Now()} }
func (ready) Status() monitor.Status { return monitor.Status{} }

func (ready) History() monitor.History { return aHistory(time.Now()) }

// fakeAPI is an API before a fake engine.
func fakeAPI(t *testing.T, f *fake, change func(*Options)) *API {
	t.Helper()
	o := Options{
		Engine: f, Monitor: &still{}, Limits: DefaultLimits(),
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if change != nil {
		change(&o)
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ask has a handler answer without a connection.
func ask(t *testing.T, h http.Handler, r *http.Request) *answer {
	t.Helper()
	out := &memory{header: make(http.Header)}
	h.ServeHTTP(out, r)
	a := &answer{t, r.Method + " " + r.URL.String(), out.status, out.header, out.body.String()}
	a.asDescribed(r)
	return a
}

// memory is a response that is kept.
type memory struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (m *memory) Header() http.Header    { return m.header }
func (m *memory) WriteHeader(status int) { m.status = status }

func (m *memory) Write(b []byte) (int, error) {
	if m.body.Len() == 0 && m.status == 0 {
		m.status = http.StatusOK
	}
	return m.body.Write(b)
}

func request(method, target, body string, headers ...string) *http.Request {
	r, err := http.NewRequestWithContext(context.Background(), method, "http://127.0.0.1:1235"+target,
		strings.NewReader(body))
	if err != nil {
		panic(fmt.Sprint(method, " ", target, ": ", err))
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Add(name, value)
	}
	return r
}
