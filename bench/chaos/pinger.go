package main

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/coder/websocket"
)

// pinger asks a node's event loop for an answer all the time: what waits there waits for all its sessions.
type pinger struct {
	mu   sync.Mutex // guards what follows
	seen *hdrhistogram.Histogram
	// since is when the question under way was asked; zero: there is none.
	since time.Time
}

const (
	pingEvery = 10 * time.Millisecond
	maxPing   = time.Minute
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, maxPing.Microseconds(), 3) }

func (w *world) startPinger(i int) *pinger {
	p := &pinger{seen: newHistogram()}
	w.running.Go(func() {
		for w.ctx.Err() == nil {
			conn, err := w.dial(w.ctx, w.nodes[i])
			if err == nil {
				p.ask(w, conn)
				_ = conn.CloseNow()
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-w.ctx.Done():
			}
		}
	})
	return p
}

func (p *pinger) ask(w *world, conn *websocket.Conn) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		began := time.Now()
		p.mu.Lock()
		p.since = began
		p.mu.Unlock()
		err := conn.Write(w.ctx, websocket.MessageText, []byte(`{"cmd":"ping"}`))
		if err == nil {
			_, _, err = conn.Read(w.ctx)
		}
		p.mu.Lock()
		p.since = time.Time{}
		if err == nil {
			_ = p.seen.RecordValue(min(max(time.Since(began), time.Microsecond), maxPing).Microseconds())
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-w.ctx.Done():
			return
		}
	}
}

// pings are what was measured at all of these since the last call: 99 of 100, and all, were below.
func pings(all []*pinger) (p99, most time.Duration) {
	sum := newHistogram()
	for _, p := range all {
		p.mu.Lock()
		sum.Merge(p.seen)
		p.seen.Reset()
		if !p.since.IsZero() {
			_ = sum.RecordValue(min(max(time.Since(p.since), time.Microsecond), maxPing).Microseconds())
		}
		p.mu.Unlock()
	}
	at := func(percent float64) time.Duration {
		return time.Duration(sum.ValueAtPercentile(percent)) * time.Microsecond
	}
	return at(99), at(100)
}
