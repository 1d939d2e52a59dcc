package workerman

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"groupcast/loop"
	"groupcast/protocol/workerman"
)

// site is one groupcast: loops, a Channel server, and clients of others.
type site struct {
	engine *loop.Engine
	url    string
	node   *Node
	server *testServer
}

func startSite(tb testing.TB) *site {
	tb.Helper()
	s := &site{node: NewNode()}
	s.engine, s.url = startEngine(tb, nil)
	s.server = startServer(tb, s.node, s.engine, nil)
	return s
}

// join has s join the cluster at addr, and waits until it is there.
func (s *site) join(tb testing.TB, addr string, change func(*ClientOptions)) *Client {
	tb.Helper()
	c := s.startJoining(tb, addr, change)
	eventually(tb, "the client to be connected", func() bool { return c.Status().Connected })
	return c
}

func (s *site) startJoining(tb testing.TB, addr string, change func(*ClientOptions)) *Client {
	tb.Helper()
	o := DefaultClientOptions()
	o.Address = addr
	o.RetryMin, o.RetryMax = 5*time.Millisecond, 20*time.Millisecond
	o.Logger = logTo(tb)
	if change != nil {
		change(&o)
	}
	c, err := Join(o, s.node, s.engine)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// eachOnce has every way in bring one message, and checks that every member
// and PHP program gets each of them once.
func eachOnce(t *testing.T, members []*member, php []*peer) {
	t.Helper()
	var want []string
	for i, m := range members {
		text := fmt.Sprintf("from member %d", i)
		want = append(want, text)
		m.send(`{"cmd":"send_to_group","group_id":"g","message":%q}`, text)
	}
	for i, p := range php {
		text := fmt.Sprintf("from PHP %d", i)
		want = append(want, text)
		p.send(with("publish", GroupChannel, groupData("g", text)))
	}
	check := func(name string, next func() string) {
		t.Helper()
		var got []string
		for range want {
			got = append(got, next())
		}
		slices.Sort(got)
		if !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			t.Errorf("%s got %q", name, got)
		}
	}
	for i, m := range members {
		check(fmt.Sprintf("member %d", i), m.next)
	}
	for i, p := range php {
		check(fmt.Sprintf("PHP %d", i), func() string {
			body := p.next()
			_, text, _ := strings.Cut(body, `s:7:"message";`)
			_, text, _ = strings.Cut(text, `"`)
			text, _, _ = strings.Cut(text, `"`)
			return text
		})
	}
}

// once is eachOnce, again: what came twice the first time would be in the way.
func once(t *testing.T, members []*member, php []*peer) {
	t.Helper()
	for range 3 {
		eachOnce(t, members, php)
	}
}

// quiesce waits until what the sites still echo to each other has gone round: a
// copy too many would then be there.
func quiesce(t *testing.T, counter func() uint64, want uint64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d echoes", want), func() bool { return counter() >= want })
	if n := counter(); n != want {
		t.Errorf("%d echoes, want %d", n, want)
	}
}

// TestTwoInACluster: two groupcasts and a PHP worker at one Workerman server.
func TestTwoInACluster(t *testing.T) {
	cluster := startServer(t, NewNode(), nil, nil)
	worker := subscriber(t, cluster.addr, GroupChannel)
	a, b := startSite(t), startSite(t)
	ca, cb := a.join(t, cluster.addr, nil), b.join(t, cluster.addr, nil)
	eventually(t, "both to be subscribed", func() bool { return cluster.Stats().Peers == 2 })
	atA := subscriber(t, a.server.addr, GroupChannel)
	members := []*member{join(t, a.url, "g"), join(t, b.url, "g"), join(t, b.url, "g")}
	once(t, members, []*peer{worker, atA})

	// 3 times: a's member, a PHP program at a; b's two members; the worker.
	quiesce(t, func() uint64 { return ca.Status().Own.Load() }, 6)
	quiesce(t, func() uint64 { return cb.Status().Own.Load() }, 6)
	for _, c := range []*Client{ca, cb} {
		st := c.Status()
		if st.Forwarded.Load() != 6 || st.Received.Load() != 9 || st.NotForwarded.Load() != 0 ||
			sumOf(st.Refused.All())+sumOf(st.Bad.All())+st.Twice.Load() != 0 {
			t.Errorf("%+v", st)
		}
	}
	once(t, members, []*peer{worker, atA})
}

