package protocol

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/gobwas/ws"
)

// parseHeader reads a header as the Decoder does, but without the checks that
// need to know what came before it.
func parseHeader(b []byte) (h ws.Header, n int, err *CloseError) {
	h.Length = lengthUnknown
	if len(b) == 0 {
		return h, 0, nil
	}
	if err = parseFirstByte(b[0], &h); err != nil {
		return h, 0, err
	}
	n, err = parseLength(b, &h)
	return h, n, err
}

// FuzzHeader compares parseHeader with gobwas/ws' reader and checks, and holds
// it to one verdict however much of the header has arrived.
func FuzzHeader(f *testing.F) {
	for _, c := range golden[frameCase](f, "frames.jsonl") {
		f.Add(unhex(f, c.In))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		h, n, err := parseHeader(in)
		// Earlier bytes alone: nothing, or the same error, and never a
		// length or a size that changes later.
		for at := range in {
			ph, pn, perr := parseHeader(in[:at])
			if perr != nil && perr != err {
				t.Fatalf("at %d: %v, at the end %v", at, perr, err)
			}
			if err == nil && (pn != 0 && pn != n || ph.Length >= 0 && ph.Length != h.Length) {
				t.Fatalf("at %d: %d %+v, at the end %d %+v", at, pn, ph, n, h)
			}
		}
		want, wantErr := ws.ReadHeader(bytes.NewReader(in))
		short := errors.Is(wantErr, io.EOF) || errors.Is(wantErr, io.ErrUnexpectedEOF)
		switch {
		case err != nil:
			if err.Code != ws.StatusProtocolError || n != 0 {
				t.Fatalf("%v, n %d", err, n)
			}
			if wantErr != nil {
				return // short for the oracle, or refused by it too
			}
			state := ws.StateServerSide
			if want.OpCode == ws.OpContinuation {
				state |= ws.StateFragmented
			}
			if ws.CheckHeader(want, state) == nil && minimal(in, want.Length) {
				t.Fatalf("%v, but the oracle has %+v", err, want)
			}
		case n == 0:
			if !short {
				t.Fatalf("too short, but the oracle has %+v, %v", want, wantErr)
			}
		default:
			state := ws.StateServerSide
			if want.OpCode == ws.OpContinuation {
				state |= ws.StateFragmented
			}
			if wantErr != nil || want != h || ws.CheckHeader(want, state) != nil || !minimal(in, want.Length) {
				t.Fatalf("%+v, but the oracle has %+v, %v", h, want, wantErr)
			}
			if m := ws.HeaderSize(h); m != n {
				t.Fatalf("n %d, want %d", n, m)
			}
		}
	})
}

// TestParseHeaderLengthEarly: the length is known before the mask is.
func TestParseHeaderLengthEarly(t *testing.T) {
	for _, c := range []struct {
		name   string
		in     []byte
		length int64
	}{
		{"nothing", nil, -1},
		{"one byte", []byte{0x81}, -1},
		{"short length", []byte{0x81, 0x85}, 5},
		{"half of two bytes", []byte{0x81, 0xfe, 1}, -1},
		{"two bytes", []byte{0x81, 0xfe, 1, 0}, 256},
		{"seven of eight bytes", []byte{0x81, 0xff, 0, 0, 0, 0, 0, 1, 0}, -1},
		{"eight bytes", []byte{0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0}, 65536},
		{"all but one byte of the mask", []byte{0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3}, 65536},
	} {
		if h, n, err := parseHeader(c.in); n != 0 || err != nil || h.Length != c.length {
			t.Errorf("%s: length %d, n %d, %v", c.name, h.Length, n, err)
		}
	}
}

// headerEdges are the payload sizes where a header's form changes.
var headerEdges = []int{0, 1, 125, 126, 127, 255, 256, 65535, 65536, 65537, 1<<31 - 1}

func TestAppendHeader(t *testing.T) {
	for _, n := range headerEdges {
		for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary, ws.OpClose} {
			b := AppendHeader([]byte("x"), op, n)[1:]
			h, err := ws.ReadHeader(bytes.NewReader(b))
			if want := (ws.Header{Fin: true, OpCode: op, Length: int64(n)}); err != nil || h != want {
				t.Errorf("%d: %+v, %v", n, h, err)
			}
			if len(b) != HeaderLen(n) || len(b) != ws.HeaderSize(h) {
				t.Errorf("%d: %d bytes, HeaderLen %d", n, len(b), HeaderLen(n))
			}
		}
	}
}

func TestNextFrameFindsBoundaries(t *testing.T) {
	var all []byte
	var sizes []int
	for _, n := range headerEdges[:len(headerEdges)-1] {
		before := len(all)
		all = AppendFrame(all, ws.OpText, bytes.Repeat([]byte{'a'}, n))
		sizes = append(sizes, len(all)-before)
	}
	for i, want := range sizes {
		got := NextFrame(all)
		if got != want {
			t.Fatalf("frame %d: %d bytes, want %d", i, got, want)
		}
		all = all[got:]
	}
	if len(all) != 0 {
		t.Errorf("%d bytes left", len(all))
	}
}

func TestNextFramePanics(t *testing.T) {
	whole := AppendFrame(nil, ws.OpText, make([]byte, 70000))
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"nothing", nil},
		{"one byte", whole[:1]},
		{"half a header", whole[:9]},
		{"no payload", whole[:10]},
		{"a byte short", whole[:len(whole)-1]},
		{"half of two length bytes", []byte{0x81, 126, 1}},
		{"masked", []byte{0x81, 0x80, 0, 0, 0, 0}},
		{"a length that overflows", append([]byte{0x81, 127}, bytes.Repeat([]byte{0xff}, 200)...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			NextFrame(c.b)
		})
	}
}
