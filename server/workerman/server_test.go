package workerman

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"groupcast/protocol/workerman"
)

// TestContract is the contract's example, byte for byte.
func TestContract(t *testing.T) {
	s := startServer(t, NewNode(), nil, nil)
	a, b := dial(t, s.addr), dial(t, s.addr)
	subscribe := append([]byte{0, 0, 0, 0x53},
		`a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";a:1:{i:0;s:13:"send_to_group";}}`...)
	a.write(subscribe)
	b.write(subscribe)
	b.write(subscribe) // once is enough
	b.sync()
	a.send(with("publish", "send_to_group", groupData("123", "hello")))
	const event = `a:3:{s:4:"type";s:5:"event";s:7:"channel";s:13:"send_to_group";s:4:"data";` +
		`a:2:{s:8:"group_id";s:3:"123";s:7:"message";s:5:"hello";}}`
	for _, p := range []*peer{a, b} { // the publisher too
		p.want(event)
		p.sync() // and not twice
	}
	b.send(about("unsubscribe", "send_to_group", "never heard of"))
	b.sync()
	a.send(with("publish", "send_to_group", "i:5;"))
	a.want(eventOf("send_to_group", "i:5;"))
	b.sync()
	if n := s.Stats().EventsUnheard; n != 0 {
		t.Errorf("%d events without a subscriber", n)
	}
	a.send(with("publish", "nobody", "i:5;"))
	a.sync()
	if n := s.Stats().EventsUnheard; n != 1 {
		t.Errorf("%d events without a subscriber, want 1", n)
	}
}

// TestChannelForms: an integer and the string of it are one channel, and each
// publisher's form comes back.
func TestChannelForms(t *testing.T) {
	s := startServer(t, NewNode(), nil, nil)
	p := dial(t, s.addr)
	p.send(`a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";a:2:{i:0;i:123;i:1;s:4:"0123";}}`)
	for _, form := range []string{`i:123;`, `s:3:"123";`, `s:4:"0123";`} {
		p.send(`a:3:{s:4:"type";s:7:"publish";s:8:"channels";a:1:{i:0;` + form + `}s:4:"data";N;}`)
		p.want(`a:3:{s:4:"type";s:5:"event";s:7:"channel";` + form + `s:4:"data";N;}`)
	}
	// A queue keeps the form in which it was named first.
	p.send(`a:3:{s:4:"type";s:7:"enqueue";s:8:"channels";a:1:{i:0;i:7;}s:4:"data";N;}`)
	p.send(about("watch", "7"))
	p.send(`a:1:{s:4:"type";s:7:"reserve";}`)
	p.want(`a:3:{s:4:"type";s:5:"queue";s:7:"channel";i:7;s:4:"data";N;}`)
}

func TestPublishToSeveral(t *testing.T) {
	s := startServer(t, NewNode(), nil, nil)
	p := subscriber(t, s.addr, "a", "c")
	p.send(`a:3:{s:4:"data";i:1;s:8:"channels";` + names("c", "b", "a", "a") + `s:4:"type";s:7:"publish";}` + "\n")
	p.want(eventOf("c", "i:1;"))
	p.want(eventOf("a", "i:1;"))
	p.want(eventOf("a", "i:1;"))
	p.sync()
}

// TestReferences: a back reference is another number in the event.
func TestReferences(t *testing.T) {
	s := startServer(t, NewNode(), nil, nil)
	p := subscriber(t, s.addr, "c")
	p.send(with("publish", "c", `a:2:{i:0;i:1;i:1;R:6;}`))
	p.want(eventOf("c", `a:2:{i:0;i:1;i:1;R:5;}`))
}

