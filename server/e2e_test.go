package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"

	"groupcast/loop/leak"
)

// The original page: join, send, and the message comes back bare; to another
// member, too.
func TestFourLines(t *testing.T) {
	onOneAndThree(t, nil, func(p *place) {
		other := p.connect()
		other.join("123")
		page := p.connect()
		page.send(`{"cmd":"add_group", "group_id":"123"}`)
		page.send(`{"cmd":"send_to_group", "group_id":"123", "message":"This is a message"}`)
		page.want("This is a message")
		other.want("This is a message")
	})
}

// A unix socket leads to the same groups as a TCP port.
func TestEveryDoorLeadsToTheSameGroups(t *testing.T) {
	socket := "unix:" + filepath.Join(t.TempDir(), "s")
	s := startServer(t, func(o *Options) { o.Listen = []string{"127.0.0.1:0", "127.0.0.1:0", socket} })
	var members []*client
	for _, address := range s.Addresses() {
		c := connect(t, address)
		c.join("g")
		members = append(members, c)
	}
	for i, c := range members {
		c.publish("g", fmt.Sprint("from door ", i))
		for _, m := range members {
			m.want(fmt.Sprint("from door ", i))
		}
	}
}

func TestGroupsAreIsolated(t *testing.T) {
	onOneAndThree(t, nil, func(p *place) {
		a, b := p.connect(), p.connect()
		a.join("a")
		b.join("b")
		a.join("a") // joining twice is joining once
		a.publish("b", "to b")
		a.publish("a", "to a")
		a.publish("b", "to b, too")
		a.want("to a")
		b.want("to b")
		b.want("to b, too")
		a.send(`{"cmd":"leave_group","group_id":"a","req_id":1}`)
		a.want(`{"cmd":"ack","req_id":1}`)
		a.publish("a", "nobody is there")
		a.send(`{"cmd":"ping","req_id":2}`)
		a.want(`{"cmd":"ack","req_id":2}`)
	})
}

// 123 and "123" are one group, and both modes may be in it.
func TestBareAndEnvelope(t *testing.T) {
	onOneAndThree(t, nil, func(p *place) {
		t := p.t
		bare, envelope := p.connect(), p.connect("groupcast.v1")
		if got := envelope.conn.Subprotocol(); got != "groupcast.v1" {
			t.Errorf("subprotocol %q", got)
		}
		bare.join("123")
		envelope.send(`{"cmd":"add_group","group_id":123,"req_id":7}`)
		envelope.want(`{"type":"ack","req_id":7}`)
		bare.publish("123", "hi")
		bare.want("hi")
		envelope.want(`{"type":"message","group_id":"123","message":"hi"}`)
	})
}

// Every member sees the messages of all groups in one order, whoever sent them
// and whichever loop they live on.
func TestOneOrder(t *testing.T) {
	onOneAndThree(t, func(o *Options) { o.Loops = 3 }, func(p *place) {
		t := p.t
		const publishers, each, watchers = 4, 200, 6
		var seen [watchers][]string
		var readers sync.WaitGroup
		for i := range watchers {
			c := p.connect()
			c.join("a")
			c.join("b")
			readers.Go(func() {
				for range publishers * each {
					text, err := c.tryNext()
					if err != nil {
						t.Errorf("watcher %d after %d messages: %v", i, len(seen[i]), err)
						return
					}
					seen[i] = append(seen[i], text)
				}
			})
		}
		for from := range publishers {
			c := p.connect()
			readers.Go(func() {
				for n := range each {
					if err := c.trySend(publishCommand([]string{"a", "b"}[n%2], fmt.Sprintf("%d %d", from, n))); err != nil {
						t.Errorf("publisher %d: %v", from, err)
						return
					}
				}
			})
		}
		readers.Wait()
		for i := range seen {
			var last [publishers]int
			for _, text := range seen[i] {
				var from, n int
				if _, err := fmt.Sscanf(text, "%d %d", &from, &n); err != nil {
					t.Fatal(err)
				}
				if n != last[from] {
					t.Fatalf("watcher %d: publisher %d: message %d where %d was expected", i, from, n, last[from])
				}
				last[from]++
			}
			// Those of one node agree.
			first := i % len(p.nodes)
			if got, want := strings.Join(seen[i], ","), strings.Join(seen[first], ","); got != want {
				t.Errorf("watcher %d saw another order than watcher %d", i, first)
			}
		}
	})
}

// However a session ends, it leaves its groups, and empty groups vanish.
func TestLeavingByAnyEnd(t *testing.T) {
	onOneAndThree(t, nil, func(p *place) {
		t := p.t
		for name, end := range map[string]func(*client) error{
			"close": func(c *client) error { return c.conn.Close(websocket.StatusNormalClosure, "") },
			"cut":   func(c *client) error { return c.conn.CloseNow() },
			"reset": func(c *client) error {
				return errors.Join(c.tcp.(*net.TCPConn).SetLinger(0), c.tcp.Close())
			},
		} {
			t.Run(name, func(t *testing.T) {
				for i := range 20 {
					c := p.connect()
					c.join("common")
					c.join(fmt.Sprint("own ", i))
					if err := end(c); err != nil {
						t.Error(err)
					}
				}
				eventually(t, "no session, no group", func() bool {
					sum, conns, _ := p.stats()
					return conns == 0 && sum.Sessions == 0 && sum.Groups == 0 && sum.Memberships == 0
				})
			})
		}
	})
}

