package subject

import (
	"errors"
	"strconv"
	"strings"
	"testing"
)

func TestPrefix(t *testing.T) {
	for _, text := range []string{"groupcast", "push.eu", "a-b_c", "x.yy", "42", strings.Repeat("a", MaxPrefixBytes)} {
		p, err := ParsePrefix(text)
		if err != nil || p.String() != text || p.All(KindGroup) != text+".g.*" || p.All(KindUser) != text+".u.*" {
			t.Errorf("%q: %q, %v", text, p, err)
		}
	}
	for _, text := range []string{
		"", ".", "groupcast.", ".groupcast", "a..bb", "group cast", "*", "groupcast.*", ">", "groupcast.>", "$SYS", "a$b",
		"_INBOX", "-a", "groupcast.g", "g", "a/bb", "room:1", "a@b", "~a", "a%2Eb", "Küche", "a\r\n", "a\x00b", "\xff\xff",
		strings.Repeat("a", MaxPrefixBytes+1),
	} {
		p, err := ParsePrefix(text)
		if !errors.Is(err, ErrPrefix) || p != (Prefix{}) {
			t.Errorf("%q: %q, %v", text, p, err)
		}
		if n := len(text); n > 0 && n <= MaxPrefixBytes && !strings.Contains(err.Error(), strconv.Quote(text)) {
			t.Errorf("%q is not in %q", text, err)
		}
	}
}

func TestCut(t *testing.T) {
	p := Prefix{"push.eu"}
	for subject, want := range map[string]string{
		"push.eu.g.123":   "g 123",
		"push.eu.u.ann":   "u ann",
		"push.eu.x.a%2Eb": "x a%2Eb",
		"push.eu.g.":      "", "push.eu.g": "", "push.eu.m": "", "push.eu": "", "push": "", "": "",
		"push.eu.gg.1": "", "push.eu.gab": "", "push.eu..1": "", "push.eu.g.a.b": "", "push.eu.g..": "", "push.eu.g.a.": "",
		"push.eux.g.1": "", "push.euxg.1": "", "push.us.g.1": "", "g.123": "", "xpush.eu.g.1": "", "push.eu.more.g.1": "",
		"push.eu.g." + strings.Repeat("a", MaxTokenBytes+1): "",
		"push.eu.g." + strings.Repeat("a", MaxTokenBytes):   "g " + strings.Repeat("a", MaxTokenBytes),
	} {
		got := ""
		if k, token, ok := Cut(p, subject); ok {
			got = string(rune(k)) + " " + token
		}
		if got != want {
			t.Errorf("%q: %q, want %q", subject, got, want)
		}
	}
}
