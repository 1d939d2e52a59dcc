package workerman

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"groupcast/protocol/workerman"
)

// pipes is a listener whose connections are in memory: what one end writes the other
// has read, or waits for.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func newPipes() *pipes { return &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.accepted <- pipeEnd{theirs}
	return pipeEnd{ours}
}

// pipeEnd takes no deadline that is far away: its timer would keep the pipe until
// then, which for a fuzzer is many of them.
type pipeEnd struct{ net.Conn }

func (p pipeEnd) SetReadDeadline(t time.Time) error  { return p.Conn.SetReadDeadline(soon(t)) }
func (p pipeEnd) SetWriteDeadline(t time.Time) error { return p.Conn.SetWriteDeadline(soon(t)) }

func soon(t time.Time) time.Time {
	if time.Until(t) > time.Second {
		return time.Time{}
	}
	return t
}

// fuzzed is a server with tight limits, and some connections to it of which every
// other one never reads.
type fuzzed struct {
	t      *testing.T
	server *Server
	pipes  *pipes
	conns  [4]net.Conn
	reads  sync.WaitGroup
}

func (f *fuzzed) connect(i int) {
	if f.conns[i] != nil {
		_ = f.conns[i].Close()
	}
	c := f.pipes.dial()
	f.conns[i] = c
	if i%2 == 0 {
		f.reads.Go(func() { _, _ = io.Copy(io.Discard, c) })
	}
}

// step does what the next bytes say, and returns those behind.
func (f *fuzzed) step(in []byte) (rest []byte) {
	op, n := int(in[0]), int(in[1])
	in = in[2:]
	i := op % len(f.conns)
	take := func() (part []byte) {
		part, in = in[:min(n, len(in))], in[min(n, len(in)):]
		return part
	}
	name := func(n int) string { return fmt.Sprintf("c%d", n%3) }
	var out []byte
	switch op / len(f.conns) % 12 {
	case 0: // anything at all
		out = take()
	case 1: // a frame of it
		out = frameOf(string(take()))
	case 2: // the beginning of a frame
		frame := frameOf(with("publish", name(n), str(strings.Repeat("x", 16*n))))
		out = frame[:n*len(frame)/256]
	case 3: // a message with anything for its data
		out = frameOf(with("publish", name(n), string(take())))
	case 4:
		out = frameOf(about("subscribe", name(n), name(n/3)))
	case 5:
		out = frameOf(about("unsubscribe", name(n)))
	case 6:
		out = frameOf(with("publish", name(n), str(strings.Repeat("x", 30*n))))
	case 7:
		out = frameOf(`a:3:{s:4:"type";s:7:"publish";s:8:"channels";` + names("c0", "c1", "c2") + `s:4:"data";` +
			str(strings.Repeat("x", 30*n)) + `}`)
	case 8:
		out = frameOf(with("enqueue", name(n)+fmt.Sprint(n), str(strings.Repeat("x", 8*n))))
	case 9:
		out = append(frameOf(about("watch", name(n)+fmt.Sprint(n))), frameOf(`a:1:{s:4:"type";s:7:"reserve";}`)...)
	case 10:
		out = workerman.AppendPing(nil)
	case 11:
		f.connect(i)
	}
	_, _ = f.conns[i].Write(out) // the server may have closed it
	return in
}

// check holds the server to its limits.
func (f *fuzzed) check() {
	o, st := &f.server.opt, f.server.Stats()
	// One step goes beyond the budget before it is kept again: by what one outbox takes.
	if st.PartialBytes > o.MaxPartialBytes || st.SendBytes > o.MaxSendBytes+o.SendBufferBytes+o.MaxFrameBytes ||
		st.QueuedBytes > o.MaxAllQueueBytes || st.Queues > o.MaxQueues {
		f.t.Fatalf("over a limit: %+v", st)
	}
}

