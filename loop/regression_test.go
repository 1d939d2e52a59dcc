package loop

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// What went wrong once, each as small as it can be shown.

// TestServeAfterClose: an engine that is closed takes no listener, and nobody
// hangs.
func TestServeAfterClose(t *testing.T) {
	o := DefaultOptions()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := e.Admit(Admission{Conn: c}); !errors.Is(err, ErrClosed) {
		t.Errorf("Admit: %v, want ErrClosed", err)
	}
	if err := e.Serve(ln); !errors.Is(err, ErrClosed) {
		t.Errorf("Serve: %v, want ErrClosed", err)
	}
}

// TestDrainKeepsItsTime: closes are spread over what is left of the time when
// they begin, so that every session gets its close frame.
func TestDrainKeepsItsTime(t *testing.T) {
	now := time.Now()
	ctx, cancel := context.WithDeadline(t.Context(), now.Add(5*time.Second))
	defer cancel()
	for _, c := range []struct{ spread, want time.Duration }{
		{time.Second, time.Second}, {8 * time.Second, 4 * time.Second}, {time.Hour, 4 * time.Second},
	} {
		if got := within(ctx, now, c.spread); got != c.want {
			t.Errorf("a spread of %s with 5 s left is %s, want %s", c.spread, got, c.want)
		}
	}
	if got := within(t.Context(), now, time.Hour); got != time.Hour {
		t.Errorf("a spread of 1h without a deadline is %s", got)
	}
}

// TestCloseWhileRingsAreFull: an engine that is closed while goroutines outside flood
// its rings ends, and nobody hangs.
func TestCloseWhileRingsAreFull(t *testing.T) {
	for i := range 50 {
		o := DefaultOptions()
		o.Loops = 2
		o.RingSlots = 1 + i%2
		e, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		var flooding sync.WaitGroup
		for range 4 {
			flooding.Go(func() {
				for {
					if _, err := e.Publish(context.Background(), "g", []byte("x")); err != nil {
						return
					}
				}
			})
		}
		waitFor(t, "they publish", func() bool { return e.broker.Stats().Outside.Taken > 20 })
		closed := make(chan error, 1)
		go func() { closed <- e.Close() }()
		select {
		case err := <-closed:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(patience):
			t.Fatalf("close %d hangs", i)
		}
		flooding.Wait()
	}
}
