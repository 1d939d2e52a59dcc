package workerman

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"groupcast/protocol/workerman"
)

// dialFrom connects from an address of the loopback network.
func dialFrom(t *testing.T, from, addr string) *peer {
	t.Helper()
	d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Skipf("this system's loopback network has one address: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &peer{tb: t, conn: c, buf: make([]byte, 4096)}
}

// wantCause waits until so many connections were closed for the reason.
func wantCause(t *testing.T, s *testServer, cause string, n uint64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d closed as %s", n, cause),
		func() bool { return get(t, s.Stats().ConnsClosed.All(), cause) == n })
}

// TestFrameTimeout: a frame that has begun must end, however many bytes drip in.
func TestFrameTimeout(t *testing.T) {
	s := startServer(t, NewNode(), nil, func(o *Options) { o.FrameTimeout = 50 * time.Millisecond })
	whole := subscriber(t, s.addr, "c")
	half := subscriber(t, s.addr, "d")
	half.write([]byte{0, 0, 1, 0, 'a'})
	half.wantClosed()
	wantCause(t, s, "half_frame", 1)
	drip := dial(t, s.addr)
	drip.write([]byte{0, 0x0f, 0, 0})
	eventually(t, "the dripping one to be closed", func() bool {
		_, err := drip.conn.Write([]byte{'a'})
		return err != nil
	})
	wantCause(t, s, "half_frame", 2)
	if n := s.Stats().PartialBytes; n != 0 {
		t.Errorf("%d bytes are left", n)
	}
	whole.sync()
}

// TestFirstTimeout: who says nothing is closed, who has said a word is not.
func TestFirstTimeout(t *testing.T) {
	s := startServer(t, NewNode(), nil, func(o *Options) { o.FirstTimeout = 50 * time.Millisecond })
	spoke := dial(t, s.addr)
	spoke.sync()
	for range 2 {
		dial(t, s.addr).wantClosed()
	}
	wantCause(t, s, "no_word", 2)
	spoke.sync()
}

// TestSilentPerAddress: of the connections of an address that have said nothing,
// only the latest are kept.
func TestSilentPerAddress(t *testing.T) {
	var log logBuffer
	s := startServer(t, NewNode(), nil, func(o *Options) { o.MaxSilentPerAddress, o.Logger = 2, log.logger() })
	var workers []*peer
	for range 5 { // of one machine, and they have spoken
		p := dial(t, s.addr)
		p.sync()
		workers = append(workers, p)
	}
	other := dialFrom(t, "127.0.0.2", s.addr)
	eventually(t, "it", func() bool { return s.Stats().Conns == 6 })
	var silent []*peer
	for i := range 4 {
		silent = append(silent, dial(t, s.addr))
		eventually(t, "one more", func() bool { return s.Stats().ConnsAccepted.Load() == uint64(7+i) })
	}
	silent[0].wantClosed()
	silent[1].wantClosed()
	wantCause(t, s, "crowded", 2)
	for _, p := range append(workers, other, silent[2], silent[3]) {
		p.sync()
	}
	eventually(t, "the log", func() bool { return strings.Contains(log.String(), "why=crowded") })
}

// TestSilentMakeRoom: where connections are too many, the address with most that have
// said nothing makes room, and nobody who has spoken.
func TestSilentMakeRoom(t *testing.T) {
	s := startServer(t, NewNode(), nil, func(o *Options) { o.MaxConns = 4 })
	worker := dial(t, s.addr)
	worker.sync()
	one := dialFrom(t, "127.0.0.2", s.addr)
	eventually(t, "it", func() bool { return s.Stats().Conns == 2 })
	first, second := dial(t, s.addr), dial(t, s.addr)
	eventually(t, "all", func() bool { return s.Stats().Conns == 4 })
	late := dialFrom(t, "127.0.0.3", s.addr)
	late.sync()
	wantCause(t, s, "crowded", 1)
	closed := 0
	for _, p := range []*peer{first, second} {
		_, _ = p.conn.Write(append(frameOf(about("subscribe", "x")), frameOf(with("publish", "x", "N;"))...))
		if _, err := p.tryNext(); err != nil {
			closed++
		}
	}
	if closed != 1 {
		t.Errorf("%d of the two were closed", closed)
	}
	for _, p := range []*peer{worker, one, late} {
		p.sync()
	}
	dial(t, s.addr).wantClosed() // all have spoken now
	if n := s.Stats().ConnsRefused.Load(); n != 1 {
		t.Errorf("%d refused", n)
	}
}

