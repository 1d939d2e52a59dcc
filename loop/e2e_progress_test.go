package loop

import (
	"fmt"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// TestReadersOfADrain: over real sockets, members who read slowly have everything
// that was acknowledged and then the close frame, long after --close-timeout.
func TestReadersOfADrain(t *testing.T) {
	const n, size = 60, 10_000
	e, addr := start(t, func(o *Options) {
		smallBuffers(o)
		o.CloseTimeout, o.CloseRate = 500*time.Millisecond, 1
	})
	slow := openWith(t, smallWindow(), addr)
	slow.join("g")
	stuck := openWith(t, smallWindow(), addr)
	stuck.join("g")
	publisher := open(t, addr)
	if err := publish(publisher, 0, n, size); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	var result DrainResult
	go func() {
		_, err := readToClose(publisher)
		done <- err
	}()
	go func() {
		for i := range n {
			<-time.After(20 * time.Millisecond)
			if err := wantNumbered(slow, i, i+1, size); err != nil {
				done <- fmt.Errorf("the slow one: %w", err)
				return
			}
		}
		_, err := readToClose(slow)
		done <- err
	}()
	result, err := e.Drain(t.Context(), 1001, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if result.Left != 0 || result.CutSessions != 1 || result.CutBytes < n*size/2 || result.CutBytes > n*(size+4) {
		t.Errorf("the drain says %+v", result)
	}
	if s, err := e.Stats(t.Context()); err != nil || s.CutSessions != 1 || int64(s.CutBytes) != result.CutBytes {
		t.Errorf("%d sessions and %d bytes cut, %v", s.CutSessions, s.CutBytes, err)
	}
	stuck.wantReset()
}

// TestBusyMemberIsNotSilent: over real sockets, a member whose socket is full
// whenever a ping is due reads everything, answers pings, and stays.
func TestBusyMemberIsNotSilent(t *testing.T) {
	const n, size = 120, 10_000
	e, addr := start(t, func(o *Options) {
		smallBuffers(o)
		o.PingAfter, o.CloseAfter = 200*time.Millisecond, 1200*time.Millisecond
		o.MaxBacklogBytes = 2 * n * size
	})
	slow := openWith(t, smallWindow(), addr)
	slow.join("g")
	publisher := open(t, addr)
	if err := publish(publisher, 0, n, size); err != nil {
		t.Fatal(err)
	}
	_ = publisher.c.Close()
	for i := 0; i < n; {
		op, text, err := slow.tryRead()
		switch {
		case err != nil:
			t.Fatalf("after %d messages: %v", i, err)
		case op == ws.OpPing:
			slow.write(frame(fin|byte(ws.OpPong), ""))
		case op == ws.OpText && text == numbered(i, size):
			i++
			<-time.After(20 * time.Millisecond)
		default:
			t.Fatalf("after %d messages: opcode %d %.40q", i, op, text)
		}
	}
	slow.sync()
	if s := sum(t, e); s.IdleClosed > 1 { // the publisher may have been
		t.Errorf("%d closed as silent", s.IdleClosed)
	}
}
