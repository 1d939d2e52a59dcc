package loop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sync/errgroup"

	"groupcast/protocol"
)

// drain drains e with patience and wants success.
func drain(e *Engine, code ws.StatusCode, spread time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := e.Drain(ctx, code, spread)
	return err
}

// TestDrainUnderLoad: publishers run at full speed, over the wire and from
// outside, while the engine drains. What was acknowledged has reached every
// member that stayed, in order; what was refused has reached none; nothing is
// left unanswered; everybody is closed with the code.
func TestDrainUnderLoad(t *testing.T) {
	for _, test := range []struct{ loops, slots int }{{1, 1024}, {2, 1024}, {2, 1}, {4, 4}} {
		t.Run(fmt.Sprintf("loops=%d/slots=%d", test.loops, test.slots), func(t *testing.T) {
			testDrainUnderLoad(t, test.loops, test.slots)
		})
	}
}

func testDrainUnderLoad(t *testing.T, loops, slots int) {
	t.Helper()
	const members, publishers = 6, 4
	e, addr := start(t, func(o *Options) { o.Loops, o.RingSlots = loops, slots })
	var reading, publishing errgroup.Group
	heard := make([][]string, members)
	for i := range members {
		w := open(t, addr)
		w.join("g")
		reading.Go(func() (err error) {
			heard[i], err = readToClose(w)
			return err
		})
	}
	var acked atomic.Int64
	accepted := make([][]string, publishers+1)
	for i := range publishers {
		w := open(t, addr)
		publishing.Go(func() (err error) {
			accepted[i], err = publishUntilDraining(w, i, &acked)
			return err
		})
	}
	publishing.Go(func() error {
		for n := 0; ; n++ {
			text := fmt.Sprintf("%d:%d", publishers, n)
			if _, err := e.Publish(t.Context(), "g", []byte(text)); err != nil {
				if !errors.Is(err, ErrDraining) {
					return fmt.Errorf("publish from outside: %w", err)
				}
				return nil
			}
			accepted[publishers] = append(accepted[publishers], text)
		}
	})
	waitFor(t, "a thousand acks", func() bool { return acked.Load() > 1000 })
	if err := drain(e, ws.StatusGoingAway, 100*time.Millisecond); err != nil {
		t.Fatalf("drain: %v", err)
	}
	if err := errors.Join(publishing.Wait(), reading.Wait()); err != nil {
		t.Fatal(err)
	}
	for i, order := range heard {
		if !slices.Equal(order, heard[0]) {
			t.Errorf("member %d disagrees with member 0", i)
		}
	}
	for i, want := range accepted {
		prefix := fmt.Sprintf("%d:", i)
		got := slices.DeleteFunc(slices.Clone(heard[0]), func(text string) bool { return !strings.HasPrefix(text, prefix) })
		if !slices.Equal(got, want) {
			t.Errorf("publisher %d: %d accepted, %d delivered", i, len(want), len(got))
		}
	}
}

// readToClose reads up to the close frame of a drain, which says 1001, and answers it.
func readToClose(w *wire) (texts []string, err error) {
	for {
		op, payload, err := w.tryRead()
		switch {
		case err != nil:
			return nil, fmt.Errorf("after %d messages: %w", len(texts), err)
		case op == ws.OpText:
			texts = append(texts, payload)
		case op == ws.OpClose:
			if payload != "\x03\xe9" {
				return nil, fmt.Errorf("close frame %q, want 1001", payload)
			}
			return texts, w.tryWrite(closeFrame(1001, ""))
		}
	}
}

// publishUntilDraining publishes with up to window messages unanswered and
// returns those that were acknowledged, once others were refused. Acks come in
// order, and refusals behind the acks of all sends before them.
func publishUntilDraining(w *wire, publisher int, acked *atomic.Int64) (accepted []string, err error) {
	const window = 50
	refused := 0
	for sent := 0; ; {
		for refused == 0 && sent < len(accepted)+window {
			command := fmt.Sprintf(`{"cmd":"send_to_group","group_id":"g","message":"%d:%d","req_id":%d}`, publisher, sent, sent)
			if err := w.tryWrite(textFrame(command)); err != nil {
				return nil, err
			}
			sent++
		}
		text, err := w.tryNext()
		switch {
		case err != nil && strings.HasPrefix(err.Error(), `close frame "\x03\xe9`):
			// What was still on its way is neither answered nor published.
			return accepted, w.tryWrite(closeFrame(1001, ""))
		case err != nil:
			return nil, fmt.Errorf("publisher %d, after %d acks: %w", publisher, len(accepted), err)
		case text == ackOf(fmt.Sprint(len(accepted))):
			accepted = append(accepted, fmt.Sprintf("%d:%d", publisher, len(accepted)))
			acked.Add(1)
		case strings.HasPrefix(text, `{"cmd":"error"`) && strings.Contains(text, `"code":"draining"`):
			refused++
		default:
			return nil, fmt.Errorf("publisher %d, after %d acks: %s", publisher, len(accepted), text)
		}
	}
}

