package token

import (
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"groupcast/loop/wait"
)

func TestEveryAlgorithm(t *testing.T) {
	for _, algorithm := range algorithms {
		t.Run(algorithm, func(t *testing.T) {
			file := secretFile(t)
			if algorithm != hs256 {
				file = write(t, "key.pem", publicPEM(t, algorithm))
			}
			c := newChecker(t, Options{KeyFiles: []string{file}})
			text := sign(t, algorithm, signingKey(algorithm), nil, good(nil))
			who := accept(t, c, text)
			if who.User != "7" || !who.Grants.Join.Match([]byte("room:x")) || who.Grants.Join.Match([]byte("r")) ||
				!who.Grants.Publish.Match([]byte("room:1")) || who.Grants.Publish.Match([]byte("room:2")) {
				t.Errorf("got %+v", who)
			}
			if c.Stats().Accepted != 1 {
				t.Errorf("counted %+v", c.Stats())
			}
			// One bit of each part. The last letters of a part may not count.
			for at, letter := range text {
				if letter == '.' || at%37 != 0 {
					continue
				}
				changed := []byte(text)
				changed[at] ^= 1
				if _, err := c.Check(t.Context(), string(changed), nil); err == nil {
					t.Fatalf("taken with letter %d changed", at)
				}
			}
			// With every other kind of key there is, the same token finds none.
			for _, other := range algorithms {
				if other == algorithm {
					continue
				}
				file := secretFile(t)
				if other != hs256 {
					file = write(t, "key.pem", publicPEM(t, other))
				}
				refuse(t, newChecker(t, Options{KeyFiles: []string{file}}), text, Algorithm)
			}
		})
	}
}

func TestPrivateKeysAndCertificatesCheckToo(t *testing.T) {
	for _, algorithm := range []string{rs256, es256, edDSA} {
		c := newChecker(t, Options{KeyFiles: []string{write(t, "key.pem", privatePEM(t, algorithm))}})
		accept(t, c, sign(t, algorithm, signingKey(algorithm), nil, good(nil)))
	}
}

func TestAlgorithmNone(t *testing.T) {
	c := newChecker(t, Options{KeyFiles: []string{secretFile(t), write(t, "key.pem", publicPEM(t, rs256))}})
	for _, name := range []string{"none", "None", "NONE", "nOnE", ""} {
		header := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":%q,"typ":"JWT"}`, name))
		body := strings.Split(sign(t, hs256, theSecret, nil, good(nil)), ".")[1]
		refuse(t, c, header+"."+body+".", Algorithm)
	}
	refuse(t, c, sign(t, "none", jwt.UnsafeAllowNoneSignatureType, nil, good(nil)), Algorithm)
}

// A public key is known to everybody: whoever takes its bytes for a secret takes everybody's
// tokens.
func TestSecretIsNoPublicKey(t *testing.T) {
	public := publicPEM(t, rs256)
	for name, o := range map[string]Options{
		"a PEM file":   {KeyFiles: []string{write(t, "key.pem", public)}},
		"a key set":    {JWKS: []string{write(t, "set", keySet(t, jwk(t, "k", pairs()[rs256].Public())))}},
		"and a secret": {KeyFiles: []string{write(t, "key.pem", public), secretFile(t)}},
	} {
		c := newChecker(t, o)
		want := Algorithm
		if name == "and a secret" {
			want = Signature
		}
		for _, secret := range [][]byte{public, []byte(strings.TrimSpace(string(public))), public[:len(public)-1]} {
			refuse(t, c, sign(t, hs256, secret, nil, good(nil)), want)
		}
	}
}

func TestOtherAlgorithmsOfTheSameKey(t *testing.T) {
	c := newChecker(t, Options{KeyFiles: []string{write(t, "key.pem", publicPEM(t, rs256)), secretFile(t)}})
	for _, algorithm := range []string{"RS384", "RS512", "PS256"} {
		refuse(t, c, sign(t, algorithm, pairs()[rs256], nil, good(nil)), Algorithm)
	}
	for _, algorithm := range []string{"HS384", "HS512"} {
		refuse(t, c, sign(t, algorithm, theSecret, nil, good(nil)), Algorithm)
	}
}

