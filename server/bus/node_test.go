package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"groupcast/loop"
)

// testNode is an engine with a bus, served on loopback.
type testNode struct {
	*Bus
	engine  *loop.Engine
	address string
	stop    func()
}

// patience is how long a test waits for what is to happen.
const patience = 2 * time.Minute

// startNode starts a node that is known by name to the cluster of these servers.
func startNode(t testing.TB, name string, servers []*server.Server, set ...func(*Options)) *testNode {
	t.Helper()
	n, err := tryNode(t, name, servers, set...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func tryNode(t testing.TB, name string, servers []*server.Server, set ...func(*Options)) (*testNode, error) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(testLog{t, name}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o := DefaultOptions()
	o.Node, o.Logger, o.Linger = name, log, 100*time.Millisecond
	o.JoinWait = MaxJoinWait // a busy machine makes no join uncovered
	for _, s := range servers {
		o.Servers = append(o.Servers, "nats://"+addressOf(s))
	}
	eo := loop.DefaultOptions()
	eo.Loops, eo.Logger = 2, log
	for _, f := range set {
		f(&o)
	}
	eo.JoinWait = o.JoinWait
	engine, err := loop.New(eo)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Start(o, engine, Info{Program: "test", Host: "host-" + name, PID: 7})
	if err != nil {
		_ = engine.Close()
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- engine.Serve(listener) }()
	n := &testNode{Bus: b, engine: engine, address: listener.Addr().String()}
	ended := false
	n.stop = func() {
		if ended {
			return
		}
		ended = true
		_ = listener.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		_ = b.Close()
		_ = engine.Close()
	}
	t.Cleanup(n.stop)
	return n, nil
}

type testLog struct {
	t    testing.TB
	node string
}

func (l testLog) Write(p []byte) (int, error) {
	if testing.Verbose() {
		return fmt.Fprintf(os.Stderr, "%s %s", l.node, p)
	}
	return len(p), nil
}

// joinedBy waits until the node's messages go to so many others, and what comes is covered.
func (n *testNode) joinedBy(t testing.TB, others int) {
	t.Helper()
	is := func() bool {
		return n.Status().Joined && len(n.others()) == others && n.engine.Coverage() == loop.CoverageOn
	}
	defer func() {
		if t.Failed() {
			t.Logf("%+v, others %q, coverage %v, %+v", n.Status(), n.others(), n.engine.Coverage(), n.interest.Stats())
		}
	}()
	eventually(t, "the others are there", is)
}

// startNodes starts nodes a, b, c ... and waits until they know each other.
func startNodes(t testing.TB, count int, servers []*server.Server, set ...func(*Options)) []*testNode {
	t.Helper()
	var nodes []*testNode
	for i := range count {
		at := []*server.Server{servers[i%len(servers)]}
		nodes = append(nodes, startNode(t, string(rune('a'+i)), at, set...))
	}
	for _, n := range nodes {
		n.joinedBy(t, count-1)
	}
	return nodes
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		<-tick.C
	}
}

// testClient is a WebSocket client.
type testClient struct {
	t    testing.TB
	conn *websocket.Conn
	came chan string   // texts
	end  chan struct{} // closed when the connection is
	err  error         // why
}

func dialNode(t testing.TB, n *testNode, protocols ...string) *testClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+n.address+"/", &websocket.DialOptions{Subprotocols: protocols})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	c := &testClient{t: t, conn: conn, came: make(chan string, 1<<16), end: make(chan struct{})}
	go func() {
		defer close(c.end)
		for {
			_, text, err := conn.Read(context.Background())
			if err != nil {
				c.err = err
				return
			}
			c.came <- string(text)
		}
	}()
	t.Cleanup(func() {
		_ = conn.CloseNow()
		<-c.end
	})
	return c
}

const envelope = "groupcast.v1"

func (c *testClient) send(v map[string]any) {
	c.t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.conn.Write(ctx, websocket.MessageText, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *testClient) next() string {
	c.t.Helper()
	select {
	case text := <-c.came:
		return text
	case <-c.end:
		select {
		case text := <-c.came:
			return text
		default:
		}
		c.t.Fatalf("the connection ended: %v", c.err)
	case <-time.After(patience):
		c.t.Fatal("nothing came")
	}
	return ""
}

func (c *testClient) want(text string) {
	c.t.Helper()
	if got := c.next(); got != text {
		c.t.Fatalf("got %s\nwant %s", got, text)
	}
}

// join joins a group and waits for the ack, which must say that the whole cluster is meant.
func (c *testClient) join(group string) {
	c.t.Helper()
	c.send(map[string]any{"cmd": "add_group", "group_id": group, "req_id": 1})
	if got := c.next(); got != `{"cmd":"ack","req_id":1}` && got != `{"type":"ack","req_id":1}` {
		c.t.Fatalf("join: got %s", got)
	}
}

func (n *testNode) publish(t testing.TB, group, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := n.engine.Publish(ctx, group, []byte(text)); err != nil {
		t.Error(err)
	}
}

// foreign is a NATS client that is no node.
func foreign(t testing.TB, s *server.Server, o ...nats.Option) *nats.Conn {
	t.Helper()
	c, err := nats.Connect("nats://"+addressOf(s), o...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func one(s *server.Server) []*server.Server { return []*server.Server{s} }
