package loop

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"groupcast/loop/leak"
	"groupcast/loop/reactor"
)

const (
	firstText = fin | byte(ws.OpText)
	openText  = byte(ws.OpText)
	moreText  = byte(ws.OpContinuation)
	lastText  = fin | byte(ws.OpContinuation)
)

func join(parts ...[]byte) (b []byte) {
	for _, part := range parts {
		b = append(b, part...)
	}
	return b
}

// TestNothingFollowsAClose: what stands behind a close frame is not even looked at.
func TestNothingFollowsAClose(t *testing.T) {
	e, addr := start(t, nil)
	witness, w := open(t, addr), open(t, addr)
	witness.join("g")
	w.write(join(closeFrame(3333, "x"), textFrame(`{"cmd":"send_to_group","group_id":"g","message":"late"}`),
		[]byte{0xff}))
	w.wantClose(3333)
	waitStats(t, e, "the session is gone", func(s ReactorStats) bool { return s.Sessions == 1 })
	witness.sync()
	if s := sum(t, e); s.Published != 0 || s.CloseOther != 1 || s.CloseProtocol != 0 {
		t.Errorf("%d published, %d echoed closes, %d protocol errors", s.Published, s.CloseOther, s.CloseProtocol)
	}
}

// TestServerWaitsForThePeer: after its close frame the server shuts its half
// only; the descriptor goes when the peer has gone, by its close frame or its
// end, or is reset after CloseTimeout.
func TestServerWaitsForThePeer(t *testing.T) {
	violate := []byte{0xff}
	t.Run("answers late", func(t *testing.T) {
		e, addr := start(t, func(o *Options) { o.CloseTimeout = time.Hour })
		for _, end := range []func(w *wire){
			func(w *wire) { w.write(closeFrame(1002, "")) },
			func(w *wire) { _ = w.c.Close() },
			(*wire).reset,
		} {
			w := open(t, addr)
			w.join("g")
			w.write(violate)
			w.wantClose(1002)
			if s := sum(t, e); s.Sessions != 1 || s.Groups != 0 {
				t.Errorf("while the peer has not answered: %d sessions, %d groups; want 1, 0", s.Sessions, s.Groups)
			}
			end(w)
			waitEmpty(t, e)
		}
	})
	t.Run("never answers", func(t *testing.T) {
		e, addr := start(t, func(o *Options) { o.CloseTimeout = 100 * time.Millisecond })
		files := leak.OpenFiles()
		w := open(t, addr)
		w.write(violate)
		w.wantClose(1002)
		w.wantReset()
		waitEmpty(t, e)
		if s := sum(t, e); s.Resets != 1 {
			t.Errorf("%d resets, want 1", s.Resets)
		}
		_ = w.c.Close()
		waitFor(t, "its descriptors are gone", func() bool { return leak.OpenFiles() <= files })
	})
	t.Run("talks on", func(t *testing.T) {
		e, addr := start(t, func(o *Options) { o.CloseTimeout = 100 * time.Millisecond })
		w, witness := open(t, addr), open(t, addr)
		witness.join("g")
		w.join("g")
		w.write(frameHeader(firstText, 1<<40))
		w.wantClose(1009)
		waitFor(t, "a reset", func() bool {
			_, err := w.c.Write(join(textFrame(`{"cmd":"send_to_group","group_id":"g","message":"after the close"}`)))
			return err != nil
		})
		waitStats(t, e, "it is gone", func(s ReactorStats) bool { return s.Sessions == 1 })
		witness.sync()
	})
}

// TestPanic: a panic in one session's handler costs that session, also with
// commands behind it in the same segment; it is logged once, with its stack.
func TestPanic(t *testing.T) {
	var log syncBuffer
	e, addr := start(t, func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		o.OnMessage = func(s *Session, op ws.OpCode, payload []byte) {
			if string(payload) == "panic" {
				panic("injected")
			}
			s.Send(op, payload)
		}
	})
	other := open(t, addr)
	for i, first := range []string{"", "answered"} {
		w := open(t, addr)
		if first != "" {
			w.write(textFrame(first))
		}
		w.write(join(textFrame("panic"), textFrame("behind"), frame(openText, "open")))
		if first != "" {
			w.want(first)
		}
		w.wantClose(1011)
		w.write(closeFrame(1011, ""))
		waitStats(t, e, "it is gone", func(s ReactorStats) bool { return s.Sessions == 1 && s.Panics == uint64(i+1) })
	}
	other.write(textFrame("still"))
	other.want("still")
	text := log.String()
	if n := strings.Count(text, "injected"); n != 1 {
		t.Errorf("logged %d times, want once:\n%s", n, text)
	}
	if !strings.Contains(text, "stack=") || !strings.Contains(text, "TestPanic") {
		t.Errorf("logged without its stack: %s", text)
	}
}

// TestPanicInAFragmentedMessage: the broken decoder is not given to another session.
func TestPanicInAFragmentedMessage(t *testing.T) {
	var log syncBuffer
	_, addr := start(t, func(o *Options) {
		o.Loops = 1
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		o.OnMessage = func(s *Session, op ws.OpCode, payload []byte) {
			if string(payload) == "panic" {
				panic("injected")
			}
			s.Send(op, payload)
		}
	})
	for range 5 {
		w := open(t, addr)
		w.write(join(frame(openText, "pan"), frame(lastText, "ic")))
		w.wantClose(1011)
		w.reset()
		w = open(t, addr)
		w.write(frame(openText, "a"))
		w.write(frame(lastText, "b"))
		w.want("ab")
	}
}

// TestNothingIsReadBehindTheEnd: what comes behind a refused request, or behind a
// Close frame, is counted as bytes and looked at by nobody. A frame in it that
// looks like a Close would else end the connection before its answer is read.
func TestNothingIsReadBehindTheEnd(t *testing.T) {
	for name, head := range map[string]string{
		"200": "GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n",
		"426": "GET /no HTTP/1.1\r\nHost: x\r\n\r\n",
		"400": "GET /no HTTP/1.1\r\n\r\n",
		"431": "GET /" + strings.Repeat("x", 10_000),
	} {
		t.Run(name, func(t *testing.T) {
			e, addr := start(t, func(o *Options) { o.CloseTimeout = time.Hour })
			w := connect(t, addr)
			w.write([]byte(head))
			w.response()
			waitStats(t, e, "all has come", func(s ReactorStats) bool { return s.BytesIn >= uint64(len(head)) })
			behind := closeFrame(1000, "")
			w.write(behind)
			waitStats(t, e, "the rest has come", func(s ReactorStats) bool { return s.BytesIn >= uint64(len(head)+len(behind)) })
			if s, n := sum(t, e), listed(t, e); s.CloseFrames+s.PingFrames+s.MessagesIn != 0 || s.Sessions != 0 || n != 1 {
				t.Errorf("%d close frames, %d pings, %d messages, %d sessions, %d connections",
					s.CloseFrames, s.PingFrames, s.MessagesIn, s.Sessions, n)
			}
		})
	}
}

// TestBusyTime: whatever a loop does counts, the answers to questions too.
func TestBusyTime(t *testing.T) {
	e, _ := start(t, func(o *Options) { o.Loops = 1 })
	before := sum(t, e).BusyNanos
	const long = 30 * time.Millisecond
	if err := ask(t.Context(), e, func(*reactor.Reactor) struct{} { <-time.After(long); return struct{}{} },
		make([]struct{}, 1)); err != nil {
		t.Fatal(err)
	}
	if busy := sum(t, e).BusyNanos - before; busy < uint64(long) {
		t.Errorf("%s of %s are known as busy", time.Duration(busy), long)
	}
}
