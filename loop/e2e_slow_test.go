package loop

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sync/errgroup"

	"groupcast/loop/order"
)

// smallBuffers makes readers slow early: little fits into the kernel.
func smallBuffers(o *Options) {
	o.SendBufferBytes = 8 << 10
	o.CloseTimeout = time.Hour // no test waits for it
}

// numbered is message i, padded to n bytes.
func numbered(i, n int) string {
	text := fmt.Sprintf("%d:", i)
	return text + strings.Repeat(string(rune('a'+i%26)), n-len(text))
}

// wantNumbered reads the messages from to to-1.
func wantNumbered(w *wire, from, to, size int) error {
	for i := from; i < to; i++ {
		text, err := w.tryNext()
		if err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		if text != numbered(i, size) {
			return fmt.Errorf("received %.40q, want message %d", text, i)
		}
	}
	return nil
}

// publish sends the numbered messages from to to-1 to group g, a few at a
// time: the next once the broker has those before.
func publish(w *wire, from, to, size int) error {
	const window = 16
	for i := from; i < to; i++ {
		command := fmt.Sprintf(`{"cmd":"send_to_group","group_id":"g","message":%q`, numbered(i, size))
		last := (i-from)%window == window-1 || i == to-1
		if last {
			command += `,"req_id":0`
		}
		if err := w.tryWrite(textFrame(command + "}")); err != nil {
			return err
		}
		if last {
			if text, err := w.tryNext(); err != nil || text != ackOf("0") {
				return fmt.Errorf("publisher received %.100q, %w", text, err)
			}
		}
	}
	return nil
}

// TestSlowReaderIsClosed: one member never reads. It is closed with 1008; up to
// there it has what it could get, in order and ending with a whole frame. The
// others miss nothing.
func TestSlowReaderIsClosed(t *testing.T) {
	for _, test := range []struct{ n, size int }{{6000, 100}, {3000, 1000}, {100, 60_000}} {
		t.Run(fmt.Sprint(test.size), func(t *testing.T) {
			t.Parallel()
			e, addr := start(t, func(o *Options) {
				smallBuffers(o)
				o.MaxBacklogBytes = 200_000
			})
			slow := openWith(t, smallWindow(), addr)
			slow.join("g", "own")
			others := []*wire{open(t, addr), open(t, addr), open(t, addr), open(t, addr)}
			for _, w := range others {
				w.join("g")
			}
			publisher := open(t, addr)
			for i, round := 0, max(1, 50_000/test.size); i < test.n; i += round {
				if err := publish(publisher, i, i+round, test.size); err != nil {
					t.Fatal(err)
				}
				for _, w := range others {
					if err := wantNumbered(w, i, i+round, test.size); err != nil {
						t.Fatal(err)
					}
				}
			}
			if s := sum(t, e); s.SlowReaders != 1 || s.Memberships != 4 {
				t.Fatalf("%d slow readers, %d memberships", s.SlowReaders, s.Memberships)
			}
			code, reason, texts := slow.untilClose()
			if code != 1008 || !strings.Contains(reason, "slow") {
				t.Errorf("closed with %d: %s", code, reason)
			}
			if len(texts) == 0 || len(texts) >= test.n {
				t.Errorf("the slow one has %d messages", len(texts))
			}
			// What the kernel had, and the end of a frame: not the backlog too.
			if n := len(texts) * test.size; n > e.options().MaxBacklogBytes*3/4 {
				t.Errorf("the slow one has %d bytes", n)
			}
			for i, text := range texts {
				if text != numbered(i, test.size) {
					t.Fatalf("the slow one received %.40q as message %d", text, i)
				}
			}
			slow.wantEOF()
		})
	}
}