func TestAddressOf(t *testing.T) {
	for addr, want := range map[net.Addr]string{
		&net.TCPAddr{IP: net.ParseIP("10.1.2.3"), Port: 5}:              "10.1.2.3",
		&net.TCPAddr{IP: net.ParseIP("::ffff:10.1.2.3"), Port: 5}:       "10.1.2.3",
		&net.TCPAddr{IP: net.ParseIP("2001:db8:1:2:3:4:5:6"), Port: 5}:  "2001:db8:1:2::/64",
		&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 5}: "fe80::/64",
		&net.UnixAddr{Name: "@", Net: "unix"}:                           "unix",
	} {
		if got := new(Options).addressOf(addr); got != want {
			t.Errorf("%v: %q, want %q", addr, got, want)
		}
	}
}

// heap is what is in use.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestSharedFrame: a message to many channels is kept once, however many do not read it.
func TestSharedFrame(t *testing.T) {
	const subscribers, size = 40, 4 << 20
	s := startServer(t, NewNode(), nil, nil)
	address, g := behindGate(t, s)
	channels := make([]string, subscribers)
	slow := make([]*peer, subscribers)
	for i := range slow {
		channels[i] = fmt.Sprintf("c%02d", i)
		slow[i] = dial(t, address)
		slow[i].send(about("subscribe", channels[i]))
	}
	eventually(t, "all subscriptions", func() bool { return s.Stats().Subscriptions == subscribers })
	data := str(strings.Repeat("x", size))
	before := heap()
	w := dial(t, s.addr)
	w.send(`a:3:{s:4:"type";s:7:"publish";s:8:"channels";` + names(channels...) + `s:4:"data";` + data + `}`)
	w.sync()
	if st := s.Stats(); st.EventsOut != subscribers+1 || st.SendBytes < size || st.SendBytes > size+subscribers*200 {
		t.Errorf("%d events, %d bytes wait", st.EventsOut, st.SendBytes)
	}
	if grown := heap() - before; grown > 10*size {
		t.Errorf("%d MiB for one message of %d", grown>>20, size>>20)
	}
	close(g.open)
	for i, p := range slow {
		p.want(eventOf(channels[i], data))
	}
	eventually(t, "the books to be empty", func() bool { return s.Stats().SendBytes == 0 })
}

// TestSendBudget: what waits for all connections is bounded. Those pay for which
// most waits, and neither a new one nor one that reads.
func TestSendBudget(t *testing.T) {
	const limit, frame = 1 << 20, 100 << 10
	s := startServer(t, NewNode(), nil, func(o *Options) {
		o.MaxFrameBytes, o.MaxSendBytes, o.SendBufferBytes, o.MaxPartialBytes = limit, limit, 500<<10, limit
	})
	quick := subscriber(t, s.addr, "all")
	w := dial(t, s.addr)
	data := str(strings.Repeat("x", frame))
	// Two that have three and five events waiting, and one for which one waits.
	waiting := map[string]int{"hog": 5, "large": 3, "small": 1}
	peers, opens := map[string]*peer{}, map[string]func(){}
	for name, n := range waiting {
		peers[name], opens[name] = gated(t, s, name)
		defer opens[name]()
		for range n {
			w.send(with("publish", name, data))
			w.sync()
		}
	}
	if st := s.Stats(); st.SendBytes < 9*frame || get(t, st.ConnsClosed.All(), "send_budget") != 0 {
		t.Fatalf("%d bytes wait, or one was closed already", st.SendBytes)
	}
	last, openLast := gated(t, s, "last")
	defer openLast()
	for range 3 {
		w.send(with("publish", "last", data))
		w.sync()
		if n := s.Stats().SendBytes; n > limit {
			t.Errorf("%d bytes wait, the limit is %d", n, limit)
		}
	}
	wantCause(t, s, "send_budget", 1)
	w.send(with("publish", "all", data))
	quick.want(eventOf("all", data))
	openLast()
	for name, n := range map[string]int{"large": 3, "small": 1, "last": 3} {
		p := last
		if name != "last" {
			p = peers[name]
			opens[name]()
		}
		for range n {
			p.want(eventOf(name, data))
		}
	}
	peers["hog"].wantClosed()
	eventually(t, "the books to be empty", func() bool { return s.Stats().SendBytes == 0 })
}