// TestReferencesTooLong: numbers that become longer can make an event too long
// whose message was not.
func TestReferencesTooLong(t *testing.T) {
	data := "a:67:{" + strings.Repeat("i:0;N;", 7)
	for i := range 60 {
		data += fmt.Sprintf("i:%d;R:9;", i) // will be R:11
	}
	data += "}"
	frame := func(typ string) string {
		return `a:3:{s:4:"data";` + data + `s:8:"channels";` + names("c") + `s:4:"type";` + str(typ) + `}`
	}
	limit := len(frame("publishLoop")) + 4
	s := startServer(t, NewNode(), nil, func(o *Options) { o.MaxFrameBytes = limit })
	p := subscriber(t, s.addr, "c")
	p.send(about("watch", "c"))
	p.send(`a:1:{s:4:"type";s:7:"reserve";}`)
	for _, typ := range []string{"publish", "publishLoop", "enqueue"} {
		p.send(frame(typ))
	}
	p.send(with("enqueue", "c", "N;"))
	p.want(queueOf("c", "N;"))
	p.sync()
	if st := s.Stats(); get(t, st.Bad.All(), "frame_long") != 3 || st.QueuedMessages != 0 || st.Conns != 1 {
		t.Errorf("%+v", st)
	}
}

func TestPublishLoop(t *testing.T) {
	s := startServer(t, NewNode(), nil, nil)
	const subscribers, rounds = 3, 4
	var all []*peer
	for range subscribers {
		all = append(all, subscriber(t, s.addr, "c"))
	}
	w := dial(t, s.addr)
	for i := range subscribers * rounds {
		w.send(with("publishLoop", "c", fmt.Sprintf("i:%d;", i)))
	}
	w.send(with("publishLoop", "nobody", "N;"))
	w.sync()
	seen := make(map[string]bool)
	for _, p := range all {
		for range rounds {
			seen[p.next()] = true
		}
		p.sync() // no more than its share
	}
	if len(seen) != subscribers*rounds {
		t.Errorf("%d different events", len(seen))
	}
}

func TestQueue(t *testing.T) {
	s := startServer(t, NewNode(), nil, nil)
	const reserve = `a:1:{s:4:"type";s:7:"reserve";}`
	w := dial(t, s.addr)
	for i := range 3 {
		w.send(with("enqueue", "jobs", fmt.Sprintf("i:%d;", i)))
	}
	w.sync()
	if st := s.Stats(); st.Queues != 1 || st.QueuedMessages != 3 || st.QueuedBytes == 0 || st.Enqueued != 3 {
		t.Fatalf("%+v", st)
	}
	a, b := dial(t, s.addr), dial(t, s.addr)
	a.send(reserve) // watches nothing
	a.send(about("watch", "jobs", "jobs", "other"))
	a.sync() // a watch is not a credit
	a.send(reserve)
	a.want(queueOf("jobs", "i:0;"))
	a.sync()
	a.send(reserve) // a credit is left on the other queue
	a.want(queueOf("jobs", "i:1;"))
	b.send(about("watch", "jobs"))
	b.send(reserve)
	b.want(queueOf("jobs", "i:2;"))
	w.sync()
	if st := s.Stats(); st.Queues != 2 || st.QueuedMessages != 0 || st.QueuedBytes != 0 || st.Dequeued != 3 ||
		st.Watches != 3 {
		t.Fatalf("%+v", st)
	}

	// Credits are served in their order; two from one consumer are one.
	b.send(reserve)
	b.send(reserve)
	b.sync()
	a.send(reserve)
	a.sync()
	for i := range 3 {
		w.send(with("enqueue", "jobs", fmt.Sprintf("i:%d;", 10+i)))
	}
	b.want(queueOf("jobs", "i:10;"))
	a.want(queueOf("jobs", "i:11;"))
	b.sync()
	a.sync()
	w.sync()
	if st := s.Stats(); st.QueuedMessages != 1 {
		t.Fatalf("%+v", st)
	}
	// Who goes takes its credits along, and what it watches; what is queued stays.
	b.send(reserve)
	b.want(queueOf("jobs", "i:12;"))
	b.send(reserve)
	b.send(about("unwatch", "jobs"))
	b.sync()
	_ = a.conn.Close()
	eventually(t, "a's watches to go", func() bool { return s.Stats().Watches == 0 })
	if st := s.Stats(); st.Queues != 0 {
		t.Errorf("%d queues are left, empty and unwatched", st.Queues)
	}
	w.send(with("enqueue", "jobs", "i:20;"))
	b.sync()
	w.sync()
	b.send(about("watch", "jobs"))
	b.send(about("unwatch", "jobs"))
	b.send(about("watch", "jobs"))
	b.send(reserve)
	b.want(queueOf("jobs", "i:20;"))
}

