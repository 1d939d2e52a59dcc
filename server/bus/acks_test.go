package bus

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// leave leaves a group, and waits for the ack.
func (c *testClient) leave(group string) {
	c.t.Helper()
	c.send(map[string]any{"cmd": "leave_group", "group_id": group, "req_id": 2})
	c.until(`{"cmd":"ack","req_id":2}`)
}

// until reads up to that text.
func (c *testClient) until(text string) {
	c.t.Helper()
	for {
		switch got := c.next(); {
		case got == text:
			return
		case strings.HasPrefix(got, `{"cmd":"error"`), strings.Contains(got, `"cluster":false`):
			c.t.Fatalf("got %s", got)
		}
	}
}

// TestAckOfJoin: what is published on another node once a join is acknowledged comes to the new member, each
// time, while others join and leave, groups linger, and the node changes to the wildcard and back.
func TestAckOfJoin(t *testing.T) {
	for name, c := range map[string]struct {
		subjects               int
		joins, clients, groups int
		linger, narrow         time.Duration
		changes                uint64
	}{
		"subjects": {subjects: 50_000, joins: 10_000, clients: 16, groups: 48, linger: 2 * time.Millisecond},
		"changing": {
			subjects: 24, joins: 10_000, clients: 16, groups: 48, linger: 2 * time.Millisecond,
			narrow: time.Millisecond, changes: 2,
		},
		// Groups are joined again while the loops are asked whether they are used still.
		"wildcard": {
			subjects: 1, joins: 3_000, clients: 4, groups: 4, linger: time.Microsecond, narrow: time.Hour, changes: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nodes := startNodes(t, 3, runCluster(t, 3), func(o *Options) {
				o.Subjects, o.Linger, o.narrowAfter = c.subjects, c.linger, c.narrow
			})
			var left atomic.Int64
			left.Store(int64(c.joins))
			deadline := time.Now().Add(patience) // of changes: how many there are in so many joins, the machine says
			more := func() bool {
				return left.Add(-1) >= 0 || nodes[0].Stats().Switches < c.changes && time.Now().Before(deadline)
			}
			var all sync.WaitGroup
			for id := range c.clients {
				member := dialNode(t, nodes[0])
				publisher := nodes[1+id%2]
				all.Go(func() {
					held := make([]string, 1+id%3) // one client in three is in one group at a time
					for k := 0; more() && !t.Failed(); k++ {
						at := k % len(held)
						if held[at] != "" {
							member.leave(held[at])
						}
						held[at] = fmt.Sprint("g", rand.N(c.groups))
						member.send(map[string]any{"cmd": "add_group", "group_id": held[at], "req_id": 1})
						member.until(`{"cmd":"ack","req_id":1}`)
						text := fmt.Sprintf("%d %d", id, k)
						publisher.publish(t, held[at], text)
						member.until(text)
					}
				})
			}
			all.Wait()
			s := nodes[0].Stats()
			t.Logf("%d changes, %d doubles, %d unwanted, %d reused", s.Switches, s.Doubles.Load(), s.Unwanted.Load(), s.Reused)
			if s.Switches < c.changes {
				t.Errorf("the node changed %d times between the wildcard and single subjects", s.Switches)
			}
		})
	}
}

// TestNodeDoesNotAnswer: the ack of a join says that another node may not know of it, and keeps nothing
// that stands behind the join waiting.
func TestNodeDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	n := startNode(t, "a", one(s), func(o *Options) { o.JoinWait, o.Lease = 300*time.Millisecond, MaxLease })
	n.joinedBy(t, 0)
	c := dialNode(t, n)
	c.join("before")
	mute := newStranger(t, s, "mute")
	mute.beat(1)
	n.joinedBy(t, 1)
	c.send(map[string]any{"cmd": "add_group", "group_id": "g", "req_id": 7})
	c.send(map[string]any{"cmd": "ping", "req_id": 8})
	c.want(`{"cmd":"ack","req_id":8}`)
	c.want(`{"cmd":"ack","req_id":7,"cluster":false}`)
	eventually(t, "it is counted", func() bool { return n.Stats().MarkersLate.Load() > 0 })
	mute.leave()
	n.joinedBy(t, 0)
	c.join("g")
}

// TestJoinWhileAway: the ack does not wait for a bus that is away, before the first connection and after.
func TestJoinWhileAway(t *testing.T) {
	t.Parallel()
	p := newPipe(t, addressOf(runServer(t)))
	p.cut()
	n := startNode(t, "a", nil, func(o *Options) {
		o.Servers, o.JoinWait = []string{"nats://" + p.ln.Addr().String()}, MaxJoinWait
	})
	c := dialNode(t, n)
	no := func(id int, group string) {
		t.Helper()
		c.send(map[string]any{"cmd": "add_group", "group_id": group, "req_id": id})
		c.want(fmt.Sprintf(`{"cmd":"ack","req_id":%d,"cluster":false}`, id))
	}
	no(1, "g")
	p.mend()
	n.joinedBy(t, 0)
	c.join("g")
	p.cut()
	eventually(t, "the loops know that it is away", func() bool { return !n.engine.WaitCovered(ended, "g") })
	no(3, "g")
	no(4, "h")
	p.mend()
	n.joinedBy(t, 0)
	c.join("g")
	c.join("h")
}

// TestAskedGroups: what comes by the wildcard for a group of which the loops are asked is wanted; when they have
// answered, what is covered is.
func TestAskedGroups(t *testing.T) {
	b := &Bus{engine: startNode(t, "a", one(runServer(t))).engine}
	b.asked.begin([]string{"g"})
	if !b.wanted("g") || b.wanted("h") {
		t.Error("not what the loops are asked about is wanted")
	}
	b.asked.end()
	if b.wanted("g") {
		t.Error("a group without members is wanted")
	}
}
