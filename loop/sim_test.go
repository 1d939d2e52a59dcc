package loop

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"groupcast/protocol"
)

// Simulated sessions have no socket: their reactor's write is replaced. They
// show what the loop does, and what it costs, apart from the system calls.

// simFD is the first descriptor number of simulated sessions; no real one is
// as large.
const simFD = 1 << 28

// startSim starts an engine that nothing can connect to.
func startSim(tb testing.TB, adapt func(*Options)) *Engine {
	tb.Helper()
	o := DefaultOptions()
	if adapt != nil {
		adapt(&o)
	}
	e, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
		select {
		case err := <-e.Fatal():
			tb.Errorf("Fatal: %v", err)
		default:
		}
	})
	return e
}

// onLoop runs f on r's goroutine and waits for it.
func onLoop(tb testing.TB, r *reactor, f func()) {
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
func (r *reactor) simulate(n int, mode protocol.Mode) []*Session {
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
func (r *reactor) deliverAll() {
	for r.flushAll(); r.takeBatch(); r.flushAll() {
	}
}

// joinAs makes s a member as a command would. On the loop.
func (s *Session) joinAs(group string) {
	s.r.join(s, []byte(group), nil)
}

// sink takes all bytes. On the loop.
func (r *reactor) sink() {
	r.write = func(_ int32, b []byte) (int, unix.Errno) { return len(b), 0 }
}

// record keeps what is written to each simulated session, and takes at most
// limit bytes a write, if that is not 0. On the loop.
func (r *reactor) record(limit int) map[int32][]byte {
	written := map[int32][]byte{}
	r.write = func(fd int32, b []byte) (int, unix.Errno) {
		if fd < simFD {
			return rawWrite(fd, b)
		}
		if limit > 0 && len(b) > limit {
			b = b[:limit]
		}
		written[fd] = append(written[fd], b...)
		return len(b), 0
	}
	return written
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

// waitFor polls until ok, with a deadline.
func waitFor(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: not in time", what)
		}
		<-time.After(time.Millisecond)
	}
}
