package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"github.com/coder/websocket"
)

// live are the members of one group who must notice nothing: one of them publishes at a steady pace, and all check
// that every message comes once and in order.
// Owner: the run.
type live struct {
	members   []*websocket.Conn
	began     time.Time
	published atomic.Int64
	received  []atomic.Int64 // by member: the number of its last message
	gaps      atomic.Int64
	closed    atomic.Int64
	leaving   atomic.Bool
	stop      context.CancelFunc
	busy      sync.WaitGroup
	patience  time.Duration // with what is under way, at the end

	mu      sync.Mutex
	latency *hdr.Histogram // microseconds since the last call of phase
}

// every is the time between two messages.
const every = 25 * time.Millisecond

// message is what a group's message says.
type message struct {
	Number int64         `json:"n"`
	Due    time.Duration `json:"due"` // since live began
}

func startLive(ctx context.Context, address string, n int, token func(i int) string) (*live, error) {
	l := &live{began: time.Now(), received: make([]atomic.Int64, n), patience: patience}
	join := []byte(`{"cmd":"add_group","group_id":"live","req_id":1}`)
	l.phase()
	for i := range n {
		c, status, err := connect(ctx, address, token(i), i)
		if err != nil {
			return l, fmt.Errorf("a live member was answered %d: %w", status, err)
		}
		l.members = append(l.members, c)
		if err := c.Write(ctx, websocket.MessageText, join); err != nil {
			return l, err
		}
		if _, text, err := c.Read(ctx); err != nil || !isOf(text, "ack") {
			return l, fmt.Errorf("joining was answered %q, %w", text, err)
		}
	}
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	for i, c := range l.members {
		l.busy.Go(func() { l.read(i, c) })
	}
	l.busy.Go(func() { l.publish(ctx, l.members[0]) })
	return l, nil
}

// heard is what the server sends, in envelope mode.
type heard struct {
	Type    string          `json:"type"`
	Message json.RawMessage `json:"message"`
	ReqID   int             `json:"req_id"`
	Code    string          `json:"code"`
}

func isOf(text []byte, kind string) bool {
	var h heard
	return json.Unmarshal(text, &h) == nil && h.Type == kind
}

func (l *live) read(i int, c *websocket.Conn) {
	for {
		_, text, err := c.Read(context.Background())
		if err != nil {
			if !l.leaving.Load() {
				l.closed.Add(1)
			}
			return
		}
		var h heard
		var inner string
		var m message
		if json.Unmarshal(text, &h) != nil || h.Type != "message" || json.Unmarshal(h.Message, &inner) != nil ||
			json.Unmarshal([]byte(inner), &m) != nil || m.Number != l.received[i].Load()+1 {
			l.gaps.Add(1)
		}
		l.received[i].Store(m.Number)
		l.mu.Lock()
		_ = l.latency.RecordValue((time.Since(l.began) - m.Due).Microseconds())
		l.mu.Unlock()
	}
}

// publish sends a message whenever one is due, late ones too, and counts from when it was.
func (l *live) publish(ctx context.Context, c *websocket.Conn) {
	due := time.Since(l.began)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(due - time.Since(l.began)):
		}
		inner, err := json.Marshal(message{l.published.Add(1), due})
		if err != nil {
			panic(err) // numbers
		}
		command := fmt.Appendf(nil, `{"cmd":"send_to_group","group_id":"live","message":%q}`, inner)
		if c.Write(context.Background(), websocket.MessageText, command) != nil { // a ctx that ends would close it
			return // its reader counts it as closed
		}
		due += every
	}
}

// phase is the 99th percentile of the latencies since the last call.
func (l *live) phase() (p99 time.Duration) {
	next := hdr.New(1, 60e6, 3)
	l.mu.Lock()
	before := l.latency
	l.latency = next
	l.mu.Unlock()
	if before == nil {
		return 0
	}
	return time.Duration(before.ValueAtQuantile(99)) * time.Microsecond
}

// finish ends them all, after what was published has come, and tells what has been missed.
func (l *live) finish() (missed, closed int64) {
	if l.stop != nil {
		l.stop()
	}
	last := l.published.Load()
	complete := func(i int) bool { return l.received[i].Load() >= last }
	for deadline := time.Now().Add(l.patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		all := true
		for i := range l.members {
			all = all && complete(i)
		}
		if all {
			break
		}
	}
	missed = l.gaps.Load()
	for i := range l.members {
		missed += max(0, last-l.received[i].Load())
	}
	closed = l.closed.Load()
	l.leaving.Store(true)
	for _, c := range l.members {
		_ = c.CloseNow()
	}
	l.busy.Wait()
	return missed, closed
}
