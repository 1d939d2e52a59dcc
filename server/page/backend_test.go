package page

import (
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"groupcast/loop"
	"groupcast/server/monitor"
)

// backend is an API as the page sees it: its status changes with every question.
type backend struct {
	url string

	mu        sync.Mutex
	status    monitor.Status
	past      []monitor.Status // as they were, the oldest first
	events    []monitor.Event  // newest first
	asked     int
	token     string                // wanted, if not empty
	gone      bool                  // connections are cut without an answer
	frozen    bool                  // the status stays as it is
	held      bool                  // a status is answered 503
	steady    bool                  // it is sampled each second, asked or not
	idle      bool                  // nobody is there
	backlog   int                   // a loop's, in bytes
	fixed     func(*monitor.Status) // changes each status, where it is not nil
	published []publication
}

// publication is a request to publish, as it came.
type publication struct{ path, body, authorization, origin string }

// startBackend serves the page before a status that lists websocket.
func startBackend(t *testing.T, websocket string) *backend {
	t.Helper()
	b := &backend{status: sampleStatus(websocket), backlog: 40_000}
	b.lived(5)
	mux := http.NewServeMux()
	mux.Handle("/", Handler())
	mux.HandleFunc("GET /v1/status", b.answerStatus)
	mux.HandleFunc("GET /v1/history", b.answerHistory)
	mux.HandleFunc("POST /v1/", b.publish)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.isGone() {
			panic(http.ErrAbortHandler) // cuts the connection
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func sampleStatus(websocket string) monitor.Status {
	s := monitor.Status{
		Version: "1.2.3", Go: "go1.26.0", PID: 4711, Host: "push-1", CPUs: 4, State: monitor.StateOK,
		StartedAt: time.Now().Add(-27 * time.Hour), Load: [3]float64{0.5, 0.25, 0.1},
		ResidentBytes: 123 << 20, CPUSeconds: 4711, MaxConnections: 19488, Accepted: 40123, Refused: 7, Closed: 30001,
		Listeners: []monitor.Listener{
			{Kind: monitor.KindWebSocket, Address: websocket, State: monitor.ListenerOK},
			{Kind: monitor.KindWebSocket, Address: "unix:/run/groupcast/groupcast.sock", State: monitor.ListenerOK},
			{Kind: monitor.KindAPI, Address: "127.0.0.1:1235", State: monitor.ListenerOK},
			{Kind: monitor.KindChannel, Address: "127.0.0.1:2206", State: monitor.ListenerClosed},
		},
		TopGroups: []monitor.Group{
			{Name: "lobby", Members: 8123},
			{Name: "news/today", Members: 512},
			{Name: "Straße 7", Members: 41},
		},
	}
	for i := range 4 {
		s.Reactors = append(s.Reactors, monitor.Reactor{Index: i, State: monitor.StateOK})
	}
	return s
}

// lived gives b a history of so many seconds.
func (b *backend) lived(seconds int) {
	now := time.Now()
	b.past = nil
	for ago := seconds; ago > 0; ago-- {
		b.tick(now.Add(-time.Duration(ago) * time.Second))
	}
}

// catchUp takes the samples of the seconds in which nothing was asked.
func (b *backend) catchUp() {
	for b.steady && time.Since(b.status.TakenAt) > 2*time.Second {
		b.tick(b.status.TakenAt.Add(time.Second))
	}
}

// tick changes all numbers, as a second of life does.
func (b *backend) tick(now time.Time) {
	b.asked++
	s := &b.status
	wave := b.wave()
	s.TakenAt = now
	s.CPUSeconds += 0.4 + 0.8*wave
	s.ResidentBytes = 123<<20 + int64(wave*4e6)
	s.UptimeSeconds = s.TakenAt.Sub(s.StartedAt).Seconds()
	if !b.idle {
		s.Order += 120
	}
	s.Total = monitor.Reactor{Index: -1, State: s.State}
	for i := range s.Reactors {
		r := &s.Reactors[i]
		r.Sessions = 2500 + 10*b.asked + i
		if b.idle {
			*r = monitor.Reactor{Index: i, State: r.State}
			continue
		}
		r.Groups, r.Memberships = 100+i, 2600+i
		r.Busy = 0.1 + 0.15*float64(i) + 0.2*wave
		r.DeliveriesPerSecond = 12000 + 9000*wave + float64(100*i)
		r.Deliveries += uint64(r.DeliveriesPerSecond)
		r.BytesOutPerSecond, r.BytesInPerSecond = 90*r.DeliveriesPerSecond, 4096
		r.RingDepth = b.asked % 5
		r.BacklogBytes, r.BacklogSessions = int(wave*float64(b.backlog*i)), min(i, b.backlog)
		r.LatencyP50, r.LatencyP99 = 0.0003+0.0001*wave, 0.0011+0.002*wave
		t := &s.Total
		t.Sessions += r.Sessions
		t.Groups += r.Groups
		t.Memberships += r.Memberships
		t.Busy += r.Busy / float64(len(s.Reactors))
		t.DeliveriesPerSecond += r.DeliveriesPerSecond
		t.Deliveries += r.Deliveries
		t.BytesOutPerSecond += r.BytesOutPerSecond
		t.BytesInPerSecond += r.BytesInPerSecond
		t.RingDepth += r.RingDepth
		t.BacklogBytes += r.BacklogBytes
		t.BacklogSessions += r.BacklogSessions
		t.LatencyP50, t.LatencyP99 = r.LatencyP50, r.LatencyP99
	}
	s.Total.Messages = s.Order
	if !b.idle {
		s.Total.MessagesPerSecond = 120
	}
	if b.fixed != nil {
		b.fixed(s)
	}
	s.Connections = s.Total.Sessions
	b.past = append(b.past, *s)
	if n := len(b.past) - monitor.HistorySamples; n > 0 {
		b.past = b.past[n:]
	}
}

// wave is between 0 and 1, and changes with the seconds.
func (b *backend) wave() float64 { return 0.5 + 0.5*math.Sin(float64(b.asked)/7) }

func (b *backend) answerHistory(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.admit(w, r) {
		return
	}
	b.catchUp()
	h := monitor.History{EverySeconds: 1, Events: append([]monitor.Event{}, b.events...)}
	for i := range b.past {
		s := &b.past[i]
		h.Samples.AtMillis = append(h.Samples.AtMillis, s.TakenAt.UnixMilli())
		h.Samples.Sessions = append(h.Samples.Sessions, s.Total.Sessions)
		h.Samples.MessagesPerSecond = append(h.Samples.MessagesPerSecond, s.Total.MessagesPerSecond)
		h.Samples.DeliveriesPerSecond = append(h.Samples.DeliveriesPerSecond, s.Total.DeliveriesPerSecond)
		h.Samples.LatencyP50 = append(h.Samples.LatencyP50, s.Total.LatencyP50)
		h.Samples.LatencyP99 = append(h.Samples.LatencyP99, s.Total.LatencyP99)
		h.Samples.BacklogBytes = append(h.Samples.BacklogBytes, s.Total.BacklogBytes)
		h.Samples.ResidentBytes = append(h.Samples.ResidentBytes, s.ResidentBytes)
		h.Samples.CPUs = append(h.Samples.CPUs, 0.4+0.1*float64(i%9))
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(h) // the tests see what did not come
}

// happen adds an event of that many seconds ago.
func (b *backend) happen(kind, cause string, count uint64, ago, lasted time.Duration) {
	at := time.Now().Add(-ago)
	b.events = append(b.events, monitor.Event{Kind: kind, Cause: cause, From: at, To: at.Add(lasted), Count: count})
	slices.SortStableFunc(b.events, func(a, b monitor.Event) int { return b.To.Compare(a.To) })
}

// change does something to b between two answers.
func (b *backend) change(f func(*backend)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b)
}

func (b *backend) isGone() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gone
}

func (b *backend) isHeld() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

func (b *backend) answerStatus(w http.ResponseWriter, r *http.Request) {
	if b.isHeld() {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"title":"Service Unavailable","detail":"not now"}`))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.admit(w, r) {
		return
	}
	if !b.frozen {
		b.catchUp()
		b.tick(time.Now())
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(b.status) // the tests see what did not come
}

func (b *backend) admit(w http.ResponseWriter, r *http.Request) bool {
	if b.token == "" || r.Header.Get("Authorization") == "Bearer "+b.token {
		return true
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte(`{"title":"Unauthorized","detail":"wants a token"}`))
	return false
}

func (b *backend) publish(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.admit(w, r) {
		return
	}
	var body strings.Builder
	_, _ = io.Copy(&body, http.MaxBytesReader(w, r.Body, 1<<20))
	b.published = append(b.published, publication{
		r.URL.EscapedPath(), body.String(), r.Header.Get("Authorization"),
		r.Header.Get("Origin"),
	})
	if strings.Contains(body.String(), "refuse ") {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = w.Write([]byte(`{"title":"Too large","detail":"<b>over the limit</b>"}`))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write([]byte(`{"order":1234}`))
}

func (b *backend) publications() []publication {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]publication(nil), b.published...)
}

// startEngine is a real engine with a WebSocket listener.
func startEngine(t *testing.T) (engine *loop.Engine, addr string) {
	t.Helper()
	o := loop.DefaultOptions()
	o.Loops = 2
	o.Logger = slog.New(slog.DiscardHandler)
	engine, err := loop.New(o)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = engine.Serve(listener) }) // until it is closed
	t.Cleanup(func() {
		_ = listener.Close()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
	return engine, listener.Addr().String()
}
