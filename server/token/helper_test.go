package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"groupcast/loop"
)

var theSecret = []byte("0123456789abcdef0123456789abcdef")

// pairs are made once: RSA takes a while.
var pairs = sync.OnceValue(func() map[string]crypto.Signer {
	must := func(k crypto.Signer, err error) crypto.Signer {
		if err != nil {
			panic(err)
		}
		return k
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	m := map[string]crypto.Signer{rs256: must(r, err)}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	m[es256] = must(e, err)
	_, d, err := ed25519.GenerateKey(rand.Reader)
	m[edDSA] = must(d, err)
	return m
})

func signingKey(algorithm string) any {
	if algorithm == hs256 {
		return theSecret
	}
	return pairs()[algorithm]
}

func write(tb testing.TB, name string, data []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func secretFile(tb testing.TB) string {
	tb.Helper()
	return write(tb, "secret", append(theSecret, '\n'))
}

// publicPEM is what an operator would be given.
func publicPEM(tb testing.TB, algorithm string) []byte {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(pairs()[algorithm].Public())
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func privatePEM(tb testing.TB, algorithm string) []byte {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pairs()[algorithm])
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// jwk is a public key as a key server has it.
func jwk(tb testing.TB, kid string, public any) json.RawMessage {
	tb.Helper()
	j, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid}})
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := json.Marshal(j.Marshal())
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func keySet(tb testing.TB, keys ...json.RawMessage) []byte {
	tb.Helper()
	data, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// good are the claims of a token that is taken, with what is to be different.
func good(different jwt.MapClaims) jwt.MapClaims {
	m := jwt.MapClaims{
		"sub": "7", "exp": time.Now().Add(time.Hour).Unix(), "join": []string{"room:*"}, "publish": []string{"room:1"},
	}
	maps.Copy(m, different)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

func sign(tb testing.TB, algorithm string, k any, header map[string]any, c jwt.Claims) string {
	tb.Helper()
	t := jwt.NewWithClaims(jwt.GetSigningMethod(algorithm), c)
	maps.Copy(t.Header, header)
	text, err := t.SignedString(k)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func newChecker(tb testing.TB, o Options) *Checker {
	tb.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c, err := New(o, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

func accept(tb testing.TB, c *Checker, text string) *loop.Identity {
	tb.Helper()
	who, err := c.Check(tb.Context(), text, nil)
	if err != nil {
		tb.Fatalf("refused: %v", err)
	}
	return who
}

// refuse returns what the client is told.
func refuse(tb testing.TB, c *Checker, text string, want Reason) string {
	tb.Helper()
	before := c.Stats().Refused[want]
	who, err := c.Check(tb.Context(), text, nil)
	f := (*RefusedError)(nil)
	if !errors.As(err, &f) || f.Reason != want || who != nil {
		tb.Fatalf("got %v, %v; want a refusal, %s", who, err, want)
	}
	if f.Detail == "" {
		tb.Error("a refusal without a word")
	}
	if got := c.Stats().Refused[want]; got != before+1 {
		tb.Errorf("%s is counted as %d, was %d", want, got, before)
	}
	return f.Detail
}