// Who does not read is closed, and costs the others nothing: not one message.
func TestSlowReaderIsCut(t *testing.T) {
	onOneAndThree(t, func(o *Options) { o.MaxBacklogBytes, o.SendBufferBytes = 256<<10, 16<<10 }, func(p *place) {
		t := p.t
		slow, fast := p.connect(), p.connect()
		slow.join("g")
		fast.join("g")
		publisher := p.connect()
		message := strings.Repeat("x", 32<<10)
		slowReaders := func() uint64 {
			sum, _, _ := p.stats()
			return sum.SlowReaders
		}
		sent := 0
		for deadline := time.Now().Add(patience); slowReaders() == 0; sent++ {
			if time.Now().After(deadline) {
				t.Fatalf("the slow reader is still there after %d messages", sent)
			}
			publisher.publish("g", fmt.Sprint(sent, " ", message))
			fast.want(fmt.Sprint(sent, " ", message))
		}
		publisher.publish("g", "the end")
		fast.want("the end")
		// It still gets what was on its way, and then the reason.
		if code := slow.closing(); code != websocket.StatusPolicyViolation {
			t.Errorf("closed with %d, want 1008", code)
		}
	})
}

// Whatever was accepted before the drain is delivered; then every session is
// closed with 1001.
func TestDrainLosesNothing(t *testing.T) {
	onOneAndThree(t, nil, func(p *place) {
		t := p.t
		const members, publishers = 20, 4
		type record struct {
			node int
			seen []string
			code websocket.StatusCode
		}
		var records [members]record
		var readers, writers sync.WaitGroup
		for i := range members {
			node, c := p.connectAt()
			records[i].node = node
			c.join("g")
			readers.Go(func() {
				for {
					text, err := c.tryNext()
					if err != nil {
						records[i].code = websocket.CloseStatus(err)
						return
					}
					records[i].seen = append(records[i].seen, text)
				}
			})
		}
		// A publisher waits for each ack: what is acked must arrive everywhere.
		var acked [publishers][]string
		var at [publishers]int // which node
		for from := range publishers {
			node, c := p.connectAt()
			at[from] = node
			writers.Go(func() {
				for n := 0; ; n++ {
					message := fmt.Sprintf("%d-%d", from, n)
					command := fmt.Sprintf(`{"cmd":"send_to_group","group_id":"g","message":%q,"req_id":1}`, message)
					if c.trySend(command) != nil {
						return
					}
					answer, err := c.tryNext()
					if err != nil || !strings.Contains(answer, `"ack"`) {
						break // refused: draining. Read on, until the close.
					}
					acked[from] = append(acked[from], message)
				}
				if code := c.closing(); code != websocket.StatusGoingAway && code != -1 {
					t.Errorf("publisher %d: closed with %d", from, code)
				}
			})
		}
		eventually(t, "some traffic", func() bool {
			_, _, order := p.stats()
			return order > 200
		})
		result, err := p.drain(ws.StatusGoingAway)
		if err != nil || result.Left != 0 || result.CutSessions != 0 {
			t.Errorf("drain: %+v, %v", result, err)
		}
		writers.Wait()
		readers.Wait()
		for i, r := range records {
			if r.code != websocket.StatusGoingAway {
				t.Errorf("member %d: closed with %d, want 1001", i, r.code)
			}
			got := make(map[string]bool, len(r.seen))
			for _, text := range r.seen {
				got[text] = true
			}
			if len(got) != len(r.seen) {
				t.Errorf("member %d: duplicates", i)
			}
			for from := range acked {
				if r.node < at[from] {
					continue // its node went before the publisher's
				}
				for _, message := range acked[from] {
					if !got[message] {
						t.Errorf("member %d lacks %s, which was acked", i, message)
					}
				}
			}
		}
		if len(acked[0]) == 0 {
			t.Error("nothing was acked: this test has shown nothing")
		}
		for _, s := range p.nodes {
			if _, err := tryConnect(t, s.Addresses()[0]); err == nil {
				t.Error("after the drain, somebody could connect")
			}
		}
	})
}

// Who does not answer the close is cut when the time is over, and counted.
func TestDrainCutsTheStubborn(t *testing.T) {
	s := startServer(t, func(o *Options) { o.Drain, o.CloseTimeout = 300*time.Millisecond, time.Minute })
	connect(t, s.Addresses()[0]).join("g")
	connect(t, s.Addresses()[0]).join("g")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if result, err := s.Drain(ctx, ws.StatusGoingAway); result.Left != 2 || err != nil {
		t.Errorf("%+v, %v; want 2 left", result, err)
	}
}

func TestDrainOfNobodyIsQuick(t *testing.T) {
	s := startServer(t, func(o *Options) { o.Drain = time.Hour })
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		if result, err := s.Drain(t.Context(), ws.StatusGoingAway); result.Left != 0 || err != nil {
			t.Errorf("%+v, %v", result, err)
		}
	}()
	select {
	case <-drained:
	case <-time.After(patience):
		t.Fatal("it waits for nobody")
	}
}

// A door that closes by itself is reported.
func TestFailedListener(t *testing.T) {
	s := startServer(t, nil)
	if err := s.doors[0].Listener.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.Failed():
		if !strings.Contains(err.Error(), "127.0.0.1:") {
			t.Errorf("got %v", err)
		}
	case <-time.After(patience):
		t.Error("nobody noticed")
	}
}

// A start that fails half way leaves nothing open (TestMain looks, too).
func TestFailedStartLeavesNothing(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	before := leak.OpenFiles()
	o := DefaultOptions()
	o.Listen = []string{"127.0.0.1:0", "unix:" + socket, "203.0.113.1:1"}
	o.API, o.Control = []string{none}, none
	if _, err := Start(o, nil); err == nil || !strings.Contains(err.Error(), "203.0.113.1") {
		t.Fatalf("got %v", err)
	}
	if after := leak.OpenFiles(); after > before {
		t.Errorf("open files: %d before, %d after", before, after)
	}
	if _, err := net.Dial("unix", socket); err == nil {
		t.Error("the socket still answers")
	}
}
