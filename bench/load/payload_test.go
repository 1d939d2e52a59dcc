package main

import (
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestStampSurvivesTheRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := stamp{
			rapid.Uint32().Draw(t, "group"), rapid.Uint32().Draw(t, "publisher"), rapid.Uint32().Draw(t, "seq"),
			rapid.Int64().Draw(t, "intended"),
		}
		b := make([]byte, stampBytes)
		want.put(b)
		// The oracle: the same text by fmt.
		text := fmt.Sprintf("%08x %08x %08x %016x ", want.group, want.publisher, want.seq, uint64(want.intended))
		if string(b) != text {
			t.Fatalf("put wrote %q, want %q", b, text)
		}
		got, ok := readStamp(b)
		if !ok || got != want {
			t.Fatalf("readStamp(%q) = %+v, %v; want %+v", b, got, ok, want)
		}
	})
}

func TestAnyChangedByteOfAStampIsNoticed(t *testing.T) {
	want := stamp{group: 0x0a1b2c3d, publisher: 7, seq: 0xffffffff, intended: 1234567890123}
	for i := range stampBytes {
		for v := range 256 {
			b := make([]byte, stampBytes)
			want.put(b)
			if b[i] == byte(v) {
				continue
			}
			b[i] = byte(v)
			if got, ok := readStamp(b); ok && got == want {
				t.Fatalf("byte %d changed to %#x went unnoticed", i, v)
			}
		}
	}
}

func TestStampRefusesWhatPutCannotWrite(t *testing.T) {
	good := make([]byte, stampBytes)
	stamp{}.put(good)
	for _, c := range []struct {
		name string
		at   int
		b    byte
	}{
		{"upper case", 0, 'A'},
		{"after f", 10, 'g'},
		{"after 9", 20, ':'},
		{"before a", 30, '`'},
		{"slash", 36, '/'},
		{"no space", 8, '0'},
		{"high bit", 1, 0xb0},
	} {
		b := append([]byte(nil), good...)
		b[c.at] = c.b
		if s, ok := readStamp(b); ok {
			t.Errorf("%s: %q read as %+v", c.name, b, s)
		}
	}
	if _, ok := readStamp(good[:stampBytes-1]); ok {
		t.Error("a short stamp was read")
	}
}

func TestPayloadNeedsNoEscapes(t *testing.T) {
	b := make([]byte, stampBytes)
	stamp{1, 2, 3, 4}.put(b)
	payload := string(b) + padding(512)
	quoted, err := json.Marshal(payload)
	if err != nil || string(quoted) != `"`+payload+`"` {
		t.Fatalf("the payload is escaped: %s, %v", quoted, err)
	}
	if len(payload) != 512 {
		t.Fatalf("the payload has %d bytes", len(payload))
	}
}

func BenchmarkReadStamp(b *testing.B) {
	text := make([]byte, stampBytes)
	stamp{1, 2, 3, 1 << 40}.put(text)
	for b.Loop() {
		if _, ok := readStamp(text); !ok {
			b.Fatal("not read")
		}
	}
}