// TestBadBodies: they are counted, spoil nothing, and the connection stays.
func TestBadBodies(t *testing.T) {
	s := startServer(t, NewNode(), nil, func(o *Options) { o.MaxDepth = 5 })
	p := subscriber(t, s.addr, "c")
	bad := map[string]string{
		"syntax":    "garbage",
		"object":    with("publish", "c", `O:8:"stdClass":0:{}`),
		"reference": with("publish", "c", `R:1;`),
		"depth":     with("publish", "c", strings.Repeat("a:1:{i:0;", 9)+"N;"+strings.Repeat("}", 9)),
		"type":      `a:1:{s:4:"type";s:4:"nope";}`,
		"channels":  `a:1:{s:4:"type";s:9:"subscribe";}`,
	}
	for _, body := range bad {
		p.send(body)
		p.send(body)
	}
	p.send(eventOf("c", "N;")) // what only a server says: type
	p.write([]byte{0, 0, 0, 4})
	p.send(with("publish", "c", "i:1;"))
	p.want(eventOf("c", "i:1;"))
	st := s.Stats()
	for reason := range bad {
		want := uint64(2)
		if reason == "type" {
			want = 3
		}
		if n := get(t, st.Bad.All(), reason); n != want {
			t.Errorf("%s: %d, want %d", reason, n, want)
		}
	}
	if st.Pings.Load() != 1 || st.BytesIn.Load() == 0 || st.BytesOut.Load() == 0 ||
		st.FramesIn.Load() != uint64(2*len(bad)+1+1+1+4) {
		t.Errorf("%+v", st)
	}
}

// TestBadFrames: after a length that cannot be, nobody knows where frames begin.
func TestBadFrames(t *testing.T) {
	s := startServer(t, NewNode(), nil, func(o *Options) { o.MaxFrameBytes = 1000; o.MaxPartialBytes = 1000 })
	good := subscriber(t, s.addr, "c")
	for _, test := range []struct {
		bytes  []byte
		reason string
	}{
		{[]byte{0, 0, 0, 0}, "frame_short"},
		{[]byte{0, 0, 0, 3}, "frame_short"},
		{[]byte{0, 0, 0x03, 0xe9}, "frame_long"},
		{[]byte("GET / HTTP/1.1\r\n\r\n"), "frame_long"},
	} {
		before := get(t, s.Stats().Bad.All(), test.reason)
		p := dial(t, s.addr)
		p.write(append(frameOf(with("publish", "c", "i:1;")), test.bytes...))
		p.wantClosed()
		good.want(eventOf("c", "i:1;")) // what came before counts
		if n := get(t, s.Stats().Bad.All(), test.reason); n != before+1 {
			t.Errorf("%v: %d of %s, want %d", test.bytes, n, test.reason, before+1)
		}
	}
	eventually(t, "all to be closed", func() bool { return get(t, s.Stats().ConnsClosed.All(), "bad_frame") == 4 })

	// The largest frame that may be.
	body := with("publish", "c", str(strings.Repeat("x", 1000-4-len(with("publish", "c", str(""))))))
	for len(body) > 996 { // the length's digits
		body = strings.Replace(body, "xx", "x", 1)
	}
	body = with("publish", "c", str(strings.Repeat("x", strings.Count(body, "x")-1)))
	good.send(body)
	if got := good.next(); !strings.Contains(got, "xxx") {
		t.Error(got)
	}
}

