package reactor

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"groupcast/loop/leak"
	"groupcast/loop/order"
	"groupcast/loop/quota"
	"groupcast/loop/wait"
	"groupcast/protocol"
)

func TestMain(m *testing.M) { os.Exit(leak.Main(m)) }

// Simulated sessions have no socket: their reactor's write is replaced. They
// show what a reactor does, and what it costs, apart from the system calls. Its loop
// is a plain goroutine, and its broker a real one.

// simFD is the first descriptor number of simulated sessions; no real one is
// as large.
const simFD = 1 << 28

// sim is reactors with a broker between them, to which nothing can connect.
type sim struct {
	reactors []*Reactor
	broker   *order.Broker
	shared   *Shared
}

// startSim starts one, until the test ends.
func startSim(tb testing.TB, adapt func(*Options)) *sim {
	tb.Helper()
	o := DefaultOptions()
	if adapt != nil {
		adapt(&o)
	}
	if err := o.Validate(); err != nil {
		tb.Fatal(err)
	}
	stopped := make(chan struct{})
	e := &sim{shared: &Shared{
		Start:     time.Now(),
		Log:       slog.New(slog.DiscardHandler),
		Stopped:   stopped,
		Fail:      func(err error) { tb.Errorf("failed: %v", err) },
		Addresses: quota.New[netip.Prefix](o.MaxConnsPerIP),
		Users:     quota.New[string](o.MaxConnsPerUser),
		Members:   quota.New[string](o.MaxMembers),
	}}
	var ports []*order.Port
	var loops []*simLoop
	for i := range o.Loops {
		r, err := New(e.shared, i, &o)
		if err != nil {
			tb.Fatal(err)
		}
		l, control := startLoop(tb, r)
		r.Bind(l, control)
		e.reactors = append(e.reactors, r)
		loops = append(loops, l)
		ports = append(ports, r.Port())
	}
	e.broker = order.NewBroker(ports, o.RingSlots, o.RingBytes, stopped)
	var running sync.WaitGroup
	running.Go(e.broker.Run)
	for i, l := range loops {
		running.Go(l.run)
		running.Go(e.reactors[i].WatchWritable)
	}
	tb.Cleanup(func() {
		close(stopped)
		for i, l := range loops {
			e.reactors[i].StopWritable()
			l.end()
		}
		running.Wait()
		for _, r := range e.reactors {
			r.Release()
		}
	})
	return e
}

// simLoop is an event loop that only runs what it is told.
type simLoop struct {
	mu    sync.Mutex
	some  *sync.Cond
	queue []gnet.Runnable
	ended bool
	back  *os.File // where a reactor's yields come out
}

func startLoop(tb testing.TB, r *Reactor) (l *simLoop, control int) {
	tb.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		tb.Fatal(err)
	}
	l = &simLoop{back: os.NewFile(uintptr(pair[0]), "yields")}
	l.some = sync.NewCond(&l.mu)
	go func() { // ends with the file
		b := make([]byte, 1)
		for {
			if _, err := l.back.Read(b); err != nil {
				return
			}
			_ = l.Execute(context.Background(), runnable(r.Yielded))
		}
	}()
	return l, pair[1]
}

func (l *simLoop) run() {
	for {
		l.mu.Lock()
		for len(l.queue) == 0 && !l.ended {
			l.some.Wait()
		}
		next := l.queue
		l.queue = nil
		ended := l.ended
		l.mu.Unlock()
		if ended {
			return
		}
		for _, f := range next {
			_ = f.Run(context.Background())
		}
	}
}

func (l *simLoop) end() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.some.Broadcast()
	_ = l.back.Close()
}

func (l *simLoop) Execute(_ context.Context, f gnet.Runnable) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, f)
	l.some.Signal()
	return nil
}

// A simulated session has no connection to close.
func (l *simLoop) Close(gnet.Conn) error { return nil }

var errNoSockets = errors.New("a simulated loop has no sockets")

func (l *simLoop) Register(context.Context, net.Addr) (<-chan gnet.RegisteredResult, error) {
	return nil, errNoSockets
}

func (l *simLoop) Enroll(context.Context, net.Conn) (<-chan gnet.RegisteredResult, error) {
	return nil, errNoSockets
}

func (l *simLoop) Schedule(context.Context, gnet.Runnable, time.Duration) error {
	return errNoSockets
}

// onLoop runs f on r's goroutine and waits for it.
func onLoop(tb testing.TB, r *Reactor, f func()) {
	tb.Helper()
	done := make(chan struct{})
	if err := r.execute(runnable(func() { defer close(done); f() })); err != nil {
		tb.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(time.Minute):
		tb.Fatal("the loop does not answer")
	}
}

// simulate adds n open sessions to r. On r's goroutine.
func (r *Reactor) simulate(n int, mode protocol.Mode) []*Session {
	list := make([]*Session, n)
	for i := range list {
		s := &Session{r: r, state: stateOpen, mode: mode, lastSeen: r.wheel.now}
		r.sessions.add(s)
		s.fd = simFD + int32(s.slot)
		list[i] = s
	}
	return list
}

// deliverAll delivers everything that waits. On the loop.
func (r *Reactor) deliverAll() {
	for r.flushAll(); r.takeBatch(); r.flushAll() {
	}
}

// joinAs makes s a member as a command would. On the loop.
func (s *Session) joinAs(group string) { s.r.join(s, []byte(group), nil) }

// sink takes all bytes. On the loop.
func (r *Reactor) sink() {
	r.write = func(_ int32, b []byte) (int, unix.Errno) { return len(b), 0 }
}

// record keeps what is written to each simulated session, and takes at most
// limit bytes a write, if that is not 0. On the loop.
func (r *Reactor) record(limit int) map[int32][]byte {
	written := map[int32][]byte{}
	r.write = func(fd int32, b []byte) (int, unix.Errno) {
		if limit > 0 && len(b) > limit {
			b = b[:limit]
		}
		written[fd] = append(written[fd], b...)
		return len(b), 0
	}
	return written
}

// inject puts messages into r's egress ring as the broker would. On the loop,
// while the broker has nothing to do.
func (r *Reactor) inject(ms ...*order.Message) {
	for _, m := range ms {
		if !r.port.Put(m) {
			panic("test: the ring is full")
		}
	}
}

func textMessage(group, text string) *order.Message {
	return order.NewMessage([]byte(group), []byte(text), nil, true)
}

// texts splits server frames into their payloads.
func texts(tb testing.TB, b []byte) []string {
	tb.Helper()
	var list []string
	for len(b) > 0 {
		n := protocol.NextFrame(b)
		header := 2
		switch b[1] {
		case 126:
			header = 4
		case 127:
			header = 10
		}
		list = append(list, string(b[header:n]))
		b = b[n:]
	}
	return list
}

func ackOf(reqID string) string { return `{"cmd":"ack","req_id":` + reqID + `}` }

// waitFor is what tests wait with.
var waitFor = wait.Until
