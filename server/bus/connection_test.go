package bus

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"groupcast/loop/ration"
)

// errorsOf are the counts of errors that are not zero.
func (n *testNode) errorsOf() map[Reason]uint64 {
	counts := make(map[Reason]uint64)
	for reason, n := range n.Stats().Errors.All() {
		if n > 0 {
			counts[Reason(reason)] = n
		}
	}
	return counts
}

// TestAttemptsAreCounted: a node that NATS never lets in says why in its metrics, too.
func TestAttemptsAreCounted(t *testing.T) {
	t.Parallel()
	s := runServer(t, func(o *server.Options) { o.Username, o.Password = "u", "right" })
	n := startNode(t, "a", one(s), func(o *Options) { o.User, o.Password = "u", "wrong" })
	eventually(t, "refusals are counted", func() bool { return n.errorsOf()[ReasonAuthorization] > 1 })
	stopServer(s)
	eventually(t, "and that nothing listens", func() bool { return n.errorsOf()[ReasonUnreachable] > 1 })
}

// TestToldOnce: what an operator learns by other ways is no failure of the connection as well.
func TestToldOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	b := &Bus{ration: ration.New(slog.New(slog.NewTextHandler(&log, nil)))}
	for _, err := range []error{
		nil, nats.ErrConnectionClosed, nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded, nats.ErrBadHeaderMsg,
	} {
		b.failed(err)
		if log.Len() > 0 {
			t.Errorf("of %v: %s", err, log.String())
		}
	}
	if b.failed(fmt.Errorf("flush: %w", nats.ErrTimeout)); log.Len() == 0 {
		t.Error("of another error: nothing")
	}
}

// TestDialWakesTheWriter: a node that has nothing to write learns at once that its connection is gone.
func TestDialWakesTheWriter(t *testing.T) {
	b := &Bus{turns: make(chan struct{}, 1), state: newTracker(Options{}, nil)}
	b.handlers(nil).dialing()
	if len(b.turns) != 1 || b.dials.Load() != 1 {
		t.Errorf("%d turns, %d dials", len(b.turns), b.dials.Load())
	}
}

// countedConn counts how often it is closed for the first time.
type countedConn struct {
	net.Conn
	once   sync.Once
	closed *atomic.Int64
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.closed.Add(1) })
	return c.Conn.Close()
}

type countingDialer struct{ opened, closed atomic.Int64 }

func (d *countingDialer) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	d.opened.Add(1)
	return &countedConn{Conn: conn, closed: &d.closed}, nil
}

// TestRefusedAttemptsAreClosed: a node that NATS refuses for hours has one descriptor for that.
func TestRefusedAttemptsAreClosed(t *testing.T) {
	t.Parallel()
	s := runServer(t, func(o *server.Options) { o.Username, o.Password = "u", "right" })
	o := DefaultOptions()
	o.Node, o.Servers, o.User, o.Password = "a", []string{"nats://" + addressOf(s)}, "u", "wrong"
	var d countingDialer
	conn, err := connect(o, handlers{}, nats.SetCustomDialer(&d))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	eventually(t, "attempts", func() bool { return d.opened.Load() > 3 })
	if closed := d.closed.Load(); closed < 2 {
		t.Fatalf("of more than 3 attempts %d are closed", closed)
	}
	conn.Close()
	eventually(t, "all are closed", func() bool { return d.closed.Load() == d.opened.Load() })
}

// TestCloseIsTheEnd: nothing comes from NATS's client any more when Close has returned: it would log, and count, for a
// node that is gone.
func TestCloseIsTheEnd(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	late := make(chan bool, 1)
	n := startNode(t, "a", one(runServer(t)), func(o *Options) {
		o.Logger = slog.New(closedHandler{o.Logger.Handler(), func() {
			select {
			case <-closed:
				late <- true
			case <-time.After(200 * time.Millisecond):
				late <- false
			}
		}})
	})
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	close(closed)
	select {
	case behind := <-late:
		if behind {
			t.Error("the end of the connection was logged behind Close")
		}
	case <-time.After(patience):
		t.Error("the end of the connection was not logged")
	}
}

// closedHandler calls a func where the end of the connection is logged.
type closedHandler struct {
	slog.Handler

	closed func()
}

func (h closedHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "bus: closed" {
		h.closed()
	}
	return h.Handler.Handle(ctx, r)
}

func (h closedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return closedHandler{h.Handler.WithAttrs(attrs), h.closed}
}
