package token

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"groupcast/loop/pattern"
)

// rawClaims are claims just as they are written.
type rawClaims struct {
	jwt.MapClaims
	raw string
}

func (r rawClaims) MarshalJSON() ([]byte, error) { return []byte(r.raw), nil }

// Whatever an issuer has signed gives an identity within its limits, or a refusal.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{
		`{"sub":"7","exp":4102444800,"join":["room:*","user:{sub}:*"],"publish":[],"members":["of:*"],"groups":["a"]}`,
		`{"sub":"*","exp":4102444800.5,"join":["{sub}{sub}"],"nbf":1e3}`, `{"sub":"7","sub":"8","exp":4102444800}`, `null`, `{}`,
		`{"exp":-1e999}`, `{"sub":"\ud800","exp":4102444800}`, `{"join":[[[]]]}`, `{"aud":["a",{"b":1}],"exp":4102444800}`,
	} {
		f.Add(seed)
	}
	c := newLarge(f)
	f.Fuzz(func(t *testing.T, raw string) {
		if !json.Valid([]byte(raw)) {
			return
		}
		who, err := c.Check(t.Context(), sign(t, hs256, theSecret, nil, rawClaims{raw: raw}), nil)
		if err != nil {
			if who != nil {
				t.Fatalf("%v and %v", who, err)
			}
			return
		}
		g := who.Grants
		if who.User == "" || len(who.User) > MaxUserBytes || !utf8.ValidString(who.User) || who.Expires <= 0 ||
			len(g.Join.Strings()) > 2*pattern.MaxPatterns || len(g.Publish.Strings()) > pattern.MaxPatterns {
			t.Fatalf("%s: %+v", raw, who)
		}
		for _, name := range g.Groups {
			if name == "" || len(name) > pattern.MaxBytes || !g.Join.Match([]byte(name)) {
				t.Fatalf("%s: %+v", raw, g)
			}
		}
	})
}

// Whatever a client sends is refused: it has no key.
func FuzzCheck(f *testing.F) {
	for _, k := range [][]byte{theSecret, []byte("another"), {}} {
		f.Add(sign(f, hs256, k, nil, good(nil))[1:])
		f.Add(sign(f, hs256, k, map[string]any{"kid": "x", "crit": 1}, good(nil))[1:])
	}
	f.Add("..")
	c := newChecker(f, Options{KeyFiles: []string{secretFile(f), write(f, "key.pem", publicPEM(f, es256))}})
	f.Fuzz(func(t *testing.T, text string) {
		if who, err := c.Check(t.Context(), text, nil); err == nil || who != nil {
			t.Fatalf("%q is taken", text)
		}
	})
}
