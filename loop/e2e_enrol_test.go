package loop

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"weak"

	"golang.org/x/sys/unix"

	"groupcast/loop/reactor"
	"groupcast/loop/tlsconn"
)

// hold keeps r's loop from doing anything until release is called.
func hold(tb testing.TB, r *reactor.Reactor) (release func()) {
	tb.Helper()
	held, end := make(chan struct{}), make(chan struct{})
	if err := r.Do(func() { close(held); <-end }); err != nil {
		tb.Fatal(err)
	}
	<-held
	return func() { close(end) }
}

// TestBusyLoopKeepsNobodyOut: while one loop is held, connections come in over
// the others, and so does the question whether the server lives. Those that went
// to the busy loop are served when it has time.
func TestBusyLoopKeepsNobodyOut(t *testing.T) {
	e, addr := start(t, nil)
	busy := e.enrollers[0]
	release := hold(t, busy.r)
	var waiting []*wire
	waitFor(t, "a connection is on its way to the busy loop for a while", func() bool {
		if busy.waiting.Load() == 0 && len(waiting) < 10 {
			w := connect(t, addr)
			w.write([]byte(upgradeHead))
			waiting = append(waiting, w)
		}
		return busy.lag() > 8
	})
	for range 2 * MaxEnrolling {
		open(t, addr).sync()
		probe := connect(t, addr)
		probe.write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"))
		if status, head := probe.response(); status != 200 {
			t.Fatalf("health: %s", head)
		}
	}
	if n := busy.waiting.Load(); n > MaxEnrolling {
		t.Errorf("%d connections are on their way to one loop", n)
	}
	release()
	for _, w := range waiting {
		w.upgraded()
	}
}

// TestAllLoopsBusy: with all loops held, a few connections are on their way and
// the others wait in the kernel; all of them are served afterwards.
func TestAllLoopsBusy(t *testing.T) {
	e, addr := start(t, nil)
	releases := []func(){hold(t, e.reactors[0]), hold(t, e.reactors[1])}
	var all []*wire
	for range 3 * MaxEnrolling {
		w := connect(t, addr)
		w.write([]byte(upgradeHead))
		all = append(all, w)
	}
	waitFor(t, "both loops have as many as they may", func() bool {
		return e.enrollers[0].waiting.Load() == MaxEnrolling && e.enrollers[1].waiting.Load() == MaxEnrolling
	})
	// The acceptor holds one more in its hand.
	if n := e.shared.Conns.Load(); n > 2*MaxEnrolling+1 {
		t.Errorf("%d connections were taken from the kernel", n)
	}
	// It sleeps: nothing goes round that would wake it in vain.
	waitFor(t, "the acceptor waits", func() bool { return len(e.enrolled) == 0 })
	for range 1000 {
		if len(e.enrolled) != 0 {
			t.Fatal("the acceptor is woken although no loop has room")
		}
		runtime.Gosched()
	}
	for _, release := range releases {
		release()
	}
	for _, w := range all {
		w.upgraded()
	}
	for _, r := range e.reactors {
		waitFor(t, "a loop has its share", func() (ok bool) {
			onLoop(t, r, func() { ok = r.Sessions() >= MaxEnrolling })
			return ok
		})
	}
}

// TestCloseWhileLoopsAreBusy: an engine that is closed while connections are on
// their way, and one waits to be, ends; none of them is forgotten.
func TestCloseWhileLoopsAreBusy(t *testing.T) {
	e, url := startEngine(t, func(o *Options) { o.Loops = 1 })
	addr := url[len("ws://"):]
	release := hold(t, e.reactors[0])
	var all []net.Conn
	for range MaxEnrolling + 5 {
		all = append(all, connect(t, addr).c)
	}
	waitFor(t, "the loop has as many as it may", func() bool { return e.shared.Conns.Load() == MaxEnrolling+1 })
	closed := make(chan error, 1)
	go func() { closed <- e.Close() }()
	waitFor(t, "it is closing", e.isStopped)
	release()
	select {
	case err := <-closed:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("close hangs")
	}
	if n := e.shared.Conns.Load(); n != 0 {
		t.Errorf("%d connections are counted after the end", n)
	}
	for _, c := range all {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("a connection is still there: %v", err)
		}
	}
}

// failingListener fails so often before it accepts.
type failingListener struct {
	net.Listener

	failures chan error
}

func (l *failingListener) Accept() (net.Conn, error) {
	select {
	case err := <-l.failures:
		return nil, err
	default:
		return l.Listener.Accept()
	}
}

// TestServeSurvivesTransientErrors: they are counted, and accepting goes on.
func TestServeSurvivesTransientErrors(t *testing.T) {
	e, _ := start(t, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	failures := make(chan error, 2)
	failures <- &net.OpError{Op: "accept", Err: unix.EPERM}
	failures <- &net.OpError{Op: "accept", Err: unix.EHOSTDOWN}
	served := make(chan error, 1)
	go func() { served <- e.Serve(&failingListener{ln, failures}) }()
	open(t, ln.Addr().String()).sync()
	if n := e.acceptErrors.Load(); n != 2 {
		t.Errorf("%d errors were counted, want 2", n)
	}
	_ = ln.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if err := e.Serve(ln); err != nil {
		t.Errorf("closed before: %v", err)
	}
}

// TestAdmitWithBytes: what was read of a connection before it was admitted comes
// first, be it nothing, a part of the head, or all of it and commands behind it. It is
// kept no longer than it is needed.
func TestAdmitWithBytes(t *testing.T) {
	for name, secured := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) { testAdmitWithBytes(t, secured) })
	}
}