// TestJoinedToAnother: one groupcast is the other one's cluster.
func TestJoinedToAnother(t *testing.T) {
	a, b := startSite(t), startSite(t)
	cb := b.join(t, a.server.addr, nil)
	eventually(t, "the subscription", func() bool { return a.server.Stats().Peers == 1 })
	members := []*member{join(t, a.url, "g"), join(t, b.url, "g")}
	php := []*peer{subscriber(t, a.server.addr, GroupChannel), subscriber(t, b.server.addr, GroupChannel)}
	once(t, members, php)
	quiesce(t, func() uint64 { return cb.Status().Received.Load() }, 6)
	if st := cb.Status(); st.Own.Load() != 0 || st.Forwarded.Load() != 6 {
		t.Errorf("%+v: a server knows whom it need not tell", st)
	}
	once(t, members, php)
}

// TestJoinedToEachOther is a mistake that is easily made, and does no harm.
func TestJoinedToEachOther(t *testing.T) {
	a, b := startSite(t), startSite(t)
	ca, cb := a.join(t, b.server.addr, nil), b.join(t, a.server.addr, nil)
	eventually(t, "both subscriptions", func() bool { return a.server.Stats().Peers == 1 && b.server.Stats().Peers == 1 })
	members := []*member{join(t, a.url, "g"), join(t, b.url, "g")}
	php := []*peer{subscriber(t, a.server.addr, GroupChannel), subscriber(t, b.server.addr, GroupChannel)}
	once(t, members, php)
	once(t, members, php)
	for _, c := range []*Client{ca, cb} {
		if st := c.Status(); st.Received.Load() != 0 || st.Twice.Load() == 0 {
			t.Errorf("%+v", st)
		}
	}
}

// TestJoinedToItself is another one.
func TestJoinedToItself(t *testing.T) {
	a := startSite(t)
	c := a.join(t, a.server.addr, nil)
	eventually(t, "the subscription", func() bool { return a.server.Stats().Peers == 1 })
	members := []*member{join(t, a.url, "g"), join(t, a.url, "g")}
	php := []*peer{subscriber(t, a.server.addr, GroupChannel)}
	once(t, members, php)
	quiesce(t, func() uint64 { return a.server.Stats().Bridge.Own.Load() }, 9)
	once(t, members, php)
	if st := c.Status(); st.Received.Load() != 0 {
		t.Errorf("%+v", st)
	}
}

// TestChain: a message passes through a groupcast to the next, and to a
// cluster behind that, and nothing comes back.
func TestChain(t *testing.T) {
	cluster := startServer(t, NewNode(), nil, nil)
	worker := subscriber(t, cluster.addr, GroupChannel)
	a, b, c := startSite(t), startSite(t), startSite(t)
	a.join(t, b.server.addr, nil)
	c.join(t, b.server.addr, nil)
	b.join(t, cluster.addr, nil)
	eventually(t, "all subscriptions", func() bool { return cluster.Stats().Peers == 1 && b.server.Stats().Peers == 2 })
	members := []*member{join(t, a.url, "g"), join(t, b.url, "g"), join(t, c.url, "g")}
	php := []*peer{worker, subscriber(t, a.server.addr, GroupChannel), subscriber(t, b.server.addr, GroupChannel)}
	once(t, members, php)
	once(t, members, php)
}