// end has the server prove that it is alive, and closes everything.
func (f *fuzzed) end() {
	t, s := f.t, f.server
	// The others go first: a budget of one frame may cost any of those who wait for it their
	// connection, and this one as well.
	for _, c := range f.conns {
		_ = c.Close()
	}
	f.reads.Wait()
	eventually(t, "all to be gone", func() bool { return s.Stats().Conns == 0 })
	c := f.pipes.dial()
	p := &peer{tb: t, conn: c, buf: make([]byte, 4096)}
	p.sync()
	_ = c.Close()
	eventually(t, "the last one to be gone", func() bool { return s.Stats().Conns == 0 })
	list, _ := s.Queues(1 << 20)
	for _, q := range list {
		s.PurgeQueue(q.Name)
	}
	eventually(t, "the gauges to be at zero", func() bool {
		st := s.Stats()
		return st.Peers == 0 && st.Channels == 0 && st.Subscriptions == 0 && st.Watches == 0 && st.SendBytes == 0 &&
			st.PartialBytes == 0 &&
			st.Queues == 0 && st.QueuedMessages == 0 && st.QueuedBytes == 0
	})
	s.mu.Lock()
	if n := len(s.silent.byAddress); n != 0 {
		t.Errorf("%d addresses have silent connections", n)
	}
	s.mu.Unlock()
	st := s.Stats()
	if came, gone := st.ConnsAccepted.Load(), sumOf(st.ConnsClosed.All()); came != gone {
		t.Errorf("%d connections came, %d were closed", came, gone)
	}
	var m runtime.MemStats
	if runtime.ReadMemStats(&m); m.HeapAlloc > 256<<20 {
		runtime.GC() // other tests leave garbage
		runtime.ReadMemStats(&m)
	}
	if m.HeapAlloc > 256<<20 {
		t.Errorf("%d MiB are in use", m.HeapAlloc>>20)
	}
}

// FuzzServer: whatever connections say, in whole frames, half frames and no frames,
// reading or not, the server keeps its limits, lives, and keeps nothing of them.
func FuzzServer(f *testing.F) {
	const sub, pub, all, half, enqueue, watch = 4 * 4, 6 * 4, 7 * 4, 2 * 4, 8 * 4, 9 * 4
	f.Add([]byte{0, 4, 0, 0, 0, 4, 4, 3, 'a', ':', '0'})
	f.Add([]byte{sub, 0, sub + 1, 1, sub + 3, 2, all, 200, all, 200, all, 200, all, 200, all, 200, all, 200})
	f.Add([]byte{half, 250, half + 1, 250, half + 2, 250, half + 3, 250, pub, 250})
	f.Add([]byte{
		enqueue, 250, enqueue, 251, enqueue + 1, 252, enqueue + 2, 253, watch, 250, watch + 1, 251, 10 * 4, 0,
		11 * 4, 0,
	})
	f.Add([]byte{sub + 1, 0, sub + 3, 4, pub, 126, pub, 126, pub, 255, pub, 127, pub, 127, pub, 253})
	f.Add([]byte{
		watch + 1, 9, enqueue, 9, sub + 1, 0, pub, 240, pub, 240, pub, 240, pub, 240, pub, 240, pub, 240, pub,
		240,
	})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 2000 {
			return
		}
		o := DefaultOptions()
		o.MaxFrameBytes, o.MaxPartialBytes, o.SendBufferBytes, o.MaxSendBytes = 8<<10, 8<<10, 8<<10, 8<<10
		o.MaxQueues, o.MaxQueueMessages, o.MaxAllQueueBytes, o.MaxChannelsPerConn = 5, 10, 8<<10, 4
		o.Logger = logTo(t)
		s, err := NewServer(o, NewNode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		w := &fuzzed{t: t, server: s, pipes: newPipes()}
		served := make(chan error, 1)
		go func() { served <- s.Serve(w.pipes) }()
		for i := range w.conns {
			w.connect(i)
		}
		for len(in) >= 2 {
			in = w.step(in)
			w.check()
		}
		w.end()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}