func testAdmitWithBytes(t *testing.T, secured bool) {
	t.Helper()
	e, addr := start(t, nil)
	other := open(t, addr)
	other.join("g")
	all := slices.Concat([]byte(upgradeHead), textFrame(`{"cmd":"add_group","group_id":"g","req_id":1}`))
	for _, n := range []int{0, 1, 20, len(upgradeHead) - 1, len(upgradeHead), len(upgradeHead) + 3, len(all)} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		w := connect(t, ln.Addr().String())
		c, err := ln.Accept()
		_ = ln.Close()
		if err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 2048)
		kept := weak.Make(&buffer[0])
		one := Admission{Conn: c, Read: buffer[:n]}
		if secured {
			one.TLS = w.secure(t, c, all[:n], one.Read)
		} else {
			copy(one.Read, all)
		}
		if err := e.Admit(one); err != nil {
			t.Fatal(err)
		}
		one, buffer = Admission{}, nil
		w.write(all[n:])
		w.upgraded()
		w.want(ackOf("1"))
		waitFor(t, "what was read is let go of", func() bool {
			runtime.GC()
			return kept.Value() == nil
		})
		w.say(`{"cmd":"leave_group","group_id":"g"}`)
		w.sync()
	}
	other.sync()
}

// secure puts TLS between w and c, and reads into got, before a loop has c, what w says first.
func (w *wire) secure(t *testing.T, c net.Conn, first, got []byte) *tlsconn.Session {
	t.Helper()
	client := tls.Client(w.c, trusting())
	said := make(chan error, 1)
	go func() {
		_, err := client.Write(first) // shakes hands first
		said <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := tlsconn.Handshake(ctx, c, serverTLS())
	if err == nil {
		_, err = io.ReadFull(conn, got)
	}
	if err = errors.Join(err, <-said, c.SetDeadline(time.Time{})); err != nil {
		t.Fatal(err)
	}
	w.c, w.in = client, bufio.NewReader(client)
	return conn.Session()
}

// TestAdmitLate: a connection that has used up its time before it came to a loop gets none
// anew.
func TestAdmitLate(t *testing.T) {
	const long = 24 * time.Hour
	e, _ := start(t, func(o *Options) { o.HandshakeTimeout = long })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Admit(Admission{Conn: c, Read: []byte("GET / "), Began: time.Now().Add(-long)}); err != nil {
		t.Fatal(err)
	}
	_ = client.SetDeadline(time.Now().Add(patience))
	answer, err := io.ReadAll(client)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
		t.Errorf("got %q, %v", answer, err)
	}
}

// TestTell: an open session gets a text from outside, in place; others none.
func TestTell(t *testing.T) {
	e, addr := start(t, nil)
	w, other := open(t, addr), open(t, addr)
	id := sessionOf(t, e, w)
	if err := e.Tell(t.Context(), id, []byte("late")); err != nil {
		t.Fatal(err)
	}
	w.want("late")
	other.sync()
	w.write(closeFrame(1000, ""))
	w.wantClose(1000)
	if err := e.Tell(t.Context(), id, []byte("too late")); !errors.Is(err, ErrNoSession) {
		t.Errorf("%v, want %v", err, ErrNoSession)
	}
}

// TestIdentity: who a session's peer is comes with the connection, shows where sessions are
// listed from inside, and can become somebody else, or nobody; the peer hears nothing of it.
func TestIdentity(t *testing.T) {
	e, addr := start(t, nil)
	anonymous := open(t, addr)
	id := sessionOf(t, e, anonymous)
	alice, bob := &Identity{User: "alice"}, &Identity{User: "bob"}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	w := connect(t, ln.Addr().String())
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Admit(Admission{Conn: c, Who: alice}); err != nil {
		t.Fatal(err)
	}
	w.write([]byte(upgradeHead))
	w.upgraded()
	known := sessionOf(t, e, w)
	check := func(id SessionID, want *Identity) {
		t.Helper()
		if one, err := e.Session(t.Context(), id); err != nil || one.Who != want {
			t.Errorf("%v belongs to %v, want %v (%v)", id, one.Who, want, err)
		}
		all, _, err := e.Sessions(t.Context(), SessionID{}, MaxPage)
		i := slices.IndexFunc(all, func(s SessionInfo) bool { return s.ID == id })
		if err != nil || i < 0 || all[i].Who != want {
			t.Errorf("%v is not listed as %v (%v)", id, want, err)
		}
	}
	check(id, nil)
	check(known, alice)
	for _, who := range []*Identity{bob, nil, alice} {
		if err := e.Identify(t.Context(), known, who); err != nil {
			t.Fatal(err)
		}
		check(known, who)
		check(id, nil)
	}
	w.sync()
	w.write(closeFrame(1000, ""))
	w.wantClose(1000)
	if err := e.Identify(t.Context(), known, bob); !errors.Is(err, ErrNoSession) {
		t.Errorf("%v, want %v", err, ErrNoSession)
	}
}

func (e *Engine) isStopped() bool {
	select {
	case <-e.stopped:
		return true
	default:
		return false
	}
}
