package loop

import (
	"reflect"
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
		return err == nil && info.Blocked && info.BacklogBytes > n*size/2 && s.BacklogSessions == 1 &&
			s.BacklogBytes == info.BacklogBytes
	})
	if err := wantNumbered(slow, 0, n, size); err != nil {
		t.Fatal(err)
	}
	waitStats(t, e, "nothing is left", func(s ReactorStats) bool { return s.BacklogSessions == 0 && s.BacklogBytes == 0 })
}

// TestSum: every field of the stats is added up, but for the maxima.
func TestSum(t *testing.T) {
	var one ReactorStats
	fill(reflect.ValueOf(&one).Elem())
	total := Stats{Reactors: []ReactorStats{one, one, one}}.Sum()
	got, was := reflect.ValueOf(total), reflect.ValueOf(one)
	for i := range got.NumField() {
		name := got.Type().Field(i).Name
		want := 3
		if name == "MaxMarks" || name == "MaxWrites" {
			want = 1
		}
		for path, n := range numbers(got.Field(i)) {
			if n != want*numbers(was.Field(i))[path] {
				t.Errorf("%s%s: %d, want %d times as much as one", name, path, n, want)
			}
		}
	}
}

// fill puts another number into every field.
func fill(v reflect.Value) {
	next := 0
	walk(v, "", func(_ string, v reflect.Value) {
		next++
		if v.CanInt() {
			v.SetInt(int64(next))
		} else {
			v.SetUint(uint64(next))
		}
	})
}

func numbers(v reflect.Value) map[string]int {
	list := make(map[string]int)
	walk(v, "", func(path string, v reflect.Value) {
		if v.CanInt() {
			list[path] = int(v.Int())
		} else {
			list[path] = int(v.Uint())
		}
	})
	return list
}

func walk(v reflect.Value, path string, leaf func(string, reflect.Value)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), path+"."+v.Type().Field(i).Name, leaf)
		}
	case reflect.Array:
		for i := range v.Len() {
			walk(v.Index(i), path+"[]"+string(rune('a'+i)), leaf)
		}
	default:
		leaf(path, v)
	}
}
