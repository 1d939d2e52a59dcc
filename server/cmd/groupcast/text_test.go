package main

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "",
		"room 1":                "room 1",
		"\u623f\u9593":          "\u623f\u9593",
		"caf\u00e9":             "caf\u00e9",
		"\x1b[2J\x1b]0;x\x07":   `\x1b[2J\x1b]0;x\x07`,
		"a\tb\nc\r":             `a\x09b\x0ac\x0d`,
		"\u009b31m":             `\u009b31m`, // a control sequence in one character
		"abc\u202egnp.exe":      `abc\u202egnp.exe`,
		"\u2028\u200d\ufeff":    `\u2028\u200d\ufeff`,
		"\xff\xfe":              `\xff\xfe`,
		"\U000e0041":            `\U000e0041`, // a tag, which nobody sees
		"a\u00a0b\u3000c":       `a\u00a0b\u3000c`,
		"\ufffd":                "\ufffd",
		"\u202dx\x00\U0001f600": "\\u202dx\\x00\U0001f600",
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

// Whatever comes in, what goes out is printable, and a second time the same.
func TestPrintableLetsNothingThrough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()),
			func(b []byte) string { return string(b) })).Draw(t, "text")
		got := printable(text)
		for _, r := range got {
			if !strconv.IsPrint(r) {
				t.Fatalf("%q: %q", text, got)
			}
		}
		if printable(got) != got {
			t.Fatalf("%q: %q, then %q", text, got, printable(got))
		}
	})
}

// JSON stays what it says, on one line, and printable.
func TestJSONLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		in, err := json.MarshalIndent(map[string]string{"name": name}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		line := jsonLine(in)
		for _, r := range strings.TrimSuffix(line, "\n") {
			if !strconv.IsPrint(r) {
				t.Fatalf("%q in %q", r, line)
			}
		}
		var before, after map[string]string
		if json.Unmarshal(in, &before) != nil || json.Unmarshal([]byte(line), &after) != nil ||
			before["name"] != after["name"] {
			t.Fatalf("%s became %s", in, line)
		}
	})
}

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{
		thousands(0):                 "0",
		thousands(999):               "999",
		thousands(19488):             "19,488",
		thousands(-1000):             "-1,000",
		thousands(-100):              "-100",
		thousands(uint64(1e19)):      "10,000,000,000,000,000,000",
		rate(0):                      "0",
		rate(0.04):                   "0.0",
		rate(0.5):                    "0.5",
		rate(9.94):                   "9.9",
		rate(9.96):                   "10",
		rate(1234567.8):              "1,234,568",
		size(0):                      "0 B",
		size(1023):                   "1023 B",
		size(1024):                   "1.0 KiB",
		size(1536):                   "1.5 KiB",
		size(1<<20 - 1):              "1.0 MiB",
		size(int64(5) << 30):         "5.0 GiB",
		size(uint64(math.MaxUint64)): "16.0 EiB",
		latency(0):                   "-",
		latency(0.000048):            "48 us",
		latency(0.0013):              "1.3 ms",
		latency(2.14):                "2.1 s",
		percent(0):                   "0%",
		percent(0.456):               "46%",
		percent(1):                   "100%",
		span(-time.Second):           "0s",
		span(999 * time.Millisecond): "0s",
		span(59 * time.Second):       "59s",
		span(125 * time.Second):      "2m5s",
		span(2 * time.Hour):          "2h0m",
		span(76 * time.Hour):         "3d4h",
		span(10000 * 24 * time.Hour): "10000d0h",
		span(seconds(7384)):          "2h3m",
		oneLine("a\n  b\t\tc "):      "a b c",
		some("refused", 0):           "",
		some("refused", 1200):        "refused: 1,200",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