// TestHalfFrames: a frame may come byte by byte, and many at once.
func TestHalfFrames(t *testing.T) {
	s := startServer(t, NewNode(), nil, nil)
	p := subscriber(t, s.addr, "c")
	frame := frameOf(with("publish", "c", "i:1;"))
	for _, b := range frame {
		p.write([]byte{b})
	}
	p.want(eventOf("c", "i:1;"))
	var many []byte
	for range 1000 {
		many = append(many, frame...)
	}
	p.write(many)
	for range 1000 {
		p.want(eventOf("c", "i:1;"))
	}
}

// TestPartialBytes: half frames of all connections together are bounded, and the
// connection that holds most goes, not the one that comes last.
func TestPartialBytes(t *testing.T) {
	var log logBuffer
	s := startServer(t, NewNode(), nil, func(o *Options) {
		o.MaxFrameBytes, o.MaxPartialBytes, o.Logger = 1<<20, 1<<20, log.logger()
	})
	half := func(n int) []byte { return append([]byte{0, 0x0f, 0, 0}, make([]byte, n-4)...) }
	small, hog := dial(t, s.addr), dial(t, s.addr)
	small.write(half(100 << 10))
	hog.write(half(800 << 10))
	eventually(t, "the half frames", func() bool { return s.Stats().PartialBytes == 900<<10 })
	late := dial(t, s.addr)
	body := with("publish", "nobody", str(strings.Repeat("x", 500<<10)))
	late.send(body)
	late.sync()
	hog.wantClosed()
	eventually(t, "it to be counted", func() bool { return get(t, s.Stats().ConnsClosed.All(), "partial_frames") == 1 })
	eventually(t, "it to be logged", func() bool {
		return strings.Contains(log.String(), "why=partial_frames peer="+hog.conn.LocalAddr().String())
	})
	eventually(t, "the small one's to be left", func() bool { return s.Stats().PartialBytes == 100<<10 })
	small.write(make([]byte, 0x0f0000-100<<10))
	eventually(t, "the whole frame", func() bool { return s.Stats().PartialBytes == 0 })
	small.sync()
}

// TestSlowReader: who does not read misses events, which are counted, and
// costs nobody else anything. When it reads again it gets what comes then.
func TestSlowReader(t *testing.T) {
	s := startServer(t, NewNode(), nil, func(o *Options) { o.SendBufferBytes = 100 << 10 })
	slow, quick := subscriber(t, s.addr, "c"), subscriber(t, s.addr, "c")
	w := dial(t, s.addr)
	data := str(strings.Repeat("x", 50<<10))
	sent := 0
	for s.Stats().EventsDropped < 10 {
		w.send(with("publish", "c", data))
		quick.want(eventOf("c", data))
		if sent++; sent > 10_000 {
			t.Fatal("10,000 events, and nothing dropped")
		}
	}
	st := s.Stats()
	// One frame beyond the limit, and one for the quick one.
	if limit := 100<<10 + 2*(len(eventOf("c", data))+4); st.SendBytes > limit {
		t.Errorf("%d bytes wait, more than %d", st.SendBytes, limit)
	}
	for range sent - int(st.EventsDropped) {
		slow.want(eventOf("c", data))
	}
	w.send(with("publish", "c", "i:1;"))
	slow.want(eventOf("c", "i:1;"))
	quick.want(eventOf("c", "i:1;"))
	if st := s.Stats(); st.EventsDropped+st.EventsOut < uint64(2*sent) {
		t.Errorf("%d dropped and %d out of %d", st.EventsDropped, st.EventsOut, 2*sent)
	}
}