func TestTime(t *testing.T) {
	c := newChecker(t, Options{KeyFiles: []string{secretFile(t)}})
	at := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	token := func(m jwt.MapClaims) string { return sign(t, hs256, theSecret, nil, good(m)) }

	accept(t, c, token(jwt.MapClaims{"exp": at(-Skew + 10*time.Second)})) // another clock is behind
	accept(t, c, token(jwt.MapClaims{"nbf": at(Skew - 10*time.Second)}))  // another clock is ahead
	refuse(t, c, token(jwt.MapClaims{"exp": at(-Skew - time.Second)}), Expired)
	refuse(t, c, token(jwt.MapClaims{"nbf": at(Skew + 20*time.Second)}), NotYet)
	// Clocks an hour apart: what the issuer calls now.
	refuse(t, c, token(jwt.MapClaims{"iat": at(time.Hour), "nbf": at(time.Hour), "exp": at(2 * time.Hour)}), NotYet)
	refuse(t, c, token(jwt.MapClaims{"iat": at(-time.Hour), "nbf": at(-time.Hour), "exp": at(-time.Minute)}), Expired)

	exp := at(time.Hour)
	if who := accept(t, c, token(jwt.MapClaims{"exp": float64(exp) + 0.9})); who.Expires != exp {
		t.Errorf("over at %d, want %d", who.Expires, exp)
	}
	for _, v := range []any{nil, "1999999999", true, -1, 1e18, time.Now().UnixMilli(), []int{1}, "soon"} {
		refuse(t, c, token(jwt.MapClaims{"exp": v}), Claims)
	}
	for _, v := range []any{"1", 1e300, false} {
		refuse(t, c, token(jwt.MapClaims{"nbf": v}), Claims)
	}
}

func TestAudience(t *testing.T) {
	c := newChecker(t, Options{KeyFiles: []string{secretFile(t)}, Audience: []string{"push", "push2"}})
	token := func(aud any) string { return sign(t, hs256, theSecret, nil, good(jwt.MapClaims{"aud": aud})) }
	accept(t, c, token("push"))
	accept(t, c, token([]string{"web", "push2"}))
	for _, aud := range []any{nil, "", "pus", "PUSH", []string{}, []string{"web"}} {
		refuse(t, c, token(aud), Audience)
	}
	for _, aud := range []any{7, []any{"push", 7}, map[string]string{"push": "push"}} {
		refuse(t, c, token(aud), Claims)
	}
	// Nobody has asked for one.
	accept(t, newChecker(t, Options{KeyFiles: []string{secretFile(t)}}), token("web"))
}

// A kid is compared with others, and is nothing else.
func TestKidIsNoPath(t *testing.T) {
	secret := secretFile(t)
	set := write(t, "set", keySet(t, jwk(t, "one", pairs()[es256].Public())))
	c := newChecker(t, Options{JWKS: []string{set}})
	for _, kid := range []any{
		secret, "/dev/null", "../../dev/null", "file:///dev/null", "https://127.0.0.1:1/", "one' OR '1", "ONE", "two",
		strings.Repeat("k", 1000), "a\nb",
	} {
		refuse(t, c, sign(t, es256, pairs()[es256], map[string]any{"kid": kid}, good(nil)), UnknownKey)
	}
	for _, kid := range []any{7, nil, true, []string{"one"}} {
		refuse(t, c, sign(t, es256, pairs()[es256], map[string]any{"kid": kid}, good(nil)), Malformed)
	}
	accept(t, c, sign(t, es256, pairs()[es256], map[string]any{"kid": "one"}, good(nil)))
	accept(t, c, sign(t, es256, pairs()[es256], nil, good(nil)))
	// The empty secret, which is what is in /dev/null.
	refuse(t, c, sign(t, hs256, []byte{}, map[string]any{"kid": "/dev/null"}, good(nil)), Algorithm)
	// Files have no kid: backends that write one are served as well.
	plain := newChecker(t, Options{KeyFiles: []string{secret}})
	accept(t, plain, sign(t, hs256, theSecret, map[string]any{"kid": "2026-11"}, good(nil)))
}

