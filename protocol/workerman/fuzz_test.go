package workerman

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
)

// FuzzSplitter: frames do not depend on how the network cuts the bytes.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte{0, 0, 0, 4, 0, 0, 0, 5, 'x'}, uint64(1))
	f.Add([]byte{0, 0, 0, 3}, uint64(2))
	f.Add(frameOf(publishOf("N;")), uint64(3))
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		const limit = 1000
		want, bad := naiveSplit(in, limit)
		random := rand.New(rand.NewPCG(seed, 0))
		var reads [][]byte
		for rest := in; len(rest) > 0; {
			n := 1 + random.IntN(len(rest))
			reads = append(reads, rest[:n:n])
			rest = rest[n:]
		}
		got, err := split(reads, limit)
		if !slices.EqualFunc(got, want, bytes.Equal) || bad != (err != nil) {
			t.Fatalf("%q: got %q %v, want %q %v", in, got, err, want, bad)
		}
	})
}

// FuzzDecode: the decoder agrees with the naive parser, and what it accepts
// can be encoded and decoded again.
func FuzzDecode(f *testing.F) {
	for _, c := range golden(f) {
		f.Add(bytesOf(f, c.In, c.InHex))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		checkDecode(t, NewDecoder(Limits{MaxDepth: 20, MaxChannels: 20}), body)
	})
}

// FuzzGroupMessage: whatever data is, a mark put into it is found again, and
// nothing else of it changes.
func FuzzGroupMessage(f *testing.F) {
	for _, c := range golden(f) {
		f.Add(bytesOf(f, c.In, c.InHex), []byte("text "+nodeA))
	}
	f.Add([]byte(publishOf(`a:3:{s:9:"groupcast";N;i:0;N;i:1;R:7;}`)), []byte{})
	f.Fuzz(func(t *testing.T, body, mark []byte) {
		var m Message
		d := NewDecoder(DefaultLimits())
		if d.Decode(body, &m) != nil || !m.Type.HasData() {
			return
		}
		g, ok := m.Data.GroupMessage()
		if !ok {
			if m.Data.Bytes[0] == 'a' {
				t.Fatalf("%q is an array", m.Data.Bytes)
			}
			return
		}
		const jsonLimit = 500
		if text, err := g.AppendJSON(nil, jsonLimit); err == nil && g.Message.Kind != 0 &&
			(!json.Valid(text) || len(text) > jsonLimit) {
			t.Fatalf("%q: %q is no JSON, or too long", m.Data.Bytes, text)
		}
		marked, ok := g.WithMark(mark)
		if !ok {
			return
		}
		again := Message{Type: TypeEvent, Channels: []Channel{{Name: []byte("c")}}, Data: marked}
		frame := again.AppendFrame(nil)
		var back Message
		if err := NewDecoder(DefaultLimits()).Decode(frame[HeaderBytes:], &back); err != nil {
			t.Fatalf("%q: %v", frame, err)
		}
		h, ok := back.Data.GroupMessage()
		if !ok || !bytes.Equal(h.Mark, mark) || h.Group.Kind != g.Group.Kind || h.Message.Kind != g.Message.Kind {
			t.Fatalf("%q: %+v", frame, h)
		}
		if g.Message.Kind == KindString && !bytes.Equal(h.Message.Text, g.Message.Text) {
			t.Fatalf("%q: message %q", frame, h.Message.Text)
		}
		if pm, ok := ParseMark(mark); ok && string(pm.AppendMark(nil, nodeB)[:5]) != string(mark[:5]) {
			t.Fatalf("mark %q", mark)
		}
	})
}
