package workerman

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// frameOf puts a length before body.
func frameOf(body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)+HeaderBytes))
	return append(b, body...)
}

// split feeds reads to a Splitter and copies what comes out.
func split(reads [][]byte, limit int) (bodies [][]byte, err *Error) {
	var s Splitter
	for _, in := range reads {
		for {
			body, rest, ok, err := s.Next(in, limit)
			if err != nil {
				return bodies, err
			}
			if !ok {
				break
			}
			bodies = append(bodies, append([]byte{}, body...))
			in = rest
		}
	}
	return bodies, nil
}

func TestSplitter(t *testing.T) {
	const limit = 64
	frames := slices.Concat(frameOf("hello"), AppendPing(nil), frameOf(""), frameOf(string(make([]byte, limit-4))),
		frameOf("x"))
	for name, test := range map[string]struct {
		in   []byte
		want Reason // Reasons: none
	}{
		"frames":            {frames, Reasons},
		"half a frame":      {append(bytes.Clone(frames), 0, 0, 0, 9, 'a'), Reasons},
		"half a length":     {append(bytes.Clone(frames), 0, 0), Reasons},
		"nothing":           {nil, Reasons},
		"length 0":          {append(bytes.Clone(frames), 0, 0, 0, 0, 'a'), ReasonFrameShort},
		"length 3":          {[]byte{0, 0, 0, 3}, ReasonFrameShort},
		"one over":          {append(bytes.Clone(frames), 0, 0, 0, limit+1), ReasonFrameLong},
		"four gigabytes":    {[]byte{0xff, 0xff, 0xff, 0xff, 1, 2, 3}, ReasonFrameLong},
		"sign bit":          {[]byte{0x80, 0, 0, 4}, ReasonFrameLong},
		"text of an HTTP 1": {[]byte("GET / HTTP/1.1\r\n"), ReasonFrameLong},
	} {
		t.Run(name, func(t *testing.T) {
			want, bad := naiveSplit(test.in, limit)
			if bad != (test.want < Reasons) {
				t.Fatalf("the test contradicts itself: %v", bad)
			}
			check := func(reads [][]byte) {
				t.Helper()
				got, err := split(reads, limit)
				if !slices.EqualFunc(got, want, bytes.Equal) {
					t.Fatalf("reads of %d: got %q, want %q", len(reads), got, want)
				}
				if bad && (err == nil || err.Reason != test.want) || !bad && err != nil {
					t.Fatalf("reads of %d: %v, want %v", len(reads), err, test.want)
				}
			}
			for at := range len(test.in) + 1 {
				check([][]byte{test.in[:at], test.in[at:]})
			}
			check(slices.Collect(slices.Chunk(test.in, 1)))
			check(slices.Collect(slices.Chunk(test.in, 7)))
		})
	}
}

// TestSplitterAliasing: a whole frame is not copied, and cannot be appended to
// over what follows it.
func TestSplitterAliasing(t *testing.T) {
	in := append(frameOf("one"), frameOf("two")...)
	var s Splitter
	body, rest, ok, err := s.Next(in, 100)
	if !ok || err != nil || &body[0] != &in[4] || cap(body) != 3 || &rest[0] != &in[7] {
		t.Errorf("%q %q %v %v", body, rest, ok, err)
	}
}

// TestSplitterMemory: a length alone costs nothing, and a large frame's buffer is not kept.
func TestSplitterMemory(t *testing.T) {
	var s Splitter
	frame := frameOf(string(make([]byte, MaxFrameBytes-HeaderBytes)))
	if _, _, ok, err := s.Next(frame[:100], MaxFrameBytes); ok || err != nil {
		t.Fatal(ok, err)
	}
	if cap(s.buf) > 1000 || s.Buffered() != 100 {
		t.Errorf("100 bytes of a large frame: %d bytes kept, %d counted", cap(s.buf), s.Buffered())
	}
	body, _, ok, err := s.Next(frame[100:], MaxFrameBytes)
	if !ok || err != nil || len(body) != MaxFrameBytes-HeaderBytes || s.Buffered() != 0 {
		t.Fatal(len(body), ok, err, s.Buffered())
	}
	if _, _, ok, _ := s.Next(nil, MaxFrameBytes); ok || cap(s.buf) > keepBytes {
		t.Errorf("afterwards %d bytes are kept", cap(s.buf))
	}
}