// TestSlowReaderIsReset: its close frame cannot even be sent, and it never
// reads: after CloseTimeout the connection is reset.
func TestSlowReaderIsReset(t *testing.T) {
	e, addr := start(t, func(o *Options) {
		smallBuffers(o)
		o.MaxBacklogBytes, o.CloseTimeout = 100_000, 100*time.Millisecond
	})
	slow := openWith(t, smallWindow(), addr)
	slow.join("g")
	publisher := open(t, addr)
	if err := publish(publisher, 0, 300, 10_000); err != nil {
		t.Fatal(err)
	}
	waitStats(t, e, "it is reset", func(s ReactorStats) bool {
		return s.Sessions == 1 && s.Resets == 1 &&
			s.SlowReaders == 1
	})
	slow.wantReset()
}

// TestSlowButAlive: members that read with pauses and have little room in the
// kernel miss nothing as long as they stay within the limit. How often the loop
// has to stop and resume writing to them is the kernel's affair; what it does
// then is TestDeliveryModel's.
func TestSlowButAlive(t *testing.T) {
	for _, test := range []struct{ n, size, pauseEvery int }{
		{3000, 300, 60},
		{120, 60_000, 3},
	} {
		t.Run(fmt.Sprint(test.size), func(t *testing.T) {
			t.Parallel()
			e, addr := start(t, func(o *Options) {
				smallBuffers(o)
				o.MaxBacklogBytes = test.n * (test.size + 4 + order.Overhead) // if nobody reads for long
			})
			var work errgroup.Group
			for range 6 {
				w := openWith(t, smallWindow(), addr)
				w.join("g")
				work.Go(func() error {
					for i := 0; i < test.n; i += test.pauseEvery {
						<-time.After(5 * time.Millisecond)
						if err := wantNumbered(w, i, i+test.pauseEvery, test.size); err != nil {
							return err
						}
					}
					return nil
				})
			}
			publisher := open(t, addr)
			work.Go(func() error { return publish(publisher, 0, test.n, test.size) })
			if err := work.Wait(); err != nil {
				t.Fatal(err)
			}
			if s := sum(t, e); s.SlowReaders != 0 || s.Memberships != 6 {
				t.Errorf("%d slow readers, %d memberships", s.SlowReaders, s.Memberships)
			}
		})
	}
}

