package loop

import (
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"groupcast/protocol"
)

// TestStats: what a session did is counted where it belongs.
func TestStats(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.Loops = 1 })
	before := sum(t, e)
	w := open(t, addr)
	w.join("g")
	w.say(`{"cmd":"send_to_group","group_id":"g","message":1}`)
	w.want("1")
	w.say(`{"cmd":"send_to_group","group_id":"nobody","message":1}`)
	w.write(frame(fin|byte(ws.OpPong), ""))
	w.write(frame(fin|byte(ws.OpBinary), `{`)) // an error
	wantText(t, w, "bad_json")
	w.write(frame(byte(ws.OpText), `{"cmd":`))
	w.write(frame(0, `"nonsense"`))
	w.write(frame(fin, `}`))
	wantText(t, w, "bad_command")
	w.write(frame(fin|byte(ws.OpPing), "x"))
	if op, text, err := w.tryRead(); op != ws.OpPong || text != "x" || err != nil {
		t.Fatal(op, text, err)
	}
	w.write(closeFrame(1000, ""))
	w.wantClose(1000)
	waitEmpty(t, e)

	s := sum(t, e)
	for name, n := range map[string][2]uint64{
		"text frames":   {s.TextFrames - before.TextFrames, 4},
		"binary frames": {s.BinaryFrames, 1},
		"continuations": {s.Continuations, 2},
		"pings":         {s.PingFrames, 1},
		"pongs":         {s.PongFrames, 1},
		"closes":        {s.CloseFrames, 1},
		"messages":      {s.MessagesIn, 5},
		"bad_json":      {s.Errors.Of(protocol.CodeBadJSON), 1},
		"bad_command":   {s.Errors.Of(protocol.CodeBadCommand), 1},
		"errors":        {s.Errors.Sum(), 2},
		"published":     {s.Published, 2},
		"delivered":     {s.Deliveries, 1},
		"latencies":     {s.Latency.Count, 1}, // nobody waited for the other
		"batches":       {s.BatchSizes.Count, s.Batches},
		"in batches":    {s.BatchSizes.Sum, s.Messages},
	} {
		if n[0] != n[1] {
			t.Errorf("%s: %d, want %d", name, n[0], n[1])
		}
	}
	if s.BusyNanos == 0 || s.BytesIn == 0 || s.BytesOut == 0 {
		t.Errorf("busy for %d ns, %d bytes in, %d out", s.BusyNanos, s.BytesIn, s.BytesOut)
	}
}

// TestErrorCodes: every code of the contract has a place.
func TestErrorCodes(t *testing.T) {
	var c ErrorCounts
	for i, code := range ErrorCodes {
		if c.count(code); code == "" || c[i] != 1 || c.Of(code) != 1 {
			t.Errorf("%q: %v", code, c)
		}
	}
	if c.count("unknown"); c.Sum() != uint64(len(ErrorCodes)) {
		t.Errorf("%v", c)
	}
}

func wantText(tb testing.TB, w *wire, part string) {
	tb.Helper()
	if op, text, err := w.tryRead(); op != ws.OpText || !strings.Contains(text, part) || err != nil {
		tb.Fatalf("received %d %q, %v; want %s", op, text, err, part)
	}
}

// TestBacklogGauges: what one reader has not read is in the gauges, byte for
// byte, until it has.
func TestBacklogGauges(t *testing.T) {
	const n, size = 100, 8000
	e, addr := start(t, smallBuffers)
	slow := openWith(t, smallWindow(), addr)
	slow.join("g")
	id := sessionOf(t, e, slow)
	publisher := open(t, addr)
	if err := publish(publisher, 0, n, size); err != nil {
		t.Fatal(err)
	}
	waitStats(t, e, "all is marked", func(s ReactorStats) bool { return s.Deliveries == n && s.EgressLen == 0 })
	waitFor(t, "the gauges say what the session says", func() bool {
		info, err := e.Session(t.Context(), id)
		s := sum(t, e) // the kernel may have taken a little in between
		return err == nil && info.Blocked && info.BacklogBytes > n*size/2 && s.BacklogSessions == 1 && s.BacklogBytes == info.BacklogBytes
	})
	if err := wantNumbered(slow, 0, n, size); err != nil {
		t.Fatal(err)
	}
	waitStats(t, e, "nothing is left", func(s ReactorStats) bool { return s.BacklogSessions == 0 && s.BacklogBytes == 0 })
}
