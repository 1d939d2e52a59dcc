package page

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
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
	asked     int
	token     string // wanted, if not empty
	gone      bool   // connections are cut without an answer
	frozen    bool   // the status stays as it is
	published []publication
}

// publication is a request to publish, as it came.
type publication struct{ path, body, authorization, origin string }

// startBackend serves the page before a status that lists websocket.
func startBackend(t *testing.T, websocket string) *backend {
	t.Helper()
	b := &backend{status: sampleStatus(websocket)}
	mux := http.NewServeMux()
	mux.Handle("/", Handler())
	mux.HandleFunc("GET /v1/status", b.answerStatus)
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
		TopGroups: []monitor.Group{{Name: "lobby", Members: 8123}, {Name: "news/today", Members: 512}, {Name: "Straße 7", Members: 41}},
	}
	for i := range 4 {
		s.Reactors = append(s.Reactors, monitor.Reactor{Index: i, State: monitor.StateOK})
	}
	return s
}

// tick changes all numbers, as a second of life does.
func (b *backend) tick() {
	b.asked++
	s := &b.status
	wave := float64(b.asked%10) / 10
	s.TakenAt = s.StartedAt.Add(27*time.Hour + time.Duration(b.asked)*time.Second)
	s.UptimeSeconds = s.TakenAt.Sub(s.StartedAt).Seconds()
	s.Order += 120
	s.Total = monitor.Reactor{Index: -1, State: s.State}
	for i := range s.Reactors {
		r := &s.Reactors[i]
		r.Sessions = 2500 + 10*b.asked + i
		r.Groups, r.Memberships = 100+i, 2600+i
		r.Busy = 0.1 + 0.15*float64(i) + 0.2*wave
		r.DeliveriesPerSecond = 12000 + 9000*wave + float64(100*i)
		r.Deliveries += uint64(r.DeliveriesPerSecond)
		r.BytesOutPerSecond, r.BytesInPerSecond = 90*r.DeliveriesPerSecond, 4096
		r.RingDepth = b.asked % 5
		r.BacklogBytes, r.BacklogSessions = int(wave*float64(40000*i)), i
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
	s.Connections = s.Total.Sessions
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

func (b *backend) answerStatus(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.admit(w, r) {
		return
	}
	if !b.frozen {
		b.tick()
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
	b.published = append(b.published, publication{r.URL.EscapedPath(), body.String(), r.Header.Get("Authorization"), r.Header.Get("Origin")})
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