// TestDrainRefuses: a session that stays is told draining, a new connection 503.
func TestDrainRefuses(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.CloseTimeout = time.Hour })
	w, other := open(t, addr), open(t, addr) // the first on the first loop, the other on the other
	unfinished := connect(t, addr)
	waitFor(t, "all are there", func() bool { return listed(t, e) == 3 })
	// The other loop stops once it drains, before it can get the barrier: so the
	// drain waits for it, and the first one refuses what comes meanwhile.
	late, stopped, goOn := e.reactors[1], make(chan struct{}), make(chan struct{})
	var wait func()
	wait = func() {
		if late.Draining() {
			close(stopped)
			<-goOn
		} else if err := late.Do(wait); err != nil {
			t.Error(err)
		}
	}
	if err := late.Do(wait); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- drain(e, protocol.StatusServiceRestart, 0) }()
	<-stopped
	waitFor(t, "publishes are refused", func() (draining bool) {
		onLoop(t, e.reactors[0], func() { draining = e.reactors[0].Draining() })
		return draining
	})
	w.say(`{"cmd":"send_to_group","group_id":"g","message":1,"req_id":1}`)
	w.wantError("draining", "1")
	w.join("g") // no publish
	connect(t, addr).wantUnavailable()
	if _, err := e.Drain(t.Context(), 1001, 0); err == nil {
		t.Error("a second drain succeeds")
	}
	close(goOn)
	w.wantClose(protocol.StatusServiceRestart)
	if n, err := unfinished.c.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("the unfinished handshake: %d bytes, %v", n, err)
	}
	select {
	case err := <-done:
		t.Errorf("drain returned %v while close handshakes are open", err)
	default:
	}
	w.write(closeFrame(protocol.StatusServiceRestart, ""))
	other.wantClose(protocol.StatusServiceRestart)
	_ = other.c.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := e.Publish(t.Context(), "g", []byte("x")); !errors.Is(err, ErrDraining) {
		t.Errorf("publish: %v", err)
	}
}

// TestDrainWithoutAnswers: clients that never answer the close, or never read
// at all, are reset after CloseTimeout; before that only ctx ends a drain.
func TestDrainWithoutAnswers(t *testing.T) {
	for _, test := range []struct {
		name         string
		closeTimeout time.Duration
		read         bool
		want         error
	}{
		{"reset", 2 * time.Second, true, nil}, // ample for the good one to read and answer
		{"reset, never read", 2 * time.Second, false, nil},
		{"ctx ends", time.Hour, true, context.DeadlineExceeded},
		{"ctx ends, never read", time.Hour, false, context.DeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e, addr := start(t, func(o *Options) {
				smallBuffers(o)
				o.CloseTimeout = test.closeTimeout
			})
			stuck := openWith(t, smallWindow(), addr)
			stuck.join("g")
			good := open(t, addr)
			good.join("g")
			publisher := open(t, addr)
			const n, size = 50, 10_000
			if err := publish(publisher, 0, n, size); err != nil {
				t.Fatal(err)
			}
			var reading errgroup.Group
			for _, w := range []*wire{good, publisher} {
				reading.Go(func() error {
					texts, err := readToClose(w)
					if w == good && len(texts) != n {
						err = errors.Join(err, fmt.Errorf("the good one has %d messages, want %d", len(texts), n))
					}
					return err
				})
			}
			if test.read {
				reading.Go(func() error {
					if err := wantNumbered(stuck, 0, n, size); err != nil {
						return err
					}
					_, _, err := stuck.tryRead() // the close, which it does not answer
					return err
				})
			}
			limit := patience
			if test.want != nil {
				limit = time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			result, err := e.Drain(ctx, 1001, 0)
			if !errors.Is(err, test.want) {
				t.Errorf("drain: %v, want %v", err, test.want)
			}
			if err := reading.Wait(); err != nil {
				t.Error(err)
			}
			want := 0
			if test.want != nil {
				want = 1
			}
			if s := sum(t, e); s.Sessions != want || int(s.Resets) != 1-want {
				t.Errorf("%d sessions, %d resets", s.Sessions, s.Resets)
			}
			// Who has taken everything has lost nothing, even if it never answers.
			cut := 1
			if test.read {
				cut = 0
			}
			if result.Left != want || result.CutSessions != cut || (result.CutBytes > 0) != (cut > 0) {
				t.Errorf("the drain says %+v; want %d left and %d cut", result, want, cut)
			}
		})
	}
}

// TestDrainSpread: the closes come over the time given, all of them.
func TestDrainSpread(t *testing.T) {
	e, addr := start(t, nil)
	var reading errgroup.Group
	for range 120 {
		w := open(t, addr)
		reading.Go(func() error {
			_, err := readToClose(w)
			return err
		})
	}
	begin := time.Now()
	if err := drain(e, 1001, 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	// 60 on each of two loops, 20 a step at most: the third step is 40 ms away.
	if elapsed := time.Since(begin); elapsed < 2*closeStep-closeStep/2 {
		t.Errorf("all closed within %s", elapsed)
	}
	if err := reading.Wait(); err != nil {
		t.Error(err)
	}
}

// TestDrainMissesNoLateSession: a connection that had passed the door when the
// drain began does not keep it from ending.
func TestDrainMissesNoLateSession(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.Loops = 1 })
	gone := open(t, addr)
	last := open(t, addr)
	gone.reset() // its slot comes before that of last
	waitStats(t, e, "one is gone", func(s ReactorStats) bool { return s.Sessions == 1 })
	done := make(chan error, 1)
	go func() { done <- drain(e, 1001, 0) }()
	last.wantClose(1001)
	late := connectPair(t, e)
	_ = late.tryWrite([]byte(upgradeHead))
	last.write(closeFrame(1001, ""))
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
