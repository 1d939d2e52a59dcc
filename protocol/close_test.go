package protocol

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// TestCloseCodes goes through all of them, by the table of RFC 6455, 7.4 and
// the registry.
func TestCloseCodes(t *testing.T) {
	for code := range 1 << 16 {
		valid := code >= 3000 && code <= 4999
		switch code {
		case 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014:
			valid = true
		}
		got, err := ParseClose([]byte{byte(code >> 8), byte(code)})
		switch {
		case valid && (err != nil || int(got) != code):
			t.Errorf("%d: %d, %v", code, got, err)
		case !valid && (codeOf(err) != 1002 || got != 0):
			t.Errorf("%d: %d, %v", code, got, err)
		}
	}
}

func TestAppendClose(t *testing.T) {
	for _, c := range []struct {
		name   string
		code   ws.StatusCode
		reason string
		want   string
	}{
		{"plain", 1000, "bye", "\x03\xe8bye"},
		{"no reason", 1012, "", "\x03\xf4"},
		{"no code", ws.StatusNoStatusRcvd, "not sent either", ""},
		{"reason at the limit", 1000, strings.Repeat("a", 123), "\x03\xe8" + strings.Repeat("a", 123)},
		{"reason over the limit", 1000, strings.Repeat("a", 124), "\x03\xe8" + strings.Repeat("a", 123)},
		{"a rune ends at the limit", 1000, strings.Repeat("a", 121) + "äb", "\x03\xe8" + strings.Repeat("a", 121) + "ä"},
		{"a rune across the limit", 1000, strings.Repeat("a", 122) + "ä", "\x03\xe8" + strings.Repeat("a", 122)},
		{"a long rune across the limit", 1000, strings.Repeat("a", 120) + "😀", "\x03\xe8" + strings.Repeat("a", 120)},
		{"not UTF-8", 1000, "a\xffb", "\x03\xe8a\uFFFDb"},
		{"not UTF-8, longer once repaired", 1000, strings.Repeat("\xffa", 60), "\x03\xe8" + strings.Repeat("\uFFFDa", 30) +
			"\uFFFD"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := AppendClose([]byte("before"), c.code, c.reason)
			r := bytes.NewReader(b[len("before"):])
			h, err := ws.ReadHeader(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := ws.CheckHeader(h, ws.StateClientSide); err != nil || h.OpCode != ws.OpClose {
				t.Errorf("header %+v: %v", h, err)
			}
			payload, _ := io.ReadAll(r)
			if string(payload) != c.want || int(h.Length) != len(payload) {
				t.Errorf("payload %q, want %q", payload, c.want)
			}
			if code, cerr := ParseClose(payload); cerr != nil || code != c.code {
				t.Errorf("we would not accept it: %d, %v", code, cerr)
			}
			if !utf8.Valid(payload[min(2, len(payload)):]) {
				t.Error("not UTF-8")
			}
		})
	}
}

func TestErrorTexts(t *testing.T) {
	var err error = errUnmasked
	if got, want := err.Error(), "close 1002: client frame is not masked"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	err = errGroupEmpty
	if got, want := err.Error(), "bad_group: group_id must not be empty"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
