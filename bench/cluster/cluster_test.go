package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

func TestLedgerNoticesWhatIsWrong(t *testing.T) {
	payload := func(number uint32) []byte { return appendPayload(nil, number, 1, 100) }
	damaged := payload(1)
	damaged[99]++
	for _, test := range []struct {
		name     string
		payloads [][]byte
		want     int64
		wrong    string
	}{
		{"as it should be", [][]byte{payload(1), payload(2), payload(3)}, 3, ""},
		{"one twice", [][]byte{payload(1), payload(2), payload(2)}, 2, "came twice: got 1, want 0"},
		{"an old one", [][]byte{payload(1), payload(2), payload(1)}, 2, "came twice: got 1, want 0"},
		{"one missed", [][]byte{payload(1), payload(3)}, 2, "were missed: got 1, want 0"},
		{"the last missed", [][]byte{payload(1), payload(2)}, 3, "deliveries: got 2, want 3"},
		{"damaged", [][]byte{damaged}, 0, "were damaged: got 1, want 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cr, m := &crowd{}, &member{}
			for _, p := range test.payloads {
				cr.take(m, p)
			}
			wrong := strings.Join(cr.faults("test", test.want), "\n")
			if want := test.wrong; want != "" && wrong != "test: "+want || want == "" && wrong != "" {
				t.Errorf("faults: got %q, want %q", wrong, want)
			}
		})
	}
}

func TestPayloadsComeBack(t *testing.T) {
	for _, size := range []int{0, stampBytes, 100, 1024, 60_000} {
		b := appendPayload(nil, math.MaxUint32, math.MaxInt64, size)
		number, at, ok := readPayload(b)
		if !ok || number != math.MaxUint32 || at != math.MaxInt64 || len(b) != max(size, stampBytes) {
			t.Errorf("%d bytes: got %d, %d, %v of %d bytes", size, number, at, ok, len(b))
		}
	}
}

func TestDialectsReadWhatTheirServersSay(t *testing.T) {
	payload := string(appendPayload(nil, 7, 8, 40))
	for _, test := range []struct {
		d                *dialect
		ack, part, event string
	}{
		{groupcast, `{"cmd":"ack","req_id":7}`, `{"cmd":"ack","req_id":7,"cluster":false}`, payload},
		{
			envelopes, `{"type":"ack","req_id":7}`, `{"type":"ack","req_id":7,"cluster":false}`,
			`{"type":"message","group_id":"room:1","message":"` + payload + `"}`,
		},
		{
			centrifuge, `{"id":9,"subscribe":{}}`, "",
			`{"push":{"channel":"room:1","pub":{"data":"` + payload + `"}}}`,
		},
		{socketIO, `437[]`, "", `42["m","` + payload + `"]`},
	} {
		if id, whole, ok := test.d.joined([]byte(test.ack)); id != 7 || !whole || !ok {
			t.Errorf("%s: got %d, %v, %v", test.ack, id, whole, ok)
		}
		if test.part != "" {
			if id, whole, ok := test.d.joined([]byte(test.part)); id != 7 || whole || !ok {
				t.Errorf("%s: got %d, %v, %v", test.part, id, whole, ok)
			}
		}
		if _, _, ok := test.d.joined([]byte(test.event)); ok {
			t.Errorf("%s: got an ack", test.event)
		}
		var got string
		if err := test.d.payloads(nil, []byte(test.event), func(b []byte) { got = string(b) }); err != nil || got != payload {
			t.Errorf("%s: got %q, %v", test.event, got, err)
		}
	}
}

func TestCellsHaveMedianAndRange(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   string
	}{
		{nil, ""},
		{[]float64{1.5}, "1.50"},
		{[]float64{3, 1, 2}, "2 (1 to 3)"},
		{[]float64{1000, 3000000}, "1,500,500 (1,000 to 3,000,000)"},
		{[]float64{-0.5, 12.34}, "5.92 (-0.50 to 12.3)"},
	} {
		if got := cell(test.values); got != test.want {
			t.Errorf("%v: got %q, want %q", test.values, got, test.want)
		}
	}
}

// The model's parts are read from figures, and put together again to what the run with two nodes took.
func TestModelOfWhatItWasMadeFrom(t *testing.T) {
	r := &results{}
	for i, run := range []map[string]float64{
		{"node A": 5},
		{"node A": 11},
		{"node A": 8, "nats-server": 3},
		{"node A": 14, "nats-server": 3},
		{"node A": 8, "nats-server": 5, "node B": 14},
		{"node A": 8, "nats-server": 5, "node B": 18},
	} {
		for process, us := range run {
			r.add("CPU, us a message: "+modelLoad, costRuns[i].name, process, us)
		}
	}
	p, err := readParts(r)
	if want := (parts{publish: 5, deliver: 4, send: 3, receive: 10, nats: 3, natsNode: 2}); err != nil || p != want {
		t.Errorf("parts: got %+v, %v, want %+v", p, err, want)
	}
	if got := p.message(1); got != 8+5+14 {
		t.Errorf("two nodes: got %g, want 27", got)
	}
	if _, err := readParts(&results{}); err == nil {
		t.Error("parts of nothing: got no error")
	}
	path := filepath.Join(t.TempDir(), "points")
	if err := r.write(path); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if read, err := readPoints(file); err != nil || read.markdown() != r.markdown() {
		t.Errorf("points come back otherwise: %v", err)
	}
}

func TestFramesAreReadByAnotherImplementation(t *testing.T) {
	c := &client{}
	c.put([]byte("hello"))
	var b frameBuffer
	b.bytes = c.out
	header, err := ws.ReadHeader(strings.NewReader(string(b.bytes)))
	if err != nil || !header.Masked || header.Length != 5 || header.OpCode != ws.OpText {
		t.Fatalf("header: got %+v, %v", header, err)
	}
	text := b.bytes[len(b.bytes)-5:]
	ws.Cipher(text, header.Mask, 0)
	if string(text) != "hello" {
		t.Errorf("got %q", text)
	}
}
