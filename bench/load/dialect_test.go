package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// otherServer speaks another server's protocol, as far as the generator does: one lock, and every write under it. It
// loses the deliveries that drop says.
type otherServer struct {
	dialect string
	mu      sync.Mutex
	groups  map[string][]*websocket.Conn
	sent    int
	drop    int // the delivery that does not happen; 0: none
}

func (s *otherServer) say(c *websocket.Conn, text string) {
	_ = c.Write(context.Background(), websocket.MessageText, []byte(text))
}

func (s *otherServer) join(group string, c *websocket.Conn) {
	s.groups[group] = append(s.groups[group], c)
}

func (s *otherServer) send(group, payload string, frame func(group, payload string) string) {
	for _, to := range s.groups[group] {
		if s.sent++; s.sent != s.drop {
			s.say(to, frame(group, payload))
		}
	}
}

func (s *otherServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	greet := map[string]string{"socketio": `0{"sid":"x","pingInterval":25000}`}[s.dialect]
	s.mu.Lock()
	if s.dialect == "nchan" {
		s.join(strings.TrimPrefix(r.URL.Path, "/pubsub/"), c)
	}
	if greet != "" {
		s.say(c, greet)
	}
	s.mu.Unlock()
	hear := map[string]func(*websocket.Conn, string){
		"centrifuge": s.centrifuge,
		"socketio":   s.socketIO,
		"nchan": func(c *websocket.Conn, text string) {
			for group, members := range s.groups {
				for _, m := range members {
					if m == c {
						s.send(group, text, func(_, payload string) string { return payload })
					}
				}
			}
		},
	}[s.dialect]
	for {
		_, b, err := c.Read(context.Background())
		if err != nil {
			return
		}
		s.mu.Lock()
		hear(c, string(b))
		s.mu.Unlock()
	}
}

func (s *otherServer) centrifuge(c *websocket.Conn, text string) {
	if text == "{}" {
		return
	}
	var command struct {
		ID        int
		Connect   *struct{}
		Subscribe *struct{ Channel string }
		Publish   *struct{ Channel, Data string }
	}
	if err := json.Unmarshal([]byte(text), &command); err != nil {
		panic(err)
	}
	switch {
	case command.Connect != nil:
		// A reply and a ping in one frame.
		s.say(c, fmt.Sprintf(`{"id":%d,"connect":{"client":"x","ping":25}}`, command.ID)+"\n{}")
	case command.Subscribe != nil:
		s.join(command.Subscribe.Channel, c)
		s.say(c, fmt.Sprintf(`{"id":%d,"subscribe":{}}`, command.ID))
	case command.Publish != nil:
		s.send(command.Publish.Channel, command.Publish.Data, func(group, payload string) string {
			return fmt.Sprintf(`{"push":{"channel":%q,"pub":{"data":%q}}}`, group, payload)
		})
		s.say(c, fmt.Sprintf(`{"id":%d,"publish":{}}`, command.ID))
	}
}

func (s *otherServer) socketIO(c *websocket.Conn, text string) {
	switch {
	case text == "40":
		s.say(c, `40{"sid":"y"}`)
		s.say(c, "2")
	case text == "3":
	default:
		digits := strings.TrimPrefix(text, "42")
		at := strings.IndexByte(digits, '[')
		var event []string
		if err := json.Unmarshal([]byte(digits[at:]), &event); err != nil {
			panic(err)
		}
		if event[0] == "join" {
			s.join(event[1], c)
			s.say(c, "43"+digits[:at]+"[]")
			return
		}
		s.send(event[1], event[2], func(_, payload string) string { return fmt.Sprintf(`42["m",%q]`, payload) })
	}
}

func startOther(t *testing.T, dialect string, drop int) common {
	t.Helper()
	s := httptest.NewServer(&otherServer{dialect: dialect, groups: map[string][]*websocket.Conn{}, drop: drop})
	t.Cleanup(s.Close)
	c := commonFor(s.Listener.Addr().String())
	c.Dialect = dialect
	return c
}

// TestDialects: each is spoken so that all arrives, and what does not is noticed.
func TestDialects(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"centrifuge", "socketio", "nchan"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			for name, s := range map[string]scenario{
				"big room": &bigRoom{common: startOther(t, dialect, 0), pace: shortPace, Members: 20, Publishers: 2, Rate: 400},
				"hot room": &hotRoom{common: startOther(t, dialect, 0), pace: shortPace, Members: 10, Publishers: 2, Window: 4},
			} {
				r, err := runScenario(t, s)
				if err != nil || r.Delivered == 0 || r.Latency.Count == 0 {
					t.Errorf("%s: %v, %+v", name, err, r)
				}
			}
			many := &manyRooms{
				common: startOther(t, dialect, 0), pace: shortPace, Groups: 6, Members: 4, Publishers: 2, Rate: 400,
			}
			if dialect == "nchan" {
				o, err := many.options()
				if err == nil {
					err = o.validate()
				}
				if err == nil || !strings.Contains(err.Error(), "many-rooms") || !strings.Contains(err.Error(), "nchan") {
					t.Errorf("several groups a connection: %v", err)
				}
			} else if r, err := runScenario(t, many); err != nil || r.Delivered == 0 {
				t.Errorf("many rooms: %v, %+v", err, r)
			}
			lossy := &bigRoom{common: startOther(t, dialect, 500), pace: shortPace, Members: 20, Publishers: 2, Rate: 400}
			if r, err := runScenario(t, lossy); err == nil || r.Lost != 1 {
				t.Errorf("one lost delivery: %v, %d lost", err, r.Lost)
			}
		})
	}
	bad := commonFor("127.0.0.1:1")
	bad.Dialect = "esperanto"
	o, err := smallRoom("").options()
	o.common = bad
	if err != nil || o.validate() == nil {
		t.Error("an unknown dialect is taken")
	}
}

// TestPublishAPI: messages go by HTTP, and come back over WebSockets; another answer than 202 ends the run.
func TestPublishAPI(t *testing.T) {
	t.Parallel()
	server := newTestServer(nil)
	push := httptest.NewServer(server)
	t.Cleanup(push.Close)
	refuse := 0 // the request that is refused
	n := 0
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		group := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/v1/groups/"), "/messages")
		server.mu.Lock()
		defer server.mu.Unlock()
		if n++; n == refuse {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		for to := range server.groups[group] {
			to.queue <- body
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"order":1}`)
	}))
	t.Cleanup(api.Close)
	run := func(pace pace) (result, error) {
		c := commonFor(push.Listener.Addr().String())
		c.PublishAPI = api.Listener.Addr().String()
		return runScenario(t, &bigRoom{common: c, pace: pace, Members: 20, Publishers: 2, Rate: 400})
	}
	r, err := run(shortPace)
	if err != nil || r.Latency.Count != 120*20 {
		t.Errorf("%v, %+v", err, r)
	}
	server.mu.Lock()
	refuse = n + 50
	server.mu.Unlock()
	endless := shortPace
	endless.Duration = 2 * patience // a refusal that is found out by waiting only is not found out
	if _, err := run(endless); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a refusal: %v", err)
	}
}
