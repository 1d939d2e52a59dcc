package bus

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/nats-io/nats-server/v2/server"

	"groupcast/loop"
)

const gapOf = `{"type":"gap","group_id":"%s","missed":"unknown"}`

func messageOf(group, text string) string {
	return fmt.Sprintf(`{"type":"message","group_id":"%s","message":"%s"}`, group, text)
}

// awayNode is a node whose connection is cut, and another one that is there, with a member of each group.
func awayNode(t *testing.T, down Down, buffer int, groups ...string) (a *testNode, p *pipe, member *testClient) {
	t.Helper()
	nodes, pipes := through(t, 2, one(runServer(t)), func(o *Options) { o.Down, o.BufferBytes = down, buffer })
	member = dialNode(t, nodes[1], envelope)
	for _, group := range groups {
		member.join(group)
	}
	pipes[0].cut()
	eventually(t, "away", func() bool { return !nodes[0].Status().Joined })
	return nodes[0], pipes[0], member
}

// TestDownRefuse: sends are refused while the bus is away, before the first connection too, and taken when it is back.
func TestDownRefuse(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	p := newPipe(t, addressOf(s))
	p.cut()
	n := startNode(t, "a", nil, func(o *Options) {
		o.Servers, o.Down = []string{"nats://" + p.ln.Addr().String()}, DownRefuse
	})
	c := dialNode(t, n)
	c.send(map[string]any{"cmd": "add_group", "group_id": "g", "req_id": 1})
	c.want(`{"cmd":"ack","req_id":1,"cluster":false}`)
	say := func(text string) {
		c.send(map[string]any{"cmd": "send_to_group", "group_id": "g", "message": text})
	}
	refused := func(text string) {
		t.Helper()
		say(text)
		if got := c.next(); !strings.Contains(got, `"overloaded"`) {
			t.Fatalf("got %s", got)
		}
		if _, err := n.engine.Publish(t.Context(), "g", []byte(text)); err == nil {
			t.Fatal("a publication is taken")
		}
	}
	refused("first")
	p.mend()
	n.joinedBy(t, 0)
	say("second")
	c.want("second")
	p.cut()
	eventually(t, "away", func() bool { return !n.Status().Joined })
	refused("third")
	p.mend()
	n.joinedBy(t, 0)
	say("fourth")
	c.want("fourth")
}

// TestDownLocal: what is published while the bus is away is served here, and told of as lost elsewhere.
func TestDownLocal(t *testing.T) {
	t.Parallel()
	a, p, member := awayNode(t, DownLocal, 0, "g", "quiet")
	own := dialNode(t, a)
	own.send(map[string]any{"cmd": "add_group", "group_id": "g", "req_id": 1})
	own.want(`{"cmd":"ack","req_id":1,"cluster":false}`)
	a.publish(t, "g", "here alone")
	own.want("here alone")
	p.mend()
	a.joinedBy(t, 1)
	member.want(fmt.Sprintf(gapOf, "g"))
	a.publish(t, "quiet", "all")
	member.want(messageOf("quiet", "all"))
	a.publish(t, "g", "everywhere")
	member.want(messageOf("g", "everywhere"))
	if got := a.Stats().Lost.Load(); got != 1 {
		t.Errorf("%d messages are counted as lost", got)
	}
}

// TestBufferOverLimit: what is kept arrives, in its order; of groups of which more was published than that, members
// are told.
func TestBufferOverLimit(t *testing.T) {
	t.Parallel()
	const room = 3
	size := keptBytes(&message{Group: "g", Payload: []byte("0")})
	a, p, member := awayNode(t, DownBuffer, room*size, "g", "h", "quiet")
	for i := range room {
		a.publish(t, "g", fmt.Sprint(i))
	}
	a.publish(t, "h", "x")
	p.mend()
	a.joinedBy(t, 1)
	for told, next := false, 0; !told || next < room; {
		switch text := member.next(); text {
		case fmt.Sprintf(gapOf, "h"):
			told = true
		case messageOf("g", fmt.Sprint(next)):
			next++
		default:
			t.Fatalf("got %s", text)
		}
	}
	a.publish(t, "quiet", "all")
	member.want(messageOf("quiet", "all"))
	if s := a.Stats(); s.Lost.Load() != 1 || s.Buffered != 0 {
		t.Errorf("%d lost, %d bytes are kept still", s.Lost.Load(), s.Buffered)
	}
}

// TestKeptBytes: names count in what is kept, and what was taken out counts no more.
func TestKeptBytes(t *testing.T) {
	m := &message{
		Group: "group", Payload: []byte("text"), Users: []string{"a"}, Groups: []string{"bc", "d"},
		ExcludeElsewhere: []string{"efg"},
	}
	if got, want := keptBytes(m), keptOverhead+len("group")+len("text")+len("abcdefg")+4*16; got != want {
		t.Errorf("a message counts %d bytes, want %d", got, want)
	}
	var k kept
	names := make([]string, 1024)
	for i := range names {
		names[i] = strings.Repeat("x", 256)
	}
	const limit = 1 << 20
	for range 100 {
		k.add(&message{Users: names, Payload: []byte("x")}, limit)
	}
	if k.len() == 0 || k.len() > limit/(1024*256) || k.bytes > limit {
		t.Errorf("%d messages of 256 KiB of names are kept in 1 MiB, %d bytes", k.len(), k.bytes)
	}
	for !k.empty() {
		k.drop()
	}
	if k.bytes != 0 {
		t.Errorf("%d bytes of none", k.bytes)
	}
}

