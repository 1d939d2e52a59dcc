package protocol

import (
	"bytes"
	"io"
	"math"
	"runtime"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"pgregory.net/rapid"
)

// outcome is what a connection's bytes came to.
type outcome struct {
	events []Event
	code   ws.StatusCode // 0: no error
	reason string        // compared only between outcomes that have one
	idle   bool
}

func (got outcome) check(t rapid.TB, want outcome) {
	t.Helper()
	same := func(a, b Event) bool { return a.Op == b.Op && bytes.Equal(a.Payload, b.Payload) }
	if !slices.EqualFunc(got.events, want.events, same) || got.code != want.code || got.idle != want.idle ||
		want.reason != "" && got.reason != want.reason {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func codeOf(err *CloseError) ws.StatusCode {
	if err == nil {
		return 0
	}
	return err.Code
}

// decodeAll feeds a Decoder the reads one by one, each from memory of its own
// that is overwritten as soon as it may be.
func decodeAll(t rapid.TB, reads [][]byte, lim Limits) (o outcome) {
	t.Helper()
	var d Decoder
	for _, read := range reads {
		buf := bytes.Clone(read)
		rest := buf
		for {
			ev, next, ok, err := d.Next(rest, lim)
			if err != nil {
				o.code, o.reason, o.idle = err.Code, err.Reason, false
				return o
			}
			if !ok {
				break
			}
			if len(next) > len(rest) {
				t.Fatal("rest grew")
			}
			o.events = append(o.events, Event{ev.Op, bytes.Clone(ev.Payload)})
			// Both may be written to by their owner from here on.
			scribble(ev.Payload)
			rest = next
		}
		scribble(buf)
		o.idle = d.Idle()
		if o.idle && buffered(&d) != 0 || !o.idle && buffered(&d) > lim.MaxMessageBytes+ws.MaxHeaderSize+125 {
			t.Fatalf("idle %v with %d bytes", o.idle, buffered(&d))
		}
	}
	o.idle = d.Idle()
	return o
}

// buffered is how many bytes of unfinished frames and messages d holds.
func buffered(d *Decoder) int {
	n := int(d.headLen)
	if !d.delivered {
		n += len(d.msg)
	}
	if d.inFrame && d.frame.OpCode.IsControl() {
		n += int(d.got)
	}
	return n
}

func scribble(b []byte) {
	for i := range b {
		b[i] = 0xaa
	}
}

// decodeNaive is the oracle: a reader in the blocking style, from the RFC's
// text, on gobwas/ws' header reader, that sees all bytes at once.
func decodeNaive(in []byte, lim Limits) (o outcome) {
	r := bytes.NewReader(in)
	var message []byte
	var op ws.OpCode
	frames := 0
	fail := func(code ws.StatusCode) outcome {
		o.code, o.idle = code, false
		return o
	}
	for r.Len() > 0 {
		at := len(in) - r.Len()
		h, err := ws.ReadHeader(r)
		if err != nil {
			// Not all there, or a length over 63 bits: what can be said
			// of its first bytes.
			return naivePartial(in[at:], op, frames, len(message), lim, o)
		}
		state := ws.StateServerSide
		if op != 0 {
			state |= ws.StateFragmented
		}
		data := h.OpCode.IsData()
		fragment := data && (!h.Fin || op != 0)
		firstByteOK := ws.CheckHeader(ws.Header{Fin: h.Fin, Rsv: h.Rsv, OpCode: h.OpCode, Masked: true}, state) == nil
		if firstByteOK && fragment && frames >= lim.MaxFragments {
			return fail(ws.StatusPolicyViolation)
		}
		if ws.CheckHeader(h, state) != nil || !minimal(in[at:], h.Length) {
			return fail(ws.StatusProtocolError)
		}
		if data && (h.Length > math.MaxInt32 || len(message)+int(h.Length) > lim.MaxMessageBytes) {
			return fail(ws.StatusMessageTooBig)
		}
		payload := make([]byte, min(int(h.Length), r.Len()))
		_, _ = io.ReadFull(r, payload)
		if len(payload) < int(h.Length) {
			return o
		}
		for i := range payload {
			payload[i] ^= h.Mask[i%4]
		}
		switch {
		case !data:
			o.events = append(o.events, Event{h.OpCode, payload})
			continue
		case op == 0:
			op = h.OpCode
		}
		message = append(message, payload...)
		frames++
		if !h.Fin {
			continue
		}
		if op == ws.OpText && !utf8.Valid(message) {
			return fail(ws.StatusInvalidFramePayloadData)
		}
		o.events = append(o.events, Event{op, message})
		message, op, frames = nil, 0, 0
	}
	o.idle = op == 0
	return o
}

func minimal(b []byte, length int64) bool {
	switch b[1] & 0x7f {
	case 126:
		return length >= 126
	case 127:
		return length > 65535
	}
	return true
}

// naivePartial judges the start of a header: a verdict is due if no bytes that
// may follow could make the frame acceptable.
func naivePartial(b []byte, op ws.OpCode, frames, held int, lim Limits, o outcome) outcome {
	fin, rsv, code := b[0]>>7 == 1, b[0]>>4&7, b[0]&15
	control := code >= 8
	switch {
	case rsv != 0, code > 2 && code < 8, code > 10, control && !fin,
		code == 0 && op == 0, (code == 1 || code == 2) && op != 0:
		o.code = 1002
		return o
	case !control && (!fin || op != 0) && frames >= lim.MaxFragments:
		o.code = 1008
		return o
	case len(b) < 2:
		return o
	}
	masked, short := b[1]>>7 == 1, int(b[1]&127)
	if !masked || control && short > 125 {
		o.code = 1002
		return o
	}
	width := map[int]int{126: 2, 127: 8}[short]
	declared := uint64(0)
	for _, c := range b[2:min(2+width, len(b))] {
		declared = declared<<8 | uint64(c)
	}
	switch {
	case width == 8 && len(b) > 2 && b[2] > 127:
		o.code = 1002
	case len(b) < 2+width:
	case width == 2 && declared < 126, width == 8 && declared < 65536:
		o.code = 1002
	case width == 0:
		declared = uint64(short)
		fallthrough
	default:
		if !control && declared+uint64(held) > uint64(lim.MaxMessageBytes) {
			o.code = 1009
		}
	}
	return o
}

// clientFrame builds a masked frame.
func clientFrame(first byte, payload []byte, mask [4]byte) []byte {
	n := len(payload)
	b := []byte{first}
	switch {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = append(b, 0xfe, byte(n>>8), byte(n))
	default:
		b = append(b, 0xff, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

var testMask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// splitAt cuts in into reads whose sizes follow from cuts.
func splitAt(in []byte, cuts []byte) (reads [][]byte) {
	for i := 0; len(in) > 0; i++ {
		n := len(in)
		if i < len(cuts) {
			n = min(n, int(cuts[i]))
		}
		reads = append(reads, in[:n])
		in = in[n:]
	}
	return reads
}

// checkDecoder compares a Decoder that gets in whole, in single bytes, cut at
// every place and cut at cuts, with the oracle.
func checkDecoder(t rapid.TB, in []byte, cuts []byte, lim Limits) {
	t.Helper()
	whole := decodeAll(t, [][]byte{in}, lim)
	want := decodeNaive(bytes.Clone(in), lim)
	whole.check(t, want)
	decodeAll(t, slices.Collect(slices.Chunk(in, 1)), lim).check(t, whole)
	decodeAll(t, splitAt(in, cuts), lim).check(t, whole)
	if len(in) <= 512 {
		for at := range in {
			decodeAll(t, [][]byte{in[:at], in[at:]}, lim).check(t, whole)
		}
	}
}

// TestDecoderProperty is the fuzz target with input that mostly makes sense.
func TestDecoderProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in []byte
		open := false
		for range rapid.IntRange(0, 8).Draw(t, "frames") {
			op := rapid.SampledFrom([]byte{1, 1, 2, 0, 0, 0, 8, 9, 10}).Draw(t, "op")
			if !open && op == 0 || open && op <= 2 {
				if rapid.IntRange(0, 9).Draw(t, "keep the error") > 0 {
					op = map[bool]byte{true: 0, false: 1}[open]
				}
			}
			first := op | 0x80
			if op < 8 {
				if open = rapid.Bool().Draw(t, "more"); open {
					first = op
				}
			}
			payload := []byte(rapid.StringN(0, -1, 150).Draw(t, "payload"))
			if rapid.IntRange(0, 19).Draw(t, "spoil") == 0 {
				payload = append(payload, 0xff)
			}
			var mask [4]byte
			copy(mask[:], rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "mask"))
			in = append(in, clientFrame(first, payload, mask)...)
		}
		if len(in) > 0 && rapid.IntRange(0, 3).Draw(t, "cut") == 0 {
			in = in[:rapid.IntRange(0, len(in)).Draw(t, "end")]
		}
		cuts := rapid.SliceOfN(rapid.ByteRange(1, 60), 0, 40).Draw(t, "cuts")
		lim := Limits{
			rapid.SampledFrom([]int{0, 100, 300, 1 << 16}).Draw(t, "bytes"),
			rapid.IntRange(0, 4).Draw(t, "fragments"),
		}
		checkDecoder(t, in, cuts, lim)
	})
}

func FuzzDecoder(f *testing.F) {
	for _, c := range golden[frameCase](f, "frames.jsonl") {
		f.Add(unhex(f, c.In), []byte{1, 2, 3}, uint16(c.MaxMessageBytes), uint8(c.MaxFragments))
	}
	f.Fuzz(func(t *testing.T, in, cuts []byte, maxBytes uint16, maxFragments uint8) {
		checkDecoder(t, in, cuts, Limits{int(maxBytes), int(maxFragments)})
	})
}

// TestDecoderLargeMessage is about a message as large as the limit, and one
// byte larger, in every form.
func TestDecoderLargeMessage(t *testing.T) {
	const limit = 64 << 10
	lim := Limits{limit, 4}
	message := bytes.Repeat([]byte("0123456789abcdef"), limit/16)
	in := clientFrame(0x81, message, testMask)
	want := outcome{events: []Event{{ws.OpText, message}}, idle: true}
	for _, size := range []int{len(in), 1, 3, 7, 4096, 65535, len(in) - 1} {
		decodeAll(t, slices.Collect(slices.Chunk(in, size)), lim).check(t, want)
	}
	fragmented := clientFrame(0x01, message[:40000], testMask)
	fragmented = append(fragmented, clientFrame(0x80, message[40000:], testMask)...)
	for _, size := range []int{len(fragmented), 1, 5, 4096} {
		decodeAll(t, slices.Collect(slices.Chunk(fragmented, size)), lim).check(t, want)
	}
	over := clientFrame(0x81, append(message, 'x'), testMask)
	tooBig := outcome{code: ws.StatusMessageTooBig}
	decodeAll(t, [][]byte{over}, lim).check(t, tooBig)
	decodeAll(t, [][]byte{over[:10]}, lim).check(t, tooBig)
	decodeAll(t, [][]byte{over[:9]}, lim).check(t, outcome{})
}

// TestDecoderPayloadAliasesInput holds the promise that a whole frame is not
// copied, and that its payload's capacity does not reach into the next frame.
func TestDecoderPayloadAliasesInput(t *testing.T) {
	in := clientFrame(0x81, []byte("one"), testMask)
	two := len(in)
	in = append(in, clientFrame(0x81, []byte("two"), testMask)...)
	want := bytes.Clone(in[two:])
	var d Decoder
	ev, rest, ok, err := d.Next(in, Limits{10, 1})
	if !ok || err != nil || &ev.Payload[0] != &in[6] {
		t.Fatalf("%v %v %v", ev, ok, err)
	}
	_ = append(ev.Payload, "xxxx"...)
	if !bytes.Equal(rest, want) {
		t.Error("appending to the payload changed the next frame")
	}
}

// TestDecoderIdle follows what a loop may rely on to give a Decoder back.
func TestDecoderIdle(t *testing.T) {
	lim := Limits{100, 2}
	var d Decoder
	step := func(in []byte, ok, idle bool, held int) {
		t.Helper()
		_, _, gotOK, err := d.Next(in, lim)
		if err != nil || gotOK != ok || d.Idle() != idle || buffered(&d) != held {
			t.Fatalf("ok %v, err %v, idle %v, held %d", gotOK, err, d.Idle(), buffered(&d))
		}
	}
	frame := clientFrame(0x81, []byte("abc"), testMask)
	step(nil, false, true, 0)
	step(frame[:1], false, false, 1)
	step(frame[1:5], false, false, 5)
	step(nil, false, false, 5)
	step(frame[5:7], false, false, 1)
	step(frame[7:], true, true, 0)
	step(clientFrame(0x01, []byte("ab"), testMask), false, false, 2)
	ping := clientFrame(0x89, []byte("p"), testMask)
	step(bytes.Clone(ping), true, false, 2)
	step(clientFrame(0x89, []byte("pp"), testMask)[:7], false, false, 3)
	d.Reset()
	step(bytes.Clone(ping), true, true, 0)
}

// TestDecoderResetAfterError reuses a Decoder after each error there is, where
// something was held.
func TestDecoderResetAfterError(t *testing.T) {
	lim := Limits{8, 2}
	var d Decoder
	for _, c := range golden[frameCase](t, "frames.jsonl") {
		rest := unhex(t, c.In)
		for ok := true; ok; {
			_, rest, ok, _ = d.Next(rest, lim)
		}
		d.Reset()
		if !d.Idle() || buffered(&d) != 0 {
			t.Fatalf("%s: something is left", c.Name)
		}
		ev, _, ok, err := d.Next(clientFrame(0x81, []byte("ok"), testMask), lim)
		if !ok || err != nil || string(ev.Payload) != "ok" {
			t.Fatalf("%s: then %v %v %v", c.Name, ev, ok, err)
		}
	}
}

// TestDecoderKeepsSmallBuffersOnly holds a pool of decoders to its promise.
func TestDecoderKeepsSmallBuffersOnly(t *testing.T) {
	lim := Limits{1 << 20, 2}
	for _, c := range []struct {
		size int
		kept bool
	}{{1000, true}, {100_000, false}} {
		var d Decoder
		in := clientFrame(0x82, make([]byte, c.size), testMask)
		_, _, _, _ = d.Next(in[:1], lim)
		if _, _, ok, _ := d.Next(in[1:], lim); !ok {
			// The header was whole in the second read: the fast path.
			t.Fatal("no event")
		}
		in = clientFrame(0x82, make([]byte, c.size), testMask)
		_, _, _, _ = d.Next(in[:20], lim)
		if _, _, ok, _ := d.Next(in[20:], lim); !ok {
			t.Fatal("no event")
		}
		d.Reset()
		if kept := cap(d.msg) > 0; kept != c.kept {
			t.Errorf("after %d bytes: kept %v, a buffer of %d", c.size, kept, cap(d.msg))
		}
	}
}

// TestDecoderLiar declares much and sends little: memory must follow what was
// sent.
func TestDecoderLiar(t *testing.T) {
	lim := Limits{1 << 30, 4}
	head := []byte{0x82, 0xff, 0, 0, 0, 0, 0x3f, 0, 0, 0, 1, 2, 3, 4}
	in := append(head, make([]byte, 1000)...)
	const n = 64
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	liars := make([]Decoder, n)
	for i := range liars {
		if _, _, ok, err := liars[i].Next(in, lim); ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) / n; got > 4096 {
		t.Errorf("%d bytes allocated for 1000 received", got)
	}
	runtime.KeepAlive(liars)
}

// TestDecoderByteByByteIsLinear counts: what is allocated for a message that
// comes in single bytes must be a small multiple of it.
func TestDecoderByteByByteIsLinear(t *testing.T) {
	const size = 1 << 20
	in := clientFrame(0x82, make([]byte, size), testMask)
	var d Decoder
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	events := 0
	for i := range in {
		_, rest, ok, err := d.Next(in[i:i+1], Limits{size, 1})
		if err != nil || len(rest) != 0 {
			t.Fatal(err, rest)
		}
		if ok {
			events++
		}
		// Not only at the end: what is not linear takes very long.
		if i%4096 == 4095 || i == len(in)-1 {
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > 8*uint64(i) {
				t.Fatalf("%d bytes allocated for %d", got, i+1)
			}
		}
	}
	if events != 1 {
		t.Fatalf("%d events", events)
	}
}
