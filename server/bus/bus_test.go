package bus

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestOneGroupOverTwoNodes: what is published on one node reaches the members on the other, and
// those on its own once.
func TestOneGroupOverTwoNodes(t *testing.T) {
	s := runServer(t)
	nodes := startNodes(t, 2, one(s))
	a, b := dialNode(t, nodes[0]), dialNode(t, nodes[1])
	a.join("room:1")
	b.join("room:1")
	a.send(map[string]any{"cmd": "send_to_group", "group_id": "room:1", "message": "hi"})
	a.want("hi")
	b.want("hi")
	b.send(map[string]any{"cmd": "send_to_group", "group_id": "room:1", "message": map[string]any{"x": 1}})
	a.want(`{"x":1}`)
	b.want(`{"x":1}`)
	nodes[0].publish(t, "room:1", "end")
	a.want("end")
	b.want("end")
}

// TestForeignPublisher: any NATS client is a backend.
func TestForeignPublisher(t *testing.T) {
	s := runServer(t)
	nodes := startNodes(t, 2, one(s))
	a, b := dialNode(t, nodes[0]), dialNode(t, nodes[1], envelope)
	a.join("123")
	b.join("123")
	c := foreign(t, s)
	if err := c.Publish("groupcast.g.123", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	a.want("hello")
	b.want(`{"type":"message","group_id":"123","message":"hello"}`)
	answer, err := c.Request("groupcast.g.123", []byte("again"), patience)
	if err != nil || !strings.Contains(string(answer.Data), `"order":`) {
		t.Fatalf("got %v, %v", answer, err)
	}
	a.want("again")
	b.want(`{"type":"message","group_id":"123","message":"again"}`)
	m := nats.NewMsg("groupcast.m")
	m.Header.Set("Groupcast-Groups", "123,other")
	m.Header.Set("Groupcast-Mode", "json")
	m.Data = []byte(`[1, 2]`)
	if err := c.PublishMsg(m); err != nil {
		t.Fatal(err)
	}
	a.want("[1, 2]")
	b.want(`{"type":"message","group_id":"123","message":[1, 2]}`)
	if _, err := c.Request("groupcast.g.nobody", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Fatalf("got %v", err)
	}
}

// TestOrderOfPublishers: each publisher's messages keep their order everywhere.
func TestOrderOfPublishers(t *testing.T) {
	nodes := startNodes(t, 3, runCluster(t, 3))
	const each = 2000
	var members []*testClient
	for _, n := range nodes {
		c := dialNode(t, n)
		c.join("g")
		members = append(members, c)
	}
	for i, n := range nodes {
		go func() {
			for k := range each {
				n.publish(t, "g", fmt.Sprintf("%d %d", i, k))
			}
		}()
	}
	for at, c := range members {
		next := make([]int, len(nodes))
		for range len(nodes) * each {
			var from, k int
			if _, err := fmt.Sscanf(c.next(), "%d %d", &from, &k); err != nil || k != next[from] {
				t.Fatalf("at node %d: got %d of publisher %d, want %d (%v)", at, k, from, next[from], err)
			}
			next[from]++
		}
	}
}

// TestAnotherConnection: nats.go gives a connection up for good where the server says what it does
// not know. The bus makes another, with all that was subscribed to.
func TestAnotherConnection(t *testing.T) {
	nodes, pipes := through(t, 2, one(runServer(t)))
	a, b := dialNode(t, nodes[0], envelope), dialNode(t, nodes[1], envelope)
	a.join("g")
	b.join("g")
	was := nodes[0].conn.Load()
	pipes[0].say("-ERR 'A Word Of Tomorrow'\r\n")
	eventually(t, "there is another connection", func() bool { return nodes[0].conn.Load() != was })
	nodes[0].joinedBy(t, 1)
	settle(t, nodes)
	nodes[0].publish(t, "g", "from a")
	b.want(`{"type":"message","group_id":"g","message":"from a"}`)
	nodes[1].publish(t, "g", "from b")
	a.want(`{"type":"message","group_id":"g","message":"from a"}`)
	a.want(`{"type":"message","group_id":"g","message":"from b"}`)
	a.join("h")
	nodes[1].publish(t, "h", "new")
	a.want(`{"type":"message","group_id":"h","message":"new"}`)
}

// TestAvoided: what other nodes publish that has no members here is counted, whatever else has places in
// their orders.
func TestAvoided(t *testing.T) {
	s := runServer(t)
	nodes := startNodes(t, 3, one(s))
	a, b := dialNode(t, nodes[0]), dialNode(t, nodes[1])
	a.join("room:1")
	b.join("room:1")
	const each = 10
	for _, n := range nodes[:2] { // the second one's places stand behind those of the first
		for i := range each {
			n.publish(t, "room:1", fmt.Sprint(i))
		}
		for i := range each {
			a.want(fmt.Sprint(i))
			b.want(fmt.Sprint(i))
		}
	}
	c := &nodes[2].count
	eventually(t, "heartbeats have told of all", func() bool { return c.Avoided.Load() >= 2*each })
	came := c.In.Load()
	eventually(t, "two more heartbeats of each", func() bool { return c.In.Load() >= came+4 })
	if got := c.Avoided.Load(); got != 2*each {
		t.Errorf("kept off: got %d, want %d", got, 2*each)
	}
}
