package loop

import (
	"fmt"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// TestLeaving: however a connection ends, its session leaves all its groups,
// the empty ones vanish, and those who stay notice nothing.
func TestLeaving(t *testing.T) {
	for _, test := range []struct {
		name  string
		leave func(*wire)
	}{
		{"close handshake", func(w *wire) {
			w.write(closeFrame(1000, ""))
			w.wantClose(1000)
		}},
		{"reset", (*wire).reset},
		{"half close", func(w *wire) {
			_ = w.c.(interface{ CloseWrite() error }).CloseWrite()
			w.wantEOF()
		}},
		{"close in the middle of a frame", func(w *wire) {
			w.write(frame(fin|byte(ws.OpText), "half of this")[:9])
			_ = w.c.Close()
		}},
		{"reset in the middle of a message", func(w *wire) {
			w.write(frame(byte(ws.OpText), "a fragment"))
			w.reset()
		}},
		{"reset with commands in flight", func(w *wire) {
			for range 100 {
				w.say(`{"cmd":"send_to_group","group_id":"own","message":"late","req_id":1}`)
			}
			w.reset()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e, addr := start(t, nil)
			stays := open(t, addr)
			stays.join("shared")
			leaving := make([]*wire, 6)
			for i := range leaving {
				leaving[i] = open(t, addr)
				leaving[i].join("shared", "own", fmt.Sprint("only ", i))
			}
			for _, w := range leaving {
				test.leave(w)
			}
			waitStats(t, e, "the others are gone", func(s ReactorStats) bool {
				return s.Sessions == 1 && s.Groups == 1 && s.Memberships == 1
			})
			if n := e.shared.Groups.Load(); n != 1 {
				t.Errorf("%d groups are counted, want 1", n)
			}
			stays.say(`{"cmd":"send_to_group","group_id":"shared","message":"still here"}`)
			stays.want("still here")
		})
	}
}

// TestSilence: a silent session is pinged and, if nothing comes, closed; one
// that answers lives on.
func TestSilence(t *testing.T) {
	e, addr := start(t, func(o *Options) {
		o.PingAfter, o.CloseAfter, o.CloseTimeout = 100*time.Millisecond, 1500*time.Millisecond, 200*time.Millisecond
	})
	answering, silent := open(t, addr), open(t, addr)
	answering.join("g")
	silent.join("g", "own")

	answered := make(chan error, 1)
	go func() {
		begin := time.Now()
		for pings := 0; ; pings++ {
			if pings > 0 && time.Since(begin) > 2*e.options().CloseAfter {
				answered <- nil
				return
			}
			op, payload, err := answering.tryRead()
			if err == nil && op != ws.OpPing {
				err = fmt.Errorf("opcode %d %q, want a ping", op, payload)
			}
			if err == nil {
				err = answering.tryWrite(frame(fin|byte(ws.OpPong), payload))
			}
			if err != nil {
				answered <- fmt.Errorf("after %d pings: %w", pings, err)
				return
			}
		}
	}()

	if op, _, err := silent.tryRead(); op != ws.OpPing {
		t.Fatalf("opcode %d, error %v, want a ping", op, err)
	}
	silent.wantClose(1008) // and one ping is enough
	waitStats(t, e, "the silent one has left its groups", func(s ReactorStats) bool {
		return s.Groups == 1 && s.Memberships == 1 && s.IdleClosed == 1
	})
	waitStats(t, e, "it does not answer the close and is reset", func(s ReactorStats) bool {
		return s.Sessions == 1 && s.Resets == 1
	})
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	answering.say(`{"cmd":"send_to_group","group_id":"g","message":"alive"}`)
	answering.want("alive")
}

// TestPingsGoOn: a session that answers is pinged again after PingAfter, however long it would
// have had to answer: a proxy between counts on that.
func TestPingsGoOn(t *testing.T) {
	_, addr := start(t, func(o *Options) { o.PingAfter, o.CloseAfter = 50*time.Millisecond, time.Hour })
	w := open(t, addr)
	w.join("g")
	for i := range 5 {
		op, payload, err := w.tryRead()
		if op != ws.OpPing || err != nil {
			t.Fatalf("opcode %d, error %v, want ping %d", op, err, i+1)
		}
		w.write(frame(fin|byte(ws.OpPong), payload))
	}
}
