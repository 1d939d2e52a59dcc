package workerman

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// checkDecode compares the decoder with the naive parser, and decodes again
// what is encoded from the result.
func checkDecode(t interface {
	Helper()
	Fatalf(string, ...any)
}, d *Decoder, body []byte,
) {
	t.Helper()
	limits := d.limits
	var m Message
	err := d.Decode(slices.Clip(body), &m)
	want := naiveMessage(body)
	if err != nil {
		switch {
		case want == nil, err.Reason == ReasonDepth:
			return
		}
		t.Fatalf("%q: %v, want %+v", body, err, want)
	}
	got := simplify(&m)
	if want != nil && len(want.channels) > limits.MaxChannels {
		want.channels = want.channels[:limits.MaxChannels]
	}
	if want == nil || got.typ != want.typ || !slices.Equal(got.channels, want.channels) || got.mark != want.mark ||
		normal(got.data) != normal(want.data) {
		t.Fatalf("%q:\ngot  %+v,\nwant %+v", body, got, want)
	}
	if len(got.channels) > limits.MaxChannels {
		t.Fatalf("%d channels", len(got.channels))
	}
	frame := m.AppendFrame(nil)
	if len(frame) > m.MaxLen() {
		t.Fatalf("%q: %d bytes, MaxLen %d", frame, len(frame), m.MaxLen())
	}
	if m.Type.toClient() && m.Mark == nil {
		tail := m.AppendTail(nil)
		if parts := append(m.AppendHead(nil, len(tail)), tail...); !slices.Equal(parts, frame) {
			t.Fatalf("%q in two parts is %q", frame, parts)
		}
	}
	bodies, bad := naiveSplit(frame, len(frame))
	if bad || len(bodies) != 1 {
		t.Fatalf("%q is not a frame", frame)
	}
	again := naiveMessage(bodies[0])
	if again == nil || !reflect.DeepEqual(got, simplifyNaive(again, got)) {
		t.Fatalf("%q: encoded %q, which is %+v", body, frame, again)
	}
}

// simplifyNaive puts the data's own spelling of numbers back, where it is the same data.
func simplifyNaive(n, like *simple) *simple {
	if normal(n.data) == normal(like.data) {
		n.data = like.data
	}
	return n
}

func TestDecodeProperty(t *testing.T) {
	d := NewDecoder(DefaultLimits())
	rapid.Check(t, func(t *rapid.T) {
		body := drawBody(t)
		if err := d.Decode(body, new(Message)); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		checkDecode(t, d, body)
	})
}

func TestDecodeSpoiltProperty(t *testing.T) {
	d := NewDecoder(DefaultLimits())
	rapid.Check(t, func(t *rapid.T) { checkDecode(t, d, drawSpoilt(t)) })
}
