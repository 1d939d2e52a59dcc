package subject

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzSubject(f *testing.F) {
	cases := golden(f)
	for i, c := range cases {
		f.Add(c.Group, cases[(i+1)%len(cases)].Group, c.Token)
	}
	f.Fuzz(func(t *testing.T, one, other, foreign string) {
		token, ok := tokenOf(t, one)
		if ok {
			checkToken(t, token)
			if name, err := AppendName(nil, token); err != nil || string(name) != one {
				t.Errorf("%q came back as %q, %v", one, name, err)
			}
			// Injective.
			if second, ok := tokenOf(t, other); ok && (second == token) != (other == one) {
				t.Errorf("%q and %q are %q and %q", one, other, token, second)
			}
		}
		// Canonical: what is read is what would have been written.
		switch name, err := AppendName(nil, foreign); {
		case err == nil:
			if again, ok := tokenOf(t, string(name)); !ok || again != foreign {
				t.Errorf("%q was read as %q, which is written %q", foreign, name, again)
			}
		case !errors.Is(err, ErrToken) || len(name) != 0:
			t.Errorf("%q: %q, %v", foreign, name, err)
		}
		checkPrefixes(t, foreign, other)
	})
}

// tokenOf is a name's token, also from the naive version, if it may have one.
func tokenOf(t *testing.T, name string) (token string, ok bool) {
	t.Helper()
	got, err := AppendToken(nil, name)
	want := len(name) >= 1 && len(name) <= 256 && utf8.ValidString(name)
	if (err == nil) != want {
		t.Errorf("%q: %v", name, err)
	}
	if want && string(got) != naiveToken(name) {
		t.Errorf("%q: %q, want %q", name, got, naiveToken(name))
	}
	return string(got), want
}

// naiveToken is the form as WIRE.md words it.
func naiveToken(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_~:@", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteString("%" + string("0123456789ABCDEF"[c/16]) + string("0123456789ABCDEF"[c%16]))
		}
	}
	return b.String()
}

// checkToken checks that a token can be nothing but one whole token.
func checkToken(t *testing.T, token string) {
	t.Helper()
	if token == "" || len(token) > MaxTokenBytes {
		t.Errorf("a token of %d bytes", len(token))
	}
	for _, c := range []byte(token) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(".*>$/+#,;{}", c) >= 0 {
			t.Errorf("%q in the token %q", c, token)
		}
	}
	p := Prefix{DefaultPrefix}
	subject := "groupcast.g." + token
	for pattern, want := range map[string]bool{
		p.All(KindGroup): true, p.All(KindUser): false, "groupcast.g": false, "groupcast.g.*.>": false,
		"other.g.*": false, "groupcast.m": false, subject: true,
	} {
		if matches(pattern, subject) != want {
			t.Errorf("%q matches %q: %v", pattern, subject, !want)
		}
	}
	// As a pattern it is no wildcard: it matches itself and nothing else.
	for _, literal := range []string{"groupcast.g.x", "groupcast.g.x.y", "groupcast.u.x", subject + "x"} {
		if matches(subject, literal) != (literal == subject) {
			t.Errorf("%q matches %q", subject, literal)
		}
	}
}

// checkPrefixes checks that subjects of different prefixes are different ones.
func checkPrefixes(t *testing.T, text, name string) {
	t.Helper()
	p, err := ParsePrefix(text)
	if err != nil {
		return
	}
	if len(text) > MaxPrefixBytes || strings.ContainsAny(text, "*> \t\r\n$/+#%") || strings.Contains(text, "..") {
		t.Errorf("%q is a prefix", text)
	}
	subject, err := Append(nil, p, KindGroup, name)
	if err != nil {
		return
	}
	if len(subject) > MaxSubjectBytes {
		t.Errorf("a subject of %d bytes", len(subject))
	}
	for _, other := range []string{"groupcast", text + ".more", text[:len(text)/2], text + "x"} {
		q, err := ParsePrefix(other)
		if err != nil || q == p {
			continue
		}
		if matches(q.All(KindGroup), string(subject)) || q.text+".m" == string(subject) {
			t.Errorf("%q of the prefix %q is one of %q", subject, p, q)
		}
		if k, token, ok := Cut(q, string(subject)); ok {
			t.Errorf("%q of the prefix %q is cut by %q: %c %q", subject, p, q, k, token)
		}
	}
}

// matches is NATS's rule of a subscription, naively.
func matches(pattern, subject string) bool {
	patterns, tokens := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i, p := range patterns {
		switch {
		case p == ">" && i == len(patterns)-1:
			return len(tokens) > i
		case i >= len(tokens) || p != "*" && p != tokens[i]:
			return false
		}
	}
	return len(patterns) == len(tokens)
}

// TestEveryByte holds each byte to its form, alone and in all places of a name.
func TestEveryByte(t *testing.T) {
	for c := range 0x80 {
		char := string(rune(c))
		for _, name := range []string{char, "a" + char, char + "b", "a" + char + "b"} {
			token, ok := tokenOf(t, name)
			if !ok {
				t.Fatalf("%q has no token", name)
			}
			checkToken(t, token)
			if back, err := AppendName(nil, token); err != nil || string(back) != name {
				t.Errorf("%q came back as %q, %v", name, back, err)
			}
		}
	}
}

func TestAllocations(t *testing.T) {
	p := Prefix{DefaultPrefix}
	huge := strings.Repeat("a", 1<<20)
	for _, name := range []string{"room:1", strings.Repeat("a", MaxNameBytes), strings.Repeat(".", MaxNameBytes)} {
		asBytes := []byte(name)
		buf := make([]byte, 0, MaxSubjectBytes)
		token, err := AppendToken(nil, name)
		if err != nil {
			t.Fatal(err)
		}
		tokenString := string(token)
		subject := "groupcast.g." + tokenString
		for what, f := range map[string]func(){
			"token of a string":  func() { _, err = AppendToken(buf, name) },
			"token of bytes":     func() { _, err = AppendToken(buf, asBytes) },
			"name of a string":   func() { _, err = AppendName(buf, tokenString) },
			"name of bytes":      func() { _, err = AppendName(buf, token) },
			"subject of a name":  func() { _, err = Append(buf, p, KindGroup, name) },
			"subject of bytes":   func() { _, err = Append(buf, p, KindGroup, asBytes) },
			"cut of a subject":   func() { _, _, _ = Cut(p, subject) },
			"a name too long":    func() { _, _ = AppendToken(buf, huge) },
			"a token that is no": func() { _, _ = AppendName(buf, "a.b") },
			// It is refused before it is copied.
			"a token far too long": func() { _, _ = AppendName(buf, huge) },
		} {
			if n := testing.AllocsPerRun(100, f); n != 0 || err != nil {
				t.Errorf("%s, %d bytes: %v allocations, %v", what, len(name), n, err)
			}
		}
	}
}

func BenchmarkToken(b *testing.B) {
	for what, name := range map[string]string{
		"plain": "room:12345", "escaped": "Küche.7", "longest": strings.Repeat(".", MaxNameBytes),
	} {
		buf := make([]byte, 0, MaxTokenBytes)
		b.Run("append/"+what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := AppendToken(buf, name); err != nil {
					b.Fatal(err)
				}
			}
		})
		token := naiveToken(name)
		b.Run("read/"+what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := AppendName(buf, token); err != nil {
					b.Fatal(err)
				}
			}
		})
		// The naive version, for comparison.
		b.Run("naive/"+what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if naiveToken(name) == "" {
					b.Fatal("no token")
				}
			}
		})
	}
}
