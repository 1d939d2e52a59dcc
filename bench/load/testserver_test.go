package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// testServer is the simplest right server there could be, by another WebSocket implementation: one lock, a queue and a
// goroutine per member. A fault makes it a wrong one.
type testServer struct {
	mu     sync.Mutex
	groups map[string]map[*testMember]bool
	all    map[*testMember]bool
	sent   int // deliveries so far
	fault  fault
}

// fault is asked before every delivery, under the lock, what to deliver instead. n counts deliveries.
type fault func(s *testServer, n int, to *testMember, message []byte)

type testMember struct {
	conn  *websocket.Conn
	queue chan []byte
	held  []byte
	seen  int
}

func newTestServer(f fault) *testServer {
	return &testServer{groups: map[string]map[*testMember]bool{}, all: map[*testMember]bool{}, fault: f}
}

func (s *testServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	c.SetReadLimit(1 << 20)
	m := &testMember{conn: c, queue: make(chan []byte, 1<<14)}
	defer s.remove(m)
	s.mu.Lock()
	s.all[m] = true
	s.mu.Unlock()
	go func() {
		for b := range m.queue {
			if c.Write(context.Background(), websocket.MessageText, b) != nil {
				return
			}
		}
	}()
	for {
		_, b, err := c.Read(context.Background())
		if err != nil {
			return
		}
		var command struct {
			Cmd     string
			GroupID string `json:"group_id"`
			Message string
			ReqID   *int `json:"req_id"`
		}
		if err := json.Unmarshal(b, &command); err != nil {
			panic(err)
		}
		s.mu.Lock()
		switch command.Cmd {
		case "add_group":
			if s.groups[command.GroupID] == nil {
				s.groups[command.GroupID] = map[*testMember]bool{}
			}
			s.groups[command.GroupID][m] = true
		case "leave_group":
			delete(s.groups[command.GroupID], m)
		case "send_to_group":
			for to := range s.groups[command.GroupID] {
				s.sent++
				to.seen++
				if s.fault == nil {
					to.queue <- []byte(command.Message)
				} else {
					s.fault(s, s.sent, to, []byte(command.Message))
				}
			}
		}
		if command.ReqID != nil {
			m.queue <- fmt.Appendf(nil, `{"cmd":"ack","req_id":%d}`, *command.ReqID)
		}
		s.mu.Unlock()
	}
}

func (s *testServer) remove(m *testMember) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, members := range s.groups {
		delete(members, m)
	}
	delete(s.all, m)
	close(m.queue)
	_ = m.conn.CloseNow()
}

// other is a member that is not in any group with to.
func (s *testServer) other(to *testMember) *testMember {
	for m := range s.all {
		together := false
		for _, members := range s.groups {
			together = together || members[m] && members[to]
		}
		if !together {
			return m
		}
	}
	return to
}

func startTestServer(t *testing.T, f fault) string {
	t.Helper()
	s := httptest.NewServer(newTestServer(f))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// TestMain makes the test program a server, or the whole program, for tests that start processes.
func TestMain(m *testing.M) {
	if port := os.Getenv("LOAD_TEST_SERVER"); port != "" {
		ln, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		var f fault
		if os.Getenv("LOAD_TEST_DIE") != "" {
			f = func(_ *testServer, n int, to *testMember, message []byte) {
				if n == 4000 {
					fmt.Println("out of luck")
					os.Exit(3)
				}
				to.queue <- message
			}
		}
		server := http.Server{Handler: newTestServer(f), ReadHeaderTimeout: time.Second}
		fmt.Println(server.Serve(ln))
		os.Exit(1)
	}
	if os.Getenv("LOAD_TEST_MAIN") != "" {
		main()
		os.Exit(0)
	}
	// The race detector lets every process wait for a second before it ends, in
	// case somebody still races; a race that it has seen is reported without that.
	if err := os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0")); err != nil {
		panic(err)
	}
	// The tests wait for a moment to publish at, or for silence, far longer than they
	// compute. A -parallel on the command line still counts.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
