package api

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"groupcast/protocol"
)

// valid is the obvious way to say what a scanner takes: three libraries' passes.
func valid(text []byte) bool {
	return json.Valid(text) && utf8.Valid(text) && !hasLoneSurrogate(text)
}

// hasLoneSurrogate looks for an escape of half a surrogate pair in valid JSON.
func hasLoneSurrogate(text []byte) bool {
	for {
		at := bytes.IndexByte(text, '\\')
		if at < 0 {
			return false
		}
		text = text[at:]
		switch unit := protocol.EscapedUnit(text); {
		case unit < 0:
			text = text[2:] // \n and the like
		case unit < 0xD800 || unit > 0xDFFF:
			text = text[6:]
		case unit > 0xDBFF:
			return true // a second half first
		default:
			if low := protocol.EscapedUnit(text[6:]); low < 0xDC00 || low > 0xDFFF {
				return true
			}
			text = text[12:]
		}
	}
}

func TestLoneSurrogates(t *testing.T) {
	for text, want := range map[string]bool{
		`""`:                         false,
		`"\ud83d\ude42"`:             false,
		`"\uD83D\uDE42"`:             false,
		`"\\ud83d"`:                  false,
		`"\\\ud83d\ude42"`:           false,
		`"\n\u00e4\"\ud7ff\ue000"`:   false,
		`"\ud83d"`:                   true,
		`"\ude42"`:                   true,
		`"\ud83d\\ude42"`:            true,
		`"\ud83dx\ude42"`:            true,
		`"\ud83d\ud83d\ude42"`:       true,
		`"\ud83d\ude42\ude42"`:       true,
		`"\ud83d\n"`:                 true,
		`{"\udfff":1}`:               true,
		`["\ud83d\ude42","\ud800"]`:  true,
		`["\ud800","\udc00"]`:        true,
		`"\uDBFF\uDFFF\uD800\uDC00"`: false,
		`"\\\\\ud83d\ude42\\\ud83d"`: true,
	} {
		if !json.Valid([]byte(text)) {
			t.Fatalf("%s is not JSON", text)
		}
		if got := hasLoneSurrogate([]byte(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
		if got := scan([]byte(text)) != nil; got != want {
			t.Errorf("%s: refused %v, want %v", text, got, want)
		}
	}
}

// scan reads text as one value.
func scan(text []byte) *problem {
	s := scanner{text: text}
	raw := s.value()
	s.end()
	if s.problem == nil && !bytes.Equal(raw, bytes.Trim(text, " \t\r\n")) {
		panic("the value's text is not the text")
	}
	return s.problem
}

// TestScannerEdges: where JSON ends and something like it begins.
func TestScannerEdges(t *testing.T) {
	for _, text := range []string{
		"0", "-0", "1.5e-7", "1E+400", "0.0", " [ ] ", "{}", `{"a":{}}`, `[[],{},"",0,true,false,null]`,
		`"\"\\\/\b\f\n\r\t\u00e4"`, `"\u0000"`,
		"\"\u2028\x7f\ufeff\ufffd\"", strings.Repeat("[", maxJSONDepth) + strings.Repeat("]", maxJSONDepth),
	} {
		if p := scan([]byte(text)); p != nil || !valid([]byte(text)) {
			t.Errorf("%.40q is refused: %v", text, p)
		}
	}
	for _, text := range []string{
		"", " ", "+1", "01", "-", "1.", ".5", "1e", "1e+", "0x1", "-01", "NaN", "Infinity", "nul", "nulll", "True", "[1,]",
		"[,1]", "[1 2]", "[1", "]",
		`{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{a:1}`, `{1:1}`, `{"a":1 "b":2}`, `{"a":1`, `{"a"`, `{"`, `"`, `"\`, `"\u12`,
		`"\u12"`, `"\x"`, `"\u12g4"`, "\"\t\"",
		"\"\x00\"", "\"\xff\"", "\"\xed\xa0\x80\"", "\xef\xbb\xbf1", "1\x00", "\x00", "1,", "1 1", "[}", "{]", "\u00a01",
		"/**/1",
		strings.Repeat("[", maxJSONDepth+1) + strings.Repeat("]", maxJSONDepth+1),
		strings.Repeat(`{"a":`, maxJSONDepth+1) + "1" + strings.Repeat("}", maxJSONDepth+1),
	} {
		if p := scan([]byte(text)); p == nil || p.Code != codeBadJSON || valid([]byte(text)) {
			t.Errorf("%.40q is taken: %v", text, p)
		}
	}
}

// FuzzScanner: what is taken is what the obvious way takes, whole and cut anywhere.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{
		` {"a" : [1.50, -0, 1e400, "\ud83d\ude42", null, true], "b":{}} `, `"\ud83d"`, "[[[]]]", "\"\xff\"", `{"a":1}{`,
		"01", `"\u00e4ä"`,
	} {
		f.Add([]byte(seed), len(seed)/2)
	}
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		for _, part := range [][]byte{text, text[:min(max(cut, 0), len(text))]} {
			if p := scan(part); (p == nil) != valid(part) {
				t.Fatalf("%q: %v, want valid %v", part, p, valid(part))
			}
			s := scanner{text: part}
			if s.peek() == '"' {
				var want string
				got := s.string()
				if s.problem == nil && (json.Unmarshal(part[:s.at], &want) != nil || want != string(got)) {
					t.Fatalf("%q: %q, want %q", part, got, want)
				}
			}
		}
	})
}
