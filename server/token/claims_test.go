package token

import (
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func TestClaimsOfWrongTypes(t *testing.T) {
	c := newLarge(t)
	for _, claim := range []string{"join", "publish", "groups"} {
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
			"groups": []string{"own:{sub}"},
		}))
		if !who.Grants.Join.Match([]byte(one.yes)) || who.Grants.Join.Match([]byte(one.no)) ||
			!who.Grants.Publish.Match([]byte(one.yes)) || who.Grants.Publish.Match([]byte(one.no)) {
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
	if !who.Grants.Join.None() || !who.Grants.Publish.None() || len(who.Grants.Groups) > 0 {
		t.Errorf("no claim grants %+v", who.Grants)
	}
	// Claims by other names are others.
	who = accept(t, c, token(t, jwt.MapClaims{"join": nil, "Join": []string{"*"}, "JOIN": []string{"*"}, "Sub": "8"}))
	if !who.Grants.Join.None() || who.User != "7" {
		t.Errorf("claims in other letters count: %+v", who)
	}
}