func TestHeaderThatBringsAKey(t *testing.T) {
	c := newChecker(t, Options{KeyFiles: []string{secretFile(t), write(t, "key.pem", publicPEM(t, rs256))}})
	foreign := pairs()[es256]
	header := map[string]any{
		"jwk": jwk(t, "", foreign.Public()), "jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/cert",
	}
	refuse(t, c, sign(t, es256, foreign, header, good(nil)), Algorithm)
	accept(t, c, sign(t, hs256, theSecret, header, good(nil))) // not looked at
	refuse(t, c, sign(t, hs256, theSecret, map[string]any{"crit": []string{"b64"}, "b64": false}, good(nil)), Malformed)
	refuse(t, c, sign(t, hs256, theSecret, map[string]any{"crit": nil}, good(nil)), Malformed)
}

func TestSizeOfAToken(t *testing.T) {
	c := newChecker(t, Options{KeyFiles: []string{secretFile(t)}, MaxBytes: 400})
	token := func(n int) string {
		for fill := n; ; fill-- {
			text := sign(t, hs256, theSecret, nil, good(jwt.MapClaims{"x": strings.Repeat("x", fill)}))
			if len(text) <= n {
				return text
			}
		}
	}
	at, over := token(400), token(401)
	if len(at) < 399 || len(over) <= 400 {
		at, over = token(399), token(402) // base64 makes four letters of three
	}
	accept(t, c, at)
	detail := refuse(t, c, over, TooLarge)
	if !strings.Contains(detail, "wants a token of 400 bytes at most, got ") {
		t.Error(detail)
	}
	large := sign(t, hs256, theSecret, nil, good(jwt.MapClaims{"x": strings.Repeat("x", 100<<10)}))
	refuse(t, newChecker(t, Options{KeyFiles: []string{secretFile(t)}}), large, TooLarge)
}

func TestMillionPatterns(t *testing.T) {
	million := make([]string, 1_000_000)
	for i := range million {
		million[i] = "a"
	}
	text := sign(t, hs256, theSecret, nil, good(jwt.MapClaims{"join": million}))
	refuse(t, newChecker(t, Options{KeyFiles: []string{secretFile(t)}}), text, TooLarge)
	// Even where tokens may be as large as that.
	detail := refuse(t, newChecker(t, Options{KeyFiles: []string{secretFile(t)}, MaxBytes: 1 << 30}), text, Claims)
	if !strings.Contains(detail, "join wants a list of 256 texts at most, got 1000000") {
		t.Error(detail)
	}
}