// gated is a peer that the server can write nothing to until it is opened. It
// subscribes to channel.
func gated(t *testing.T, s *testServer, channel string) (p *peer, open func()) {
	t.Helper()
	address, g := behindGate(t, s)
	p = dial(t, address)
	p.send(about("subscribe", channel))
	eventually(t, "the subscription", func() bool {
		s.hub.mu.Lock()
		defer s.hub.mu.Unlock()
		return s.hub.topics.all[channel] != nil
	})
	opened := false
	return p, func() {
		if !opened {
			opened = true
			close(g.open)
		}
	}
}

// TestStall: who reads nothing is closed.
func TestStall(t *testing.T) {
	s := startServer(t, NewNode(), nil, func(o *Options) { o.StallTimeout = 50 * time.Millisecond })
	_, open := gated(t, s, "c")
	defer open()
	idle := subscriber(t, s.addr, "d") // nothing waits for it
	w := dial(t, s.addr)
	w.send(with("publish", "c", "N;"))
	wantCause(t, s, "stalled", 1)
	eventually(t, "it to be gone", func() bool { return s.Stats().SendBytes == 0 && s.Stats().Conns == 2 })
	idle.sync()
	w.sync()
}

// slowConn takes a few bytes of each write and then has its deadline pass.
type slowConn struct {
	net.Conn
	got   bytes.Buffer
	takes []int
}

func (c *slowConn) Write(b []byte) (int, error) {
	n := len(b)
	if len(c.takes) > 0 {
		n, c.takes = min(n, c.takes[0]), c.takes[1:]
	}
	c.got.Write(b[:n])
	if n < len(b) {
		return n, os.ErrDeadlineExceeded
	}
	return n, nil
}

// TestOutboxGoesOn: a write that takes longer than its deadline goes on where it
// was, and knows whether anything was taken meanwhile.
func TestOutboxGoesOn(t *testing.T) {
	var progress []bool
	o := newOutbox(1000)
	o.goOn = func(p bool) bool {
		progress = append(progress, p)
		return true
	}
	o.wrote = func(int, int) {}
	c := &slowConn{takes: []int{0, 3, 1, 0, 0}}
	o.offer(made{newFrame([]byte("hello "), nil)})
	f := newFrame([]byte("wor"), nil)
	f.tail = &body{bytes: []byte("ld")}
	o.offer(made{f})
	o.end()
	if err := o.run(c); err != nil || c.got.String() != "hello world" {
		t.Errorf("%q, %v", c.got.String(), err)
	}
	if got := fmt.Sprint(progress); got != "[false true true false false]" {
		t.Errorf("%s", got)
	}
	if frames, bytes := o.waiting(); frames != 0 || bytes != 0 {
		t.Errorf("%d frames, %d bytes are left", frames, bytes)
	}
}

// made is a frame that is there.
type made struct{ f frame }

func (m made) frame() frame { return m.f }

// TestBusyWorker: a connection that holds a job is neither silent nor stalled, until
// JobTimeout: PHP without an event loop does nothing else meanwhile.
func TestBusyWorker(t *testing.T) {
	const reserve = `a:1:{s:4:"type";s:7:"reserve";}`
	start := func(change func(*Options)) (*testServer, *peer, *peer) {
		s := startServer(t, NewNode(), nil, func(o *Options) {
			o.PingTimeout, o.StallTimeout = 50*time.Millisecond, 50*time.Millisecond
			change(o)
		})
		w, worker := dial(t, s.addr), dial(t, s.addr)
		worker.send(about("watch", "jobs"))
		worker.send(reserve)
		w.send(with("enqueue", "jobs", "i:1;"))
		worker.want(queueOf("jobs", "i:1;"))
		worker.write(workerman.AppendPing(nil))
		return s, w, worker
	}
	s, w, worker := start(func(*Options) {})
	for range 3 { // others go, one after the other
		p := dial(t, s.addr)
		p.write(workerman.AppendPing(nil))
		p.wantClosed()
	}
	wantCause(t, s, "silent", 3)
	w.send(with("enqueue", "jobs", "i:2;"))
	worker.send(reserve)
	worker.want(queueOf("jobs", "i:2;"))
	worker.send(about("unwatch", "jobs"))
	worker.send(reserve) // the job is done, and there is no other
	worker.wantClosed()
	wantCause(t, s, "silent", 4)

	s, _, worker = start(func(o *Options) { o.JobTimeout = 100 * time.Millisecond })
	worker.wantClosed()
	wantCause(t, s, "silent", 1)
}