// TestValuesBetweenNodes: a JSON value stays one, and an event's other keys stay with it.
func TestValuesBetweenNodes(t *testing.T) {
	cluster := startServer(t, NewNode(), nil, nil)
	worker := subscriber(t, cluster.addr, GroupChannel)
	a, b := startSite(t), startSite(t)
	a.join(t, cluster.addr, nil)
	cb := b.join(t, cluster.addr, nil)
	eventually(t, "both to be subscribed", func() bool { return cluster.Stats().Peers == 2 })
	m := join(t, a.url, "g")
	far := joinWith(t, b.url, &websocket.DialOptions{Subprotocols: []string{"groupcast.v1"}}, "g")
	atB := subscriber(t, b.server.addr, GroupChannel)
	mark := func(kind string) string { return `s:9:"groupcast";` + str(kind+" "+a.node.ID) + `}` }
	for _, test := range []struct{ value, text, kind string }{
		{`42`, `42`, "json"},
		{`{"a": 1}`, `{"a": 1}`, "json"},
		{`"42"`, `42`, "text"},
		{`""`, ``, "text"},
	} {
		m.send(`{"cmd":"send_to_group","group_id":"g","message":%s}`, test.value)
		m.want(test.text)
		far.want(`{"type":"message","group_id":"g","message":` + test.value + `}`)
		data := `a:3:{` + strings.TrimSuffix(groupData("g", test.text), "}")[5:] + mark(test.kind)
		worker.want(eventOf(GroupChannel, data))
		atB.want(eventOf(GroupChannel, data))
	}
	// From a PHP program with more keys, at a, to one at b.
	atA := subscriber(t, a.server.addr, GroupChannel)
	data := `a:3:{s:4:"from";i:7;s:8:"group_id";s:1:"g";s:7:"message";i:5;}`
	atA.send(with("publish", GroupChannel, data))
	atA.want(eventOf(GroupChannel, data))
	m.want("5")
	far.want(`{"type":"message","group_id":"g","message":5}`)
	marked := `a:4:{` + strings.TrimSuffix(data, "}")[5:] + mark("json")
	worker.want(eventOf(GroupChannel, marked))
	atB.want(eventOf(GroupChannel, marked))

	// What says that it is JSON and is not.
	worker.send(with("publish", GroupChannel,
		string(workerman.AppendGroupMessage(nil, "g", "{", []byte("json "+strings.Repeat("f", 16))))))
	eventually(t, "the refusal", func() bool { return get(t, cb.Status().Refused.All(), "bad_message") == 1 })
}

// TestReconnect: it comes back, subscribes again, and keeps nothing for later.
func TestReconnect(t *testing.T) {
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := first.Addr().String()
	start := func(ln net.Listener) *Server {
		o := DefaultOptions()
		o.Logger = logTo(t)
		s, err := NewServer(o, NewNode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = s.Serve(ln) }()
		return s
	}
	stop := func(s *Server) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	}
	cluster := start(first)
	a := startSite(t)
	c := a.join(t, addr, nil)
	m := join(t, a.url, "g")
	m.send(`{"cmd":"send_to_group","group_id":"g","message":"1"}`)
	m.want("1")
	eventually(t, "the first to be forwarded", func() bool { return c.Status().Forwarded.Load() == 1 })
	since := c.Status().Since
	stop(cluster)
	eventually(t, "it to be away", func() bool { return !c.Status().Connected })
	if st := c.Status(); st.LastError == "" || !st.Since.After(since) {
		t.Errorf("%+v", st)
	}
	m.send(`{"cmd":"send_to_group","group_id":"g","message":"2"}`)
	m.want("2") // nobody here waits for the cluster
	eventually(t, "the second to be counted", func() bool { return c.Status().NotForwarded.Load() == 1 })
	attempts := c.Status().Attempts
	eventually(t, "some attempts", func() bool { return c.Status().Attempts > attempts+2 })

	again, err := net.Listen("tcp", addr)
	if err != nil {
		t.Skipf("the port was taken meanwhile: %v", err)
	}
	cluster = start(again)
	defer stop(cluster)
	eventually(t, "it to be back", func() bool { return c.Status().Connected && cluster.Stats().Peers == 1 })
	worker := subscriber(t, addr, GroupChannel)
	worker.send(with("publish", GroupChannel, groupData("g", "3")))
	m.want("3")
	worker.next()
	m.send(`{"cmd":"send_to_group","group_id":"g","message":"4"}`)
	if got := worker.next(); !strings.Contains(got, `s:1:"4"`) {
		t.Errorf("%s", got)
	}
	if st := c.Status(); st.Reconnects != 1 || st.NotForwarded.Load() != 1 || st.LastError != "" {
		t.Errorf("%+v", st)
	}
}