// behindGate serves further connections, to which the server can write nothing until the
// gate is opened.
func behindGate(t *testing.T, s *testServer) (address string, g *gate) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g = &gate{ln, make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- s.Serve(g) }()
	t.Cleanup(func() {
		_ = ln.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String(), g
}

// gate is a listener whose connections the server can write nothing to until
// it is opened: their peers are as slow as can be, whatever the kernel buffers.
type gate struct {
	net.Listener
	open chan struct{}
}

func (g *gate) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &gatedConn{Conn: c, open: g.open, closed: make(chan struct{}), past: make(chan struct{})}, nil
}

type gatedConn struct {
	net.Conn
	open   chan struct{}
	closed chan struct{}
	once   sync.Once

	mu    sync.Mutex // guards the next two
	past  chan struct{}
	timer *time.Timer // closes past
}

func (c *gatedConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	past := c.past
	c.mu.Unlock()
	select {
	case <-c.open:
		return c.Conn.Write(b)
	case <-past:
		return 0, os.ErrDeadlineExceeded
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

// SetWriteDeadline is for a Write that has begun as well, once.
func (c *gatedConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer == nil || !c.timer.Stop() {
		c.past = make(chan struct{})
	}
	past := c.past
	c.timer = time.AfterFunc(time.Until(t), func() { close(past) })
	return c.Conn.SetWriteDeadline(t)
}

func (c *gatedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// stalled is a peer behind a gate that has been sent as much as the server
// keeps for it: so many events of the channel flood. It subscribes to channels
// beside.
func stalled(t *testing.T, s *testServer, channels ...string) (p *peer, events int, open func()) {
	t.Helper()
	address, g := behindGate(t, s)
	p = dial(t, address)
	p.send(about("subscribe", append(channels, "flood")...))
	w := dial(t, s.addr)
	before := s.Stats()
	published := get(t, before.Messages.All(), "publish")
	for s.Stats().EventsDropped == before.EventsDropped {
		w.send(with("publish", "flood", str(strings.Repeat("x", 50<<10))))
		w.sync()
	}
	after := s.Stats()
	sent := get(t, after.Messages.All(), "publish") - published
	// Each was published with one of w's own; the first ones may have come before the subscription.
	events = int(sent/2 - 1 - (after.EventsUnheard - before.EventsUnheard))
	return p, events, sync.OnceFunc(func() { close(g.open) })
}

// TestSlowConsumer: a job is not lost to a consumer that has no room; it goes
// to another one, or to the same one later.
func TestSlowConsumer(t *testing.T) {
	s := startServer(t, NewNode(), nil, func(o *Options) { o.SendBufferBytes = 100 << 10 })
	slow, flood, open := stalled(t, s)
	const reserve = `a:1:{s:4:"type";s:7:"reserve";}`
	slow.send(about("watch", "jobs"))
	slow.send(reserve)
	eventually(t, "the watch", func() bool {
		return s.Stats().Watches == 1 &&
			get(t, s.Stats().Messages.All(), "reserve") == 1
	})
	w := dial(t, s.addr)
	w.send(with("enqueue", "jobs", "i:1;"))
	w.send(with("enqueue", "jobs", "i:2;"))
	w.sync()
	if st := s.Stats(); st.QueuedMessages != 2 {
		t.Fatalf("%d are queued", st.QueuedMessages)
	}
	other := dial(t, s.addr)
	other.send(about("watch", "jobs"))
	other.send(reserve)
	other.want(queueOf("jobs", "i:1;"))
	open()
	for range flood {
		if got := slow.next(); !strings.Contains(got, "flood") {
			t.Fatalf("%.100s", got)
		}
	}
	slow.want(queueOf("jobs", "i:2;"))
	if st := s.Stats(); st.QueuedMessages != 0 || st.QueueDropped != 0 {
		t.Errorf("%+v", st)
	}
}

// TestPublishLoopPassesOver: who has no room is passed over; with nobody else
// the event is dropped.
func TestPublishLoopPassesOver(t *testing.T) {
	s := startServer(t, NewNode(), nil, func(o *Options) { o.SendBufferBytes = 100 << 10 })
	_, _, open := stalled(t, s, "c")
	defer open()
	w := dial(t, s.addr)
	dropped := s.Stats().EventsDropped
	w.send(with("publishLoop", "c", "i:0;"))
	w.sync()
	if n := s.Stats().EventsDropped - dropped; n != 1 {
		t.Errorf("%d dropped", n)
	}
	quick := subscriber(t, s.addr, "c")
	for i := range 5 {
		w.send(with("publishLoop", "c", fmt.Sprintf("i:%d;", i)))
		quick.want(eventOf("c", fmt.Sprintf("i:%d;", i)))
	}
}

func TestLimits(t *testing.T) {
	s := startServer(t, NewNode(), nil, func(o *Options) {
		o.Channel = "g"
		o.MaxChannelBytes, o.MaxChannelsPerConn, o.MaxSubscriptions = 5, 4, 6
		o.MaxQueues, o.MaxQueueMessages, o.MaxQueueBytes, o.MaxAllQueueBytes = 2, 3, 1000, 1500
	})
	limited := func(label string, want uint64) {
		t.Helper()
		eventually(t, fmt.Sprintf("%s to be %d", label, want),
			func() bool { return get(t, s.Stats().Limited.All(), label) == want })
	}
	p := dial(t, s.addr)
	p.send(about("subscribe", "12345", "123456"))
	p.send(with("publish", "12345", "N;"))
	p.want(eventOf("12345", "N;"))
	p.send(with("publish", "123456", "N;"))
	p.sync()
	limited("channel_bytes", 1)
	p.send(about("subscribe", "a", "b", "c", "d", "a"))
	p.send(about("watch", "e"))
	limited("channels_per_conn", 2)
	w := dial(t, s.addr)
	for _, c := range []string{"c", "d", "e", "c"} {
		w.send(with("publish", c, "N;"))
	}
	w.sync()
	p.want(eventOf("c", "N;"))
	p.want(eventOf("c", "N;"))
	eventually(t, "w's subscription to go", func() bool { return s.Stats().Subscriptions == 4 })
	q := dial(t, s.addr)
	q.send(about("subscribe", "1", "2", "3")) // two are left in all
	for _, c := range []string{"3", "2", "1"} {
		q.send(with("publish", c, "N;"))
	}
	q.want(eventOf("2", "N;"))
	q.want(eventOf("1", "N;"))
	limited("subscriptions", 1)
	_ = q.conn.Close()
	_ = p.conn.Close()
	eventually(t, "both to be gone", func() bool { return s.Stats().Subscriptions == 0 && s.Stats().Channels == 0 })

	for range 4 {
		w.send(with("enqueue", "q1", "N;"))
	}
	w.send(with("enqueue", "123456", "N;"))
	w.sync()
	limited("channel_bytes", 2)
	if st := s.Stats(); st.QueueDropped != 1 || st.QueuedMessages != 3 {
		t.Errorf("messages: %d dropped, %d queued", st.QueueDropped, st.QueuedMessages)
	}
	w.send(with("enqueue", "q2", str(strings.Repeat("x", 600))))
	w.send(with("enqueue", "q2", str(strings.Repeat("x", 600)))) // over one queue's bytes
	w.send(with("enqueue", "q2", str(strings.Repeat("x", 400)))) // over all queues'
	w.send(with("enqueue", "q3", "N;"))
	w.sync()
	limited("queues", 1)
	if st := s.Stats(); st.QueueDropped != 3 || st.QueuedMessages != 4 || st.QueuedBytes > 1500 {
		t.Errorf("bytes: %d dropped, %d queued, %d bytes", st.QueueDropped, st.QueuedMessages, st.QueuedBytes)
	}
}

// TestMaxChannelsPerFrame: of a message with too many channels the first ones count.
func TestMaxChannelsPerFrame(t *testing.T) {
	var log logBuffer
	s := startServer(t, NewNode(), nil, func(o *Options) {
		o.MaxChannelsPerFrame, o.MaxChannelsPerConn, o.Logger = 3, 4, log.logger()
	})
	p := dial(t, s.addr)
	p.send(about("subscribe", "1", "2", "3", "4", "5"))
	for _, c := range []string{"5", "4", "3", "1"} {
		p.send(with("publish", c, "N;"))
	}
	p.want(eventOf("3", "N;"))
	p.want(eventOf("1", "N;"))
	if n := get(t, s.Stats().Limited.All(), "channels_per_message"); n != 2 {
		t.Errorf("%d counted, want 2", n)
	}
	p.send(about("subscribe", "4", "5", "1"))
	p.send(with("publish", "5", "N;"))
	p.send(with("publish", "4", "N;"))
	p.want(eventOf("4", "N;"))
	if n := get(t, s.Stats().Limited.All(), "channels_per_conn"); n != 1 {
		t.Errorf("%d counted, want 1", n)
	}
	for _, want := range []string{"named=5 refused=2", "of_one_connection=4 of_one_message=3"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, log.String())
		}
	}
}

// TestAllow: only the networks that are allowed may connect, but for unix sockets.
func TestAllow(t *testing.T) {
	for networks, allowed := range map[string]bool{
		"":                         true,
		"10.0.0.0/8":               false,
		"10.0.0.0/8 127.0.0.0/8":   true,
		"127.0.0.1/32":             true,
		"127.0.0.2/32 ::1/128":     false,
		"::ffff:127.0.0.0/104":     false, // a network of IPv6
		"0.0.0.0/0":                true,
		"::/0":                     false,
		"fe80::/10 192.168.0.0/16": false,
	} {
		t.Run(networks, func(t *testing.T) {
			var log logBuffer
			s := startServer(t, NewNode(), nil, func(o *Options) {
				o.Logger = log.logger()
				for n := range strings.FieldsSeq(networks) {
					o.Allow = append(o.Allow, netip.MustParsePrefix(n))
				}
			})
			if allowed {
				dial(t, s.addr).sync()
				return
			}
			dial(t, s.addr).wantClosed()
			wantCause(t, s, "not_allowed", 1)
			eventually(t, "the log", func() bool { return strings.Contains(log.String(), "its address is not allowed") })
			path := filepath.Join(t.TempDir(), "s")
			serve(t, s.Server, "unix", path)
			c, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			(&peer{tb: t, conn: c, buf: make([]byte, 100)}).sync()
		})
	}
}

func TestMaxConns(t *testing.T) {
	s := startServer(t, NewNode(), nil, func(o *Options) { o.MaxConns = 2 })
	a, b := dial(t, s.addr), dial(t, s.addr)
	a.sync()
	b.sync()
	dial(t, s.addr).wantClosed()
	if n := s.Stats().ConnsRefused.Load(); n != 1 {
		t.Errorf("%d refused", n)
	}
	_ = a.conn.Close()
	eventually(t, "room", func() bool { return s.Stats().Conns == 1 })
	dial(t, s.addr).sync()
	b.sync()
}

// TestSilence: who has pinged and then is silent is closed; who never has is not,
// unless that is asked for.
func TestSilence(t *testing.T) {
	s := startServer(t, NewNode(), nil, func(o *Options) { o.PingTimeout = 50 * time.Millisecond })
	quiet, pinging := dial(t, s.addr), dial(t, s.addr)
	quiet.sync()
	pinging.write([]byte{0, 0, 0, 4})
	pinging.wantClosed()
	quiet.sync()
	eventually(t, "it to be counted", func() bool { return get(t, s.Stats().ConnsClosed.All(), "silent") == 1 })
	s = startServer(t, NewNode(), nil, func(o *Options) { o.IdleTimeout = 50 * time.Millisecond })
	dial(t, s.addr).wantClosed()
}

// tiredListener fails for a while as a process without descriptors does.
type tiredListener struct {
	net.Listener
	failures atomic.Int32
	err      error
}

func (l *tiredListener) Accept() (net.Conn, error) {
	if l.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: l.err}
	}
	return l.Listener.Accept()
}