// TestBusyWorkerStalls: the same of one that does not read.
func TestBusyWorkerStalls(t *testing.T) {
	const reserve = `a:1:{s:4:"type";s:7:"reserve";}`
	s := startServer(t, NewNode(), nil, func(o *Options) { o.StallTimeout = 50 * time.Millisecond })
	worker, open := gated(t, s, "c")
	worker.send(about("watch", "jobs"))
	worker.send(reserve)
	eventually(t, "the watch", func() bool { return get(t, s.Stats().Messages.All(), "reserve") == 1 })
	w := dial(t, s.addr)
	w.send(with("enqueue", "jobs", "i:1;"))
	w.sync()
	for range 3 { // others go, one after the other
		_, openOther := gated(t, s, "d")
		w.send(with("publish", "d", "N;"))
		eventually(t, "it to go", func() bool { return s.Stats().Conns == 2 })
		openOther()
	}
	wantCause(t, s, "stalled", 3)
	open()
	worker.want(queueOf("jobs", "i:1;"))
	worker.sync()
}

// TestCloseUnread: who says something while the server stops gets all that was
// published before. A TCP connection that is closed with unread input is reset.
func TestCloseUnread(t *testing.T) {
	const events = 80
	s := startServer(t, NewNode(), nil, func(o *Options) { o.SendBufferBytes = 100 << 20 })
	sub := subscriber(t, s.addr, "c")
	w := dial(t, s.addr)
	data := str(strings.Repeat("x", 50<<10))
	for range events {
		w.send(with("publish", "c", data))
	}
	w.sync()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- s.Close(ctx) }()
	eventually(t, "it to stop", s.isClosing)
	sub.write(workerman.AppendPing(nil))
	w.write(workerman.AppendPing(nil))
	for i := range events {
		if got := sub.next(); len(got) < 50<<10 {
			t.Fatalf("event %d: %.100q", i, got)
		}
	}
	sub.wantClosed()
	w.wantClosed()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if n := s.Stats().BytesUndelivered; n != 0 {
		t.Errorf("%d bytes were not delivered", n)
	}
}

// TestLinger: it ends when the peer has everything, though that stays; and tells
// how much the peer has not.
func TestLinger(t *testing.T) {
	pair := func() (ours, theirs net.Conn) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if ours, err = net.Dial("tcp", ln.Addr().String()); err != nil {
			t.Fatal(err)
		}
		if theirs, err = ln.Accept(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
		return ours, theirs
	}
	ours, theirs := pair()
	_, _ = ours.Write([]byte("x"))
	if _, known := unacknowledgedBytes(ours); known {
		if n := linger(ours, func() bool { return false }); n != 0 {
			t.Errorf("%d bytes", n)
		}
	}
	_ = theirs.Close()

	ours, _ = pair()
	_ = ours.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for err := error(nil); err == nil; {
		_, err = ours.Write(make([]byte, 1<<20))
	}
	n, known := unacknowledgedBytes(ours)
	if got := linger(ours, func() bool { return true }); known && (n == 0 || got < n/2) {
		t.Errorf("%d bytes, and before it were %d", got, n)
	}
}

// TestCloseLogs: jobs that are lost with the server are named in the log, and so is
// what connections did not take.
func TestCloseLogs(t *testing.T) {
	var log logBuffer
	s := startServer(t, NewNode(), nil, func(o *Options) { o.Logger = log.logger() })
	_, open := gated(t, s, "c")
	defer open()
	w := dial(t, s.addr)
	w.send(with("enqueue", "mail", "i:1;"))
	w.send(with("enqueue", "mail", "i:2;"))
	w.send(with("enqueue", "a b", "i:3;"))
	w.send(with("publish", "c", str("lost")))
	w.sync()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"jobs=3", "mail (2)", "a b (1)", "connections=1 frames=1 bytes="} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in the log:\n%s", want, log.String())
		}
	}
	if n := s.Stats().BytesUndelivered; n == 0 {
		t.Error("nothing was counted")
	}
}