func TestMalformed(t *testing.T) {
	c := newChecker(t, Options{KeyFiles: []string{secretFile(t)}})
	text := sign(t, hs256, theSecret, nil, good(nil))
	head, rest, _ := strings.Cut(text, ".")
	body, signature, _ := strings.Cut(rest, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	for _, bad := range []string{
		"", ".", "..", "...", "a", "a.b", "a.b.c", text + ".", "." + text, " " + text, text + "\n", text + "=", text + "\x00",
		head + "." + body + "=." + signature, b64([]byte("[]")) + "." + rest, b64([]byte("{}")) + "x." + rest,
		head + "." + b64([]byte("[]")) + "." + signature, head + "." + b64([]byte(`"x"`)) + "." + signature,
		head + "." + b64([]byte("{\"sub\":\"\xff\"}")) + "." + signature, strings.Repeat(".", 4000),
		"Bearer " + text,
	} {
		refuse(t, c, bad, Malformed)
	}
	refuse(t, c, b64([]byte("{}"))+"."+rest, Algorithm)
	refuse(t, c, b64([]byte(`{"alg":["HS256"]}`))+"."+rest, Algorithm)
	refuse(t, c, head+"."+b64([]byte("null"))+"."+signature, Signature)
}

// What is refused says nothing of the token, and a signature that does not hold nothing of
// the claims.
func TestRefusalsRepeatNothing(t *testing.T) {
	c := newChecker(t, Options{
		KeyFiles: []string{secretFile(t)}, Audience: []string{"push"}, Issuers: []string{"https://idp=" + secretFile(t)},
	})
	const planted = "planted"
	for _, k := range [][]byte{theSecret, []byte(strings.Repeat("other", 10))} {
		for name, value := range map[string]any{
			"sub": planted + "\n", "join": []string{planted + "*x"}, "groups": []string{planted + "*"}, "exp": planted,
			"aud": planted, "nbf": planted, "publish": planted, "iss": []string{planted},
		} {
			claims := good(jwt.MapClaims{"aud": "push", name: value})
			header := map[string]any{"kid": planted, planted: planted}
			text := sign(t, hs256, k, header, claims)
			_, err := c.Check(t.Context(), text, nil)
			if err == nil || strings.Contains(err.Error(), planted) || strings.Contains(err.Error(), text[:20]) {
				t.Errorf("%s: %v", name, err)
			}
			f := (*RefusedError)(nil)
			if errors.As(err, &f) && &k[0] != &theSecret[0] && name != "iss" && f.Reason != Signature {
				t.Errorf("%s: the signature does not hold, and what is told is %v", name, f)
			}
		}
	}
}

func TestIssuers(t *testing.T) {
	other := []byte(strings.Repeat("another secret. ", 3))
	otherFile := write(t, "other", other)
	token := func(k []byte, iss any) string {
		return sign(t, hs256, k, nil, good(jwt.MapClaims{"iss": iss}))
	}
	both := newChecker(t, Options{KeyFiles: []string{secretFile(t)}, Issuers: []string{"https://idp=" + otherFile}})
	accept(t, both, token(theSecret, nil))
	accept(t, both, token(theSecret, "https://elsewhere"))
	accept(t, both, token(other, "https://idp"))
	refuse(t, both, token(other, nil), Signature)
	refuse(t, both, token(other, "https://IDP"), Signature)
	refuse(t, both, token(theSecret, "https://idp"), Signature) // its own keys alone
	refuse(t, both, token(other, []string{"https://idp"}), Claims)

	alone := newChecker(t, Options{Issuers: []string{"https://idp=" + otherFile}})
	accept(t, alone, token(other, "https://idp"))
	refuse(t, alone, token(other, nil), Issuer)
	refuse(t, alone, token(other, "https://idp/"), Issuer)
}

// A rotation of secrets: two files for a while.
func TestSeveralKeyFiles(t *testing.T) {
	other := []byte(strings.Repeat("another secret. ", 3))
	c := newChecker(t, Options{KeyFiles: []string{secretFile(t), write(t, "new", other)}})
	accept(t, c, sign(t, hs256, theSecret, nil, good(nil)))
	accept(t, c, sign(t, hs256, other, nil, good(nil)))
	refuse(t, c, sign(t, hs256, []byte(strings.Repeat("no", 20)), nil, good(nil)), Signature)
}

func TestIdentitiesAreShared(t *testing.T) {
	c := newChecker(t, Options{KeyFiles: []string{secretFile(t)}})
	exp := time.Now().Add(time.Hour).Unix()
	token := func(m jwt.MapClaims) string {
		claims := good(m)
		if m["exp"] == nil {
			claims["exp"] = exp
		}
		return sign(t, hs256, theSecret, nil, claims)
	}
	one, two := accept(t, c, token(nil)), accept(t, c, token(jwt.MapClaims{"jti": "another token"}))
	if one != two {
		t.Error("two identities that are equal")
	}
	later := accept(t, c, token(jwt.MapClaims{"exp": exp + 1}))
	other := accept(t, c, token(jwt.MapClaims{"sub": "8"}))
	if one == later || one == other || one.Grants != later.Grants || one.Grants != other.Grants {
		t.Errorf("got %p %p %p", one, later, other)
	}
	if more := accept(t, c, token(jwt.MapClaims{"join": []string{"*"}})); more.Grants == one.Grants {
		t.Error("other grants are the same")
	}
	if in := accept(t, c, token(jwt.MapClaims{"groups": []string{"room:1"}})); in.Grants == one.Grants {
		t.Error("groups to be in are no difference")
	}
	runtime.KeepAlive([]any{one, two, later, other})
	// Nobody has them any more.
	wait.Until(t, "the table to be empty", func() bool {
		runtime.GC()
		return c.identities.whole.size() == 0 && c.identities.grants.size() == 0
	})
}

func BenchmarkCheck(b *testing.B) {
	for _, algorithm := range algorithms {
		b.Run(algorithm, func(b *testing.B) {
			file := secretFile(b)
			if algorithm != hs256 {
				file = write(b, "key.pem", publicPEM(b, algorithm))
			}
			c := newChecker(b, Options{KeyFiles: []string{file}})
			text := sign(b, algorithm, signingKey(algorithm), nil, good(nil))
			b.ReportAllocs()
			for b.Loop() {
				accept(b, c, text)
			}
		})
	}
}