// TestServerRestarts: with one server that restarts nobody misses anything that is published meanwhile, and members
// of groups in which nothing happened just before are told nothing.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	nodes := startNodes(t, 3, []*server.Server{s}, func(o *Options) { o.healWait, o.Lease = patience, MaxLease })
	var members []*testClient
	for _, n := range nodes {
		c := dialNode(t, n, envelope)
		c.join("g")
		members = append(members, c)
	}
	for i, n := range nodes {
		n.publish(t, "g", fmt.Sprint("before ", i))
	}
	for _, c := range members {
		for range nodes {
			c.next()
		}
	}
	for _, n := range nodes {
		eventually(t, "it is known to have arrived", func() bool { return n.samples.sure() >= n.written.Load() })
	}
	stopServer(s)
	const each = 100
	for _, n := range nodes {
		eventually(t, "away", func() bool { return !n.Status().Joined })
	}
	for k := range each {
		for i, n := range nodes {
			n.publish(t, "g", fmt.Sprintf("%d %d", i, k))
		}
	}
	runServer(t, onPortOf(s))
	for _, c := range members {
		var next [3]int
		for range len(nodes) * each {
			var i, k int
			text := c.nextMessage()
			if _, err := fmt.Sscanf(text, `{"type":"message","group_id":"g","message":"%d %d"}`, &i, &k); err != nil || k != next[i] {
				t.Fatalf("got %s, want number %d: %v", text, next[i], err)
			}
			next[i]++
		}
	}
	settle(t, nodes)
	nodes[0].publish(t, "g", "end")
	for _, c := range members {
		if got := c.nextMessage(); got != messageOf("g", "end") {
			t.Errorf("got %s", got)
		}
	}
}

// nextMessage is the next text that is no notice of a gap. On a busy machine a node may ask another one too late
// how far it had come, when what was kept is among that: then members are told, although nothing was missed.
func (c *testClient) nextMessage() string {
	for {
		if text := c.next(); !strings.Contains(text, `"type":"gap"`) {
			return text
		}
	}
}

// TestDrainWhileAway: a drain does not wait for a bus that is not there, nor for one that goes while it waits.
func TestDrainWhileAway(t *testing.T) {
	t.Parallel()
	a, _, _ := awayNode(t, DownBuffer, 1<<20)
	a.publish(t, "g", "x")
	drain(t, a)
	if got := a.Stats().Lost.Load(); got != 1 {
		t.Errorf("%d messages are counted as lost", got)
	}
}

// drain drains the engine, and waits until the others have all.
func drain(t *testing.T, n *testNode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := n.engine.Drain(ctx, ws.StatusGoingAway, 0); err != nil {
		t.Fatal(err)
	}
	if err := n.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestLeavingNode: a node that has drained counts nowhere at once, for good, and what it published last is
// everywhere before.
func TestLeavingNode(t *testing.T) {
	t.Parallel()
	nodes := startNodes(t, 3, runCluster(t, 3), func(o *Options) { o.Lease = MaxLease })
	var members []*testClient
	for _, n := range nodes[1:] {
		c := dialNode(t, n)
		c.join("g")
		members = append(members, c)
	}
	const last = 1000
	for i := range last {
		if err := nodes[0].engine.Submit(t.Context(), loop.Publication{
			Groups: []string{"g"}, Payload: fmt.Append(nil, i), IsText: true,
		}); err != nil {
			t.Fatal(err)
		}
	}
	drain(t, nodes[0])
	for i, c := range members {
		for k := range last {
			c.want(fmt.Sprint(k))
		}
		nodes[1+i].joinedBy(t, 1)
	}
	beats := nodes[1].Stats().In.Load()
	eventually(t, "some heartbeats more", func() bool { return nodes[1].Stats().In.Load() >= beats+6 })
	for _, n := range nodes[1:] {
		n.joinedBy(t, 1)
	}
	c := members[0]
	c.join("h") // waits for nobody that is gone
}

// TestNodeStandsStill: a node whose connection stands still counts nowhere after the lease, and is another one when
// it is back.
func TestNodeStandsStill(t *testing.T) {
	t.Parallel()
	nodes, pipes := through(t, 2, one(runServer(t)), func(o *Options) { o.Lease = MinLease })
	member := dialNode(t, nodes[0], envelope)
	member.join("g")
	before := nodes[0].generation.Load()
	pipes[0].stop()
	nodes[1].joinedBy(t, 0)
	c := dialNode(t, nodes[1])
	c.join("g") // waits for it no more
	nodes[1].publish(t, "g", "missed?")
	eventually(t, "it knows itself", func() bool { return !nodes[0].Status().Joined })
	pipes[0].run()
	nodes[1].joinedBy(t, 1)
	nodes[0].joinedBy(t, 1)
	if got := nodes[0].generation.Load(); got == before {
		t.Errorf("it is the same, generation %d", got)
	}
	member.want(fmt.Sprintf(gapOf, "g"))
}

// TestNewcomer: a node that comes is known to all, and knows all, before their next heartbeats.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	startNode(t, "a", one(s)).joinedBy(t, 0)
	st := newStranger(t, s, "b")
	heard, err := st.conn.SubscribeSync("groupcast.n.all")
	if err != nil {
		t.Fatal(err)
	}
	st.flushed()
	for range 3 { // a heartbeat each second; the answer stands between two
		if _, err := heard.NextMsg(patience); err != nil {
			t.Fatal(err)
		}
	}
	st.beat(0)
	began := time.Now()
	if _, err := heard.NextMsg(patience); err != nil { // its own
		t.Fatal(err)
	}
	if _, err := heard.NextMsg(patience); err != nil {
		t.Fatal(err)
	}
	t.Logf("after %s", time.Since(began))
}