func TestAcceptErrors(t *testing.T) {
	s := startServer(t, NewNode(), nil, nil)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := &tiredListener{Listener: inner, err: syscall.EMFILE}
	ln.failures.Store(3)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	dial(t, inner.Addr().String()).sync()
	if n := s.Stats().AcceptErrors.Load(); n != 3 {
		t.Errorf("%d counted", n)
	}
	_ = inner.Close()
	if err := <-served; err != nil {
		t.Errorf("a closed listener: %v", err)
	}
	broken := &tiredListener{Listener: inner, err: syscall.EBADF}
	broken.failures.Store(1)
	if err := s.Serve(broken); !errors.Is(err, syscall.EBADF) {
		t.Errorf("an error that stays: %v", err)
	}
}

// TestUnixSocket: the protocol does not care.
func TestUnixSocket(t *testing.T) {
	s := startServer(t, NewNode(), nil, nil)
	path := filepath.Join(t.TempDir(), "channel.sock")
	serve(t, s.Server, "unix", path)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := &peer{tb: t, conn: c, buf: make([]byte, 100)}
	p.sync()
}

// TestClose: what was read is served and what waits is written; who does not
// read is cut when the time is over.
func TestClose(t *testing.T) {
	s := startServer(t, NewNode(), nil, nil)
	_, _, open := stalled(t, s)
	defer open()
	quick, half := subscriber(t, s.addr, "c"), dial(t, s.addr)
	half.write([]byte{0, 0, 0})
	w := dial(t, s.addr)
	const n = 100
	for i := range n {
		w.send(with("publish", "c", fmt.Sprintf("i:%d;", i)))
	}
	w.sync()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- s.Close(ctx) }()
	for i := range n {
		quick.want(eventOf("c", fmt.Sprintf("i:%d;", i)))
	}
	for _, p := range []*peer{quick, half, w} {
		p.wantClosed()
	}
	cancel()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := s.Close(ctx); err != nil {
		t.Errorf("again: %v", err)
	}
	if st := s.Stats(); st.Conns != 0 || st.FramesDiscarded.Load() == 0 {
		t.Errorf("%+v", st)
	}
	if err := s.Serve(nil); !errors.Is(err, ErrServerClosed) {
		t.Errorf("Serve: %v", err)
	}
}