// TestBacklogLimit is at the edge of MaxBacklogBytes: that much may wait, one
// more message may not. It is about what the kernel has not taken.
func TestBacklogLimit(t *testing.T) {
	const size = 1000
	const limit = 80_000
	e, addr := start(t, func(o *Options) {
		smallBuffers(o)
		o.Loops, o.MaxBacklogBytes, o.MaxMessageBytes = 1, limit, 2000
	})
	slow := openWith(t, smallWindow(), addr)
	slow.join("g")
	publisher := open(t, addr)
	id := sessionOf(t, e, slow)
	backlog := func() int {
		info, err := e.Session(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return info.BacklogBytes
	}
	// A message counts its frame and what is kept beside it.
	const cost = size + 4 + order.Overhead
	sent := 0
	for backlog() < limit-2*cost {
		if err := publish(publisher, sent, sent+1, size); err != nil {
			t.Fatal(err)
		}
		sent++
	}
	// Fill up to exactly the limit. The kernel takes nothing more of a reader
	// that has read nothing; if it does, fill again.
	var last string
	for waits := backlog(); waits < limit; waits = backlog() {
		n := limit - waits
		if n > cost {
			n = min(cost, n-500) // so that the last one is long enough for its header
		}
		last = strings.Repeat("z", n-4-order.Overhead)
		publisher.say(`{"cmd":"send_to_group","group_id":"g","message":%q,"req_id":1}`, last)
		publisher.want(ackOf("1"))
	}
	if stats := sum(t, e); stats.SlowReaders != 0 || backlog() != limit {
		t.Fatalf("%d slow readers, backlog %d, want none and %d", stats.SlowReaders, backlog(), limit)
	}
	publisher.say(`{"cmd":"send_to_group","group_id":"g","message":"","req_id":2}`)
	publisher.want(ackOf("2"))
	waitStats(t, e, "one more is too much", func(stats ReactorStats) bool { return stats.SlowReaders == 1 })
	if err := wantNumbered(slow, 0, 3, size); err != nil {
		t.Error(err)
	}
	if code, _, _ := slow.untilClose(); code != 1008 {
		t.Errorf("closed with %d", code)
	}
	publisher.sync()
}

// TestFloodWithoutReading: a client floods and reads nothing. Pings cost one
// waiting pong and are no reason to close; answers wait in the backlog and
// are. Nobody else notices.
func TestFloodWithoutReading(t *testing.T) {
	for _, test := range []struct {
		name   string
		frame  []byte
		closed bool
	}{
		{"pings", frame(fin|byte(ws.OpPing), strings.Repeat("p", 125)), false},
		{"commands", textFrame(`{"cmd":"ping","req_id":"` + strings.Repeat("r", 200) + `"}`), true},
		{"errors", textFrame(`{"cmd":"pong","req_id":"` + strings.Repeat("r", 200) + `"}`), true},
		{"messages", textFrame(`{"cmd":"send_to_group","group_id":"nobody","message":1,"req_id":"` +
			strings.Repeat("r", 200) + `"}`), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e, addr := start(t, func(o *Options) {
				smallBuffers(o)
				o.MaxBacklogBytes = 100_000
			})
			a, b := open(t, addr), open(t, addr)
			a.join("g")
			b.join("g")
			flooder := openWith(t, smallWindow(), addr)
			flooder.join("flood")
			var segment []byte
			for range 100 {
				segment = append(segment, test.frame...)
			}
			for range 100 {
				_ = flooder.c.SetWriteDeadline(time.Now().Add(patience))
				if err := flooder.tryWrite(segment); err != nil {
					break
				}
				a.say(`{"cmd":"send_to_group","group_id":"g","message":"all right"}`)
				a.want("all right")
				b.want("all right")
			}
			if !test.closed {
				flooder.write(frame(fin|byte(ws.OpPing), "last"))
				waitStats(t, e, "the flood is in", func(s ReactorStats) bool { return s.BytesIn >= uint64(100*len(segment)) })
				if s := sum(t, e); s.SlowReaders != 0 || s.Sessions != 3 {
					t.Fatalf("%d slow readers, %d sessions", s.SlowReaders, s.Sessions)
				}
				for payload := ""; payload != "last"; {
					op, got, err := flooder.tryRead()
					if err != nil || op != ws.OpPong {
						t.Fatalf("opcode %d, error %v", op, err)
					}
					payload = got
				}
				flooder.sync()
				return
			}
			waitStats(t, e, "it is closed", func(s ReactorStats) bool { return s.SlowReaders == 1 && s.Groups <= 2 })
			if code, _, _ := flooder.untilClose(); code != 1008 {
				t.Errorf("closed with %d", code)
			}
		})
	}
}

// TestBlockedReaderLeavesOrderly: a client with much to read closes; what was
// queued before comes first, then the answer.
func TestBlockedReaderLeavesOrderly(t *testing.T) {
	const n, size = 50, 10_000
	e, addr := start(t, smallBuffers)
	slow := openWith(t, smallWindow(), addr)
	slow.join("g")
	publisher := open(t, addr)
	if err := publish(publisher, 0, n, size); err != nil {
		t.Fatal(err)
	}
	waitStats(t, e, "it is blocked", func(s ReactorStats) bool { return s.Blocked > 0 && s.Deliveries == n })
	slow.write(closeFrame(1000, ""))
	waitStats(t, e, "it has left", func(s ReactorStats) bool { return s.Memberships == 0 })
	if err := publish(publisher, n, n+1, size); err != nil { // not for it any more
		t.Fatal(err)
	}
	if err := wantNumbered(slow, 0, n, size); err != nil {
		t.Fatal(err)
	}
	slow.wantClose(1000)
	waitStats(t, e, "it is gone", func(s ReactorStats) bool { return s.Sessions == 1 })
}
