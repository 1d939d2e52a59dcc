package pattern

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustParse(tb testing.TB, sub string, list ...string) Set {
	tb.Helper()
	s, err := Parse(list, sub)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		list    []string
		sub     string
		yes, no []string
	}{
		{nil, "", nil, []string{"", "a", "*"}},
		{[]string{"*"}, "", []string{"", "a", "*", "é"}, nil},
		{[]string{"room:1"}, "", []string{"room:1"}, []string{"room:", "room:10", "Room:1", "room:1 "}},
		{[]string{"room:*"}, "", []string{"room:", "room:1", "room:*"}, []string{"room", "roo", "s", "rooms"}},
		{[]string{"a*", "ab", "b"}, "", []string{"a", "ab", "abc", "b"}, []string{"bb", "", "c"}},
		{[]string{"user:{sub}:*"}, "7", []string{"user:7:", "user:7:x"}, []string{"user:8:x", "user:{sub}:x", "user:77:x"}},
		// What a user is called is no pattern, whatever it looks like.
		{[]string{"user:{sub}:*"}, "*", []string{"user:*:", "user:*:x"}, []string{"user:7:x", "user:", "user:**"}},
		{[]string{"user:{sub}"}, "*", []string{"user:*"}, []string{"user:", "user:7", "user:**"}},
		{[]string{"user:{sub}"}, "a:*", []string{"user:a:*"}, []string{"user:a:", "user:a:b"}},
		{[]string{"user:{sub}:*"}, "a:*", []string{"user:a:*:x"}, []string{"user:a:b", "user:a:b:x"}},
		{[]string{"{sub}"}, "{sub}", []string{"{sub}"}, []string{"x"}},
		{[]string{"{sub}-{sub}*"}, "é", []string{"é-é", "é-éé"}, []string{"é-", "{sub}-{sub}"}},
	} {
		s := mustParse(t, c.sub, c.list...)
		for _, name := range c.yes {
			if !s.Match([]byte(name)) {
				t.Errorf("%q for %q does not match %q", c.list, c.sub, name)
			}
		}
		for _, name := range c.no {
			if s.Match([]byte(name)) {
				t.Errorf("%q for %q matches %q", c.list, c.sub, name)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		list []string
		sub  string
		want string
	}{
		{[]string{""}, "", "pattern 1: wants a name, got none"},
		{[]string{"a", "a*b"}, "", `pattern 2: wants a "*" only at its end`},
		{[]string{"a**"}, "", `wants a "*" only at its end`},
		{[]string{"*a"}, "", `wants a "*" only at its end`},
		{[]string{"user:{sub}"}, "", "wants no {sub}, since there is no user"},
		{[]string{"\xff"}, "", "wants UTF-8"},
		{[]string{strings.Repeat("a", MaxBytes+1)}, "", "wants 1024 bytes at most"},
		{[]string{strings.Repeat("{sub}", 5)}, strings.Repeat("x", 205), "wants 1024 bytes at most"},
		{make([]string, MaxPatterns+1), "", "wants 256 patterns at most, got 257"},
		{make([]string, 1_000_000), "", "wants 256 patterns at most, got 1000000"},
	} {
		_, err := Parse(c.list, c.sub)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q for %.20q: %v, want %q", c.list, c.sub, err, c.want)
		}
	}
	mustParse(t, strings.Repeat("x", 204), strings.Repeat("{sub}", 5)) // 1,020 bytes
	full := slices.Repeat([]string{strings.Repeat("a", MaxBytes)}, MaxPatterns)
	mustParse(t, "", full...)
}

// naive is the definition, to check by.
func naive(list []string, name string) bool {
	return slices.ContainsFunc(list, func(p string) bool {
		if begin, ok := strings.CutSuffix(p, "*"); ok {
			return strings.HasPrefix(name, begin)
		}
		return p == name
	})
}

func TestMatchIsWhatTheDefinitionSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Few letters, so that beginnings include each other.
		list := rapid.SliceOfN(rapid.StringMatching(`[ab\x00-]{1,4}\*?|\*`), 0, 12).Draw(t, "patterns")
		exact := rapid.SliceOfN(rapid.StringMatching(`[ab*]{1,4}`), 0, 3).Draw(t, "names")
		s, err := Parse(list, "")
		if err != nil {
			t.Fatal(err)
		}
		s = s.With(exact)
		for range 20 {
			name := rapid.StringMatching(`[ab\x00*-]{0,6}`).Draw(t, "name")
			want := naive(list, name) || slices.Contains(exact, name)
			if got := s.Match([]byte(name)); got != want {
				t.Fatalf("%q with %q, %q: %v", list, exact, name, got)
			}
		}
	})
}

func TestEqualSetsHaveOneKey(t *testing.T) {
	same := func(a, b Set) bool { return string(a.AppendKey(nil)) == string(b.AppendKey(nil)) }
	if !same(mustParse(t, "", "b", "a*", "ab"), mustParse(t, "", "a*", "b", "b")) {
		t.Error("equal sets have two keys")
	}
	for _, pair := range [][2]Set{
		{mustParse(t, "", "a"), mustParse(t, "", "a*")},
		{mustParse(t, "", "a", "b"), mustParse(t, "", "ab")},
		{mustParse(t, "", "a=1:b"), mustParse(t, "", "a", "b")},
		{mustParse(t, "a*", "{sub}"), mustParse(t, "", "a*")},
		{{}, mustParse(t, "", "*")},
	} {
		if same(pair[0], pair[1]) {
			t.Errorf("%q and %q have one key", pair[0].Strings(), pair[1].Strings())
		}
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	s, name := large(t), []byte("room:191:42")
	if n := testing.AllocsPerRun(100, func() {
		if !s.Match(name) {
			t.Fatal("no match")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func large(tb testing.TB) Set {
	tb.Helper()
	list := make([]string, MaxPatterns)
	for i := range list {
		list[i] = fmt.Sprintf("room:%d:*", i)
	}
	return mustParse(tb, "", list...)
}

func BenchmarkMatch(b *testing.B) {
	usual := mustParse(b, "7", "room:*", "user:{sub}:*", "news", "lobby")
	for _, c := range []struct {
		name, group string
		set         Set
	}{
		{"all", "room:191:42", mustParse(b, "", "*")},
		{"4 patterns", "user:7:inbox", usual},
		{"4 patterns, none of them", "users", usual},
		{"256 patterns", "room:191:42", large(b)},
	} {
		b.Run(c.name, func(b *testing.B) {
			name := []byte(c.group)
			b.ReportAllocs()
			for b.Loop() {
				c.set.Match(name)
			}
		})
	}
}
