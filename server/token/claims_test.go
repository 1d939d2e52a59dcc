package token

import (
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func TestClaimsOfWrongTypes(t *testing.T) {
	c := newLarge(t)
	for _, claim := range []string{"join", "publish", "members", "groups"} {
		for _, v := range []any{
			"room:1", 7, true,
			map[string]string{"0": "room:1"},
			[]any{"room:1", 7},
			[]any{nil},
			[]any{[]string{"a"}},
			jwt.MapClaims{},
			[]string{""},
			[]string{"a*b"},
			[]string{"a", "**"},
			slices.Repeat([]string{"a"}, 257),
			[]string{strings.Repeat("a", 5000)},
		} {
			detail := refuse(t, c, token(t, jwt.MapClaims{claim: v}), Claims)
			if !strings.HasPrefix(detail, "the token's "+claim+" ") {
				t.Errorf("%v: %s", v, detail)
			}
		}
		accept(t, c, token(t, jwt.MapClaims{claim: slices.Repeat([]string{"a"}, 256)}))
		accept(t, c, token(t, jwt.MapClaims{claim: []string{}}))
	}
}

// Names that a connection is put into are within a connection's limits, or the token is refused
// whole.
func TestGroupsWithinLimits(t *testing.T) {
	c := newChecker(t, Options{
		KeyFiles: []string{secretFile(t)}, MaxBytes: 1 << 20, MaxGroupBytes: 8, MaxGroups: 2,
	})
	for _, one := range []struct {
		names  []string
		detail string // "": they are good
	}{
		{nil, ""},
		{[]string{"a", "b"}, ""},
		{[]string{"a", "b", "a", "a", "b"}, ""}, // twice is once
		{[]string{"7", "{sub}", "a"}, ""},
		{[]string{"12345678"}, ""},
		{[]string{"éééé"}, ""},
		{[]string{"aaaaaaa{sub}"}, ""}, // filled it has eight bytes
		// What a command may name, controls and half of a surrogate pair included.
		{[]string{"a\x00b\n", "\x1b[2J"}, ""},
		{[]string{"\ufffd"}, ""},
		{
			[]string{"a", "b", "c"},
			"the token's groups wants 2 names at most, as many groups as a connection may be in, got 3",
		},
		{[]string{"a", "123456789"}, "the token's groups name 2: wants 1 to 8 bytes, got 9"},
		{[]string{"aaaaaaaa{sub}"}, "the token's groups name 1: wants 1 to 8 bytes, got 9"},
		{[]string{"ééééé"}, "the token's groups name 1: wants 1 to 8 bytes, got 10"},
		{[]string{"a", ""}, "the token's groups name 2: wants 1 to 8 bytes, got 0"},
		{[]string{"a*"}, `the token's groups wants names, got a pattern with a "*" as number 1`},
	} {
		text := token(t, jwt.MapClaims{"groups": one.names, "join": []string{"a-long-pattern:*"}})
		if one.names == nil {
			text = token(t, jwt.MapClaims{})
		}
		if one.detail != "" {
			if detail := refuse(t, c, text, Claims); detail != one.detail {
				t.Errorf("%q: %s", one.names, detail)
			}
			continue
		}
		who := accept(t, c, text)
		for i, name := range one.names {
			if want := strings.ReplaceAll(name, "{sub}", "7"); who.Grants.Groups[i] != want {
				t.Errorf("%q: %q", one.names, who.Grants.Groups)
			}
		}
	}
}

// token is a good one with other claims.
func token(tb testing.TB, m jwt.MapClaims) string {
	tb.Helper()
	return sign(tb, hs256, theSecret, nil, good(m))
}

// newLarge is a Checker for what is long.
func newLarge(tb testing.TB) *Checker {
	tb.Helper()
	return newChecker(tb, Options{KeyFiles: []string{secretFile(tb)}, MaxBytes: 1 << 20})
}

func TestUser(t *testing.T) {
	c := newLarge(t)
	for _, sub := range []string{"7", "*", "a:*", "{sub}", "Zoë O'Neill", "用户", strings.Repeat("x", MaxUserBytes)} {
		if who := accept(t, c, token(t, jwt.MapClaims{"sub": sub})); who.User != sub {
			t.Errorf("got %q, want %q", who.User, sub)
		}
	}
	for _, sub := range []any{
		nil, "", 7, 7.5,
		[]string{"7"},
		true, strings.Repeat("x", MaxUserBytes+1), strings.Repeat("x", 10<<10),
		"a\nb", "a\r\nb",
		"\x00", "a\u2028b", "a\u202eb", "\x1b[2J", "\ufffd", "a\tb", "a\u0085b",
	} {
		detail := refuse(t, c, token(t, jwt.MapClaims{"sub": sub}), Claims)
		if !strings.HasPrefix(detail, "the token's sub ") {
			t.Errorf("%v: %s", sub, detail)
		}
	}
}

// What a user is called is literal.
func TestUserInPatterns(t *testing.T) {
	c := newChecker(t, Options{KeyFiles: []string{secretFile(t)}})
	for _, one := range []struct{ sub, yes, no string }{
		{"7", "user:7:inbox", "user:8:inbox"},
		{"*", "user:*:inbox", "user:7:inbox"},
		{"a:*", "user:a:*:inbox", "user:a:b:inbox"},
		{"{sub}", "user:{sub}:inbox", "user:7:inbox"},
	} {
		who := accept(t, c, token(t, jwt.MapClaims{
			"sub": one.sub, "join": []string{"user:{sub}:*"}, "publish": []string{"user:{sub}:inbox"},
			"groups": []string{"own:{sub}"}, "members": []string{"user:{sub}:inbox"},
		}))
		if !who.Grants.Join.Match([]byte(one.yes)) || who.Grants.Join.Match([]byte(one.no)) ||
			!who.Grants.Publish.Match([]byte(one.yes)) || who.Grants.Publish.Match([]byte(one.no)) ||
			!who.Grants.Members.Match([]byte(one.yes)) || who.Grants.Members.Match([]byte(one.no)) {
			t.Errorf("%q: may join %q", one.sub, who.Grants.Join.Strings())
		}
		want := "own:" + one.sub
		if !slices.Equal(who.Grants.Groups, []string{want}) || !who.Grants.Join.Match([]byte(want)) {
			t.Errorf("%q: is in %q, may join %q", one.sub, who.Grants.Groups, who.Grants.Join.Strings())
		}
	}
}

func TestWhatIsNotGranted(t *testing.T) {
	c := newChecker(t, Options{KeyFiles: []string{secretFile(t)}})
	who := accept(t, c, token(t, jwt.MapClaims{"join": nil, "publish": nil}))
	if !who.Grants.Join.None() || !who.Grants.Publish.None() || !who.Grants.Members.None() ||
		len(who.Grants.Groups) > 0 {
		t.Errorf("no claim grants %+v", who.Grants)
	}
	// Claims by other names are others.
	who = accept(t, c, token(t, jwt.MapClaims{"join": nil, "Join": []string{"*"}, "JOIN": []string{"*"}, "Sub": "8"}))
	if !who.Grants.Join.None() || who.User != "7" {
		t.Errorf("claims in other letters count: %+v", who)
	}
}
