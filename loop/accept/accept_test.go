package accept

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"groupcast/loop/ration"
)

const patience = 30 * time.Second

// TestTransientErrors: what accept(2) says about one connection, or for the
// moment, ends no listener.
func TestTransientErrors(t *testing.T) {
	for _, errno := range []syscall.Errno{
		unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.ECONNABORTED, unix.EPERM, unix.EPROTO, unix.ENOPROTOOPT,
		unix.ENETDOWN, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.EOPNOTSUPP, unix.ETIMEDOUT,
	} {
		if err := fmt.Errorf("accept: %w", &net.OpError{Op: "accept", Err: errno}); !Transient(err) {
			t.Errorf("%v ends the listener", err)
		}
	}
	for _, err := range []error{
		unix.EBADF, unix.EINVAL, unix.ENOTSOCK, unix.EFAULT,
		errors.New("another listener's own"),
	} {
		if Transient(err) {
			t.Errorf("%v is tried again for ever", err)
		}
	}
}

// script is a listener that returns what it is told to.
type script chan any

func (s script) Accept() (net.Conn, error) {
	switch next := (<-s).(type) {
	case net.Conn:
		return next, nil
	case error:
		return nil, next
	}
	return nil, net.ErrClosed
}

func (s script) Close() error   { return nil }
func (s script) Addr() net.Addr { return &net.TCPAddr{} }

// TestNext: transient errors are told and passed over, others are returned.
func TestNext(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	other := errors.New("another listener's own")
	ln := make(script, 10)
	for _, next := range []any{unix.EPERM, unix.EMFILE, ours, unix.EMFILE, other, net.ErrClosed} {
		ln <- next
	}
	told := 0
	var log bytes.Buffer
	a := Acceptor{Listener: ln, OnError: func() { told++ }, Log: ration.New(slog.New(slog.NewTextHandler(&log, nil)))}
	if c, err := a.Next(); c != ours || err != nil {
		t.Fatal(c, err)
	}
	a.Went()
	if _, err := a.Next(); !errors.Is(err, other) {
		t.Errorf("%v, want %v", err, other)
	}
	if _, err := a.Next(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v, want %v", err, net.ErrClosed)
	}
	if n := strings.Count(log.String(), `msg="accepting pauses"`); told != 3 || n != 3 {
		t.Errorf("%d errors counted, %d logged, want 3", told, n)
	}
}

// TestStopped: a pause ends with Stopped, and so does Next, and a connection that
// came meanwhile is closed.
func TestStopped(t *testing.T) {
	ours, theirs := net.Pipe()
	stopped := make(chan struct{})
	close(stopped)
	ln := make(script, 2)
	ln <- unix.EMFILE
	ln <- ours
	a := Acceptor{
		Listener: ln, Stopped: stopped, OnError: func() {}, Log: ration.New(slog.New(slog.DiscardHandler)),
		pause: time.Hour,
	}
	for range 2 {
		if _, err := a.Next(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v, want %v", err, net.ErrClosed)
		}
	}
	if _, err := theirs.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the connection: %v", err)
	}
	a.Pause(unix.EMFILE) // returns
}

// pair is a TCP connection.
func pair(t *testing.T) (server, client net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	_ = client.SetDeadline(time.Now().Add(patience))
	return server, client
}

// TestRefuse: the answer comes whole although the peer has sent something that
// nobody reads; beyond the places a connection is closed, or waits for one.
func TestRefuse(t *testing.T) {
	r := NewRefuser(1)
	first, peer := pair(t)
	if _, err := peer.Write(make([]byte, 10_000)); err != nil {
		t.Fatal(err)
	}
	r.Refuse(first, []byte("no"), nil) // has its place until the peer ends, or a second
	second, closed := pair(t)
	r.Refuse(second, []byte("no"), nil)
	if b, err := io.ReadAll(closed); err != nil || len(b) != 0 {
		t.Errorf("beyond the places: %q, %v", b, err)
	}
	third, waits := pair(t)
	done := make(chan struct{})
	go func() {
		r.Refuse(third, []byte("no"), make(chan struct{}))
		close(done)
	}()
	if b, err := io.ReadAll(peer); err != nil || string(b) != "no" {
		t.Errorf("%q, %v", b, err)
	}
	_ = peer.Close()
	if b, err := io.ReadAll(waits); err != nil || string(b) != "no" {
		t.Errorf("after the wait: %q, %v", b, err)
	}
	<-done
	_ = waits.Close()
	r.Wait()
	stopped := make(chan struct{})
	close(stopped)
	r.places <- struct{}{}
	fourth, gone := pair(t)
	r.Refuse(fourth, []byte("no"), stopped)
	if b, err := io.ReadAll(gone); err != nil || len(b) != 0 {
		t.Errorf("stopped: %q, %v", b, err)
	}
}

// What is left of a refused request is read before the connection ends: a kernel that is
// left with unread bytes sends a reset, which may overtake the answer.
func TestAnswerReadsOn(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	answer := []byte("no")
	go Answer(halfCloser{server}, answer)
	if _, err := io.ReadFull(client, make([]byte, len(answer))); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write(make([]byte, 10_000)); err != nil {
		t.Errorf("the rest of the request: %v", err)
	}
}

// halfCloser is a pipe's end that has a CloseWrite, as TCP does.
type halfCloser struct{ net.Conn }

func (halfCloser) CloseWrite() error { return nil }