func TestOptions(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Error(err)
	}
	c := DefaultClientOptions()
	c.Address = "unix:/run/channel.sock"
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	for _, address := range []string{"", ":2206", "127.0.0.1", "127.0.0.1:", "unix:", "tcp://127.0.0.1:2206"} {
		c.Address = address
		if err := c.Validate(); err == nil {
			t.Errorf("address %q is taken", address)
		}
	}
	err := Options{}.Validate()
	for _, field := range []string{
		"MaxConns", "MaxFrameBytes", "MaxDepth", "Channel", "PingTimeout", "SinkBytes",
		"MaxQueueMessages",
	} {
		if err == nil || !strings.Contains(err.Error(), field+": wants") {
			t.Errorf("nothing about %s in: %v", field, err)
		}
	}
	if _, err := NewServer(Options{}, NewNode(), nil); err == nil {
		t.Error("a server without limits")
	}
	o := DefaultOptions()
	o.MaxPartialBytes = o.MaxFrameBytes - 1
	if o.Validate() == nil {
		t.Error("no frame would fit")
	}
}

// TestNodeNames: a name is one of the protocol's.
func TestNodeNames(t *testing.T) {
	a, b := NewNode(), NewNode()
	if a.ID == b.ID || !workerman.IsNodeID([]byte(a.ID)) {
		t.Errorf("%q, %q", a.ID, b.ID)
	}
}