// TestFlush: all that was published before is written, however much it is.
func TestFlush(t *testing.T) {
	cluster := startServer(t, NewNode(), nil, nil)
	a := startSite(t)
	c := a.join(t, cluster.addr, nil)
	const n = 500
	for i := range n {
		publish(t, a.engine, "g", fmt.Sprint(i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if st := c.Status(); st.Forwarded.Load() != n {
		t.Errorf("%d of %d are written", st.Forwarded.Load(), n)
	}
	away := a.startJoining(t, "127.0.0.1:1", nil)
	publish(t, a.engine, "g", "x")
	if err := away.Flush(ctx); err != nil {
		t.Error(err)
	}
}

// badServer accepts one connection after the other and hands each to serve.
func badServer(t *testing.T, serve func(net.Conn)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serve(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	return ln.Addr().String()
}

// TestServerThatDoesNotRead: the members here do not notice; what has no room is
// counted; after WriteTimeout it is left.
func TestServerThatDoesNotRead(t *testing.T) {
	stay := make(chan struct{})
	addr := badServer(t, func(c net.Conn) {
		_ = c.(*net.TCPConn).SetReadBuffer(4096)
		<-stay
	})
	a := startSite(t)
	c := a.join(t, addr, func(o *ClientOptions) {
		o.SendBufferBytes = 10_000
		o.WriteTimeout = 300 * time.Millisecond
		o.RetryMin, o.RetryMax = time.Hour, time.Hour
	})
	t.Cleanup(func() { close(stay) })
	m := join(t, a.url, "g")
	text := strings.Repeat("x", 50_000)
	for sent := 0; c.Status().NotForwarded.Load() == 0; sent++ {
		m.send(`{"cmd":"send_to_group","group_id":"g","message":%q}`, text)
		m.want(text)
		if sent > 10_000 {
			t.Fatal("it takes everything")
		}
	}
	if st := c.Status(); st.SendBytes > 10_000+50_000+500 {
		t.Errorf("%d bytes wait", st.SendBytes)
	}
	eventually(t, "it to be left", func() bool { return !c.Status().Connected })
	// By our deadline, or by the kernel's.
	if e := c.Status().LastError; !strings.Contains(e, "timeout") && !strings.Contains(e, "timed out") {
		t.Error(e)
	}
}

// TestServerOfGarbage: a body that means nothing is counted, a frame that
// cannot be is the end of the connection.
func TestServerOfGarbage(t *testing.T) {
	addr := badServer(t, func(c net.Conn) {
		for _, body := range []string{
			"garbage", `O:8:"stdClass":0:{}`, about("subscribe", "x"), eventOf("other", "N;"), "",
			eventOf(GroupChannel, "N;"), queueOf(GroupChannel, "N;"),
		} {
			_, _ = c.Write(frameOf(body))
		}
		_, _ = c.Write([]byte{0, 0, 0, 1})
		_, _ = c.Read(make([]byte, 1000)) // the subscription: a close would be a reset otherwise
		_, _ = c.Read(make([]byte, 1))
	})
	a := startSite(t)
	c := a.startJoining(t, addr, nil)
	eventually(t, "the third time", func() bool {
		return c.Status().Reconnects >= 2 &&
			get(t, c.Status().Bad.All(), "frame_short") >= 3
	})
	_ = c.Close()
	st := c.Status()
	if n := get(t, st.Bad.All(), "frame_short"); get(t, st.Bad.All(), "syntax") != n ||
		get(t, st.Bad.All(), "object") != n ||
		get(t, st.Bad.All(), "type") != 3*n || get(t, st.Refused.All(), "shape") != n {
		t.Errorf("%+v", st)
	}
}

func TestClientPings(t *testing.T) {
	cluster := startServer(t, NewNode(), nil, func(o *Options) { o.PingTimeout = patience })
	a := startSite(t)
	a.join(t, cluster.addr, func(o *ClientOptions) { o.PingInterval = 10 * time.Millisecond })
	eventually(t, "pings", func() bool { return cluster.Stats().Pings.Load() >= 3 })
	if n := cluster.Stats().Conns; n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestPauses: each is twice the last one within the limits, and a visit that
// was long begins anew.
func TestPauses(t *testing.T) {
	o := DefaultClientOptions()
	var got []time.Duration
	for p := o.nextPause(0, 0); len(got) < 7; p = o.nextPause(p, time.Second) {
		got = append(got, p/time.Second)
	}
	if want := []time.Duration{1, 2, 2, 2, 2, 2, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if p := o.nextPause(2*time.Second, time.Minute); p != time.Second {
		t.Errorf("%s after a long visit", p)
	}
	for range 1000 {
		if d := jittered(time.Second); d < time.Second/2 || d > time.Second {
			t.Fatalf("jittered: %s", d)
		}
	}
}

// TestClientSlowBroker: an event that the broker takes late is counted as
// received, and as late; one that it does not take is refused.
func TestClientSlowBroker(t *testing.T) {
	cluster := startServer(t, NewNode(), nil, nil)
	worker := subscriber(t, cluster.addr, GroupChannel)
	engine, _ := startEngine(t, nil)
	e := &stubborn{Engine: engine}
	var calls atomic.Int32
	e.replace(func(ctx context.Context, p loop.Publication) (uint64, error) {
		<-ctx.Done()
		if calls.Add(1) == 1 {
			return 0, ctx.Err()
		}
		return 0, loop.ErrOverloaded
	})
	o := DefaultClientOptions()
	o.Address = cluster.addr
	o.PublishTimeout = 20 * time.Millisecond
	o.Logger = logTo(t)
	c, err := Join(o, NewNode(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	eventually(t, "the subscription", func() bool { return cluster.Stats().Peers == 1 })
	for range 2 {
		worker.send(with("publish", GroupChannel, groupData("g", "x")))
	}
	eventually(t, "both to be counted", func() bool { return sumOf(c.Status().Refused.All()) == 2 })
	if st := c.Status(); st.Received.Load() != 1 || get(t, st.Refused.All(), "late") != 1 ||
		get(t, st.Refused.All(), "overloaded") != 1 {
		t.Errorf("%+v", st)
	}
}

// TestClientCloseDelivers: what was published before a client is closed reaches the
// server, though that has said something that was not read.
func TestClientCloseDelivers(t *testing.T) {
	const messages, size = 80, 3 << 10
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	engine, _ := startEngine(t, nil)
	e := &stubborn{Engine: engine}
	blocked := make(chan struct{})
	block := sync.OnceFunc(func() { close(blocked) })
	e.replace(func(ctx context.Context, _ loop.Publication) (uint64, error) {
		block()
		<-ctx.Done() // until the client is closed
		return 0, ctx.Err()
	})
	o := DefaultClientOptions()
	o.Address, o.PublishTimeout, o.SendBufferBytes, o.Logger = ln.Addr().String(), time.Hour, 100<<20, logTo(t)
	c, err := Join(o, NewNode(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	socket, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if err := socket.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil { // most waits on the client's side
		t.Fatal(err)
	}
	p := &peer{tb: t, conn: socket, buf: make([]byte, 4096)}
	p.next() // the subscription
	p.send(eventOf(GroupChannel, groupData("g", "the client waits with this one")))
	<-blocked
	for range messages {
		publish(t, engine, "g", strings.Repeat("x", size))
	}
	eventually(t, "all to be handed over", func() bool { return c.handled.Load() == messages })
	for range 10 {
		p.send(eventOf(GroupChannel, groupData("g", "and these it does not read"+strings.Repeat("x", size))))
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = c.Close()
	}()
	<-c.stop.Done()
	for i := range messages {
		if body, err := p.tryNext(); err != nil || len(body) < size {
			t.Fatalf("%d of %d came: %v", i, messages, err)
		}
	}
	p.wantClosed()
	_ = socket.Close()
	<-closed
	if st := c.Status(); st.Forwarded.Load() != messages || st.NotForwarded.Load() != 0 ||
		st.BytesUndelivered.Load() != 0 {
		t.Errorf("%+v", st)
	}
}

// TestClientCloseCounts: what the server does not take before the client is gone is
// counted.
func TestClientCloseCounts(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	e, _ := startEngine(t, nil)
	var log logBuffer
	o := DefaultClientOptions()
	o.Address, o.SendBufferBytes, o.Logger = ln.Addr().String(), 100<<20, log.logger()
	c, err := Join(o, NewNode(), e)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	eventually(t, "it to be there", func() bool { return c.Status().Connected })
	const messages = 400
	for range messages { // more than the kernels take
		publish(t, e, "g", strings.Repeat("x", 60<<10))
	}
	eventually(t, "all to be handed over", func() bool { return c.handled.Load() == messages })
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	st := c.Status()
	if _, known := unacknowledgedBytes(socket); known &&
		(st.BytesUndelivered.Load() == 0 || !strings.Contains(log.String(), "had not taken everything")) {
		t.Errorf("%+v\n%s", st, log.String())
	}
	if st.NotForwarded.Load() == 0 || st.Forwarded.Load()+st.NotForwarded.Load() != messages {
		t.Errorf("%d forwarded, %d not", st.Forwarded.Load(), st.NotForwarded.Load())
	}
}
