package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// key signs tokens.
type key struct {
	kid    string
	method jwt.SigningMethod
	secret []byte            // HS256
	pair   *ecdsa.PrivateKey // ES256
}

func newSecret() key {
	return key{method: jwt.SigningMethodHS256, secret: []byte(rand.Text() + rand.Text())}
}

func newPair(kid string) (key, error) {
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return key{kid: kid, method: jwt.SigningMethodES256, pair: pair}, err
}

// sign makes a token for a user who may join and send to everything, until then.
func (k key) sign(user string, until time.Time, groups ...string) (string, error) {
	claims := jwt.MapClaims{
		"sub": user, "exp": until.Unix(), "join": []string{"*"}, "publish": []string{"*"},
	}
	if len(groups) > 0 {
		claims["groups"] = groups
	}
	t := jwt.NewWithClaims(k.method, claims)
	if k.kid != "" {
		t.Header["kid"] = k.kid
	}
	if k.pair != nil {
		return t.SignedString(k.pair)
	}
	return t.SignedString(k.secret)
}

// file is the key as --token-key-file wants it: the secret, or the public key as PEM.
func (k key) file() ([]byte, error) {
	if k.pair == nil {
		return k.secret, nil
	}
	der, err := x509.MarshalPKIXPublicKey(k.pair.Public())
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
}

// jwk is the public key as a key server has it.
func (k key) jwk() (map[string]string, error) {
	public, err := k.pair.PublicKey.ECDH()
	if err != nil {
		return nil, err
	}
	point := public.Bytes() // 4, x, y
	coordinate := base64.RawURLEncoding.EncodeToString
	return map[string]string{
		"kty": "EC", "crv": "P-256", "kid": k.kid, "alg": "ES256", "use": "sig",
		"x": coordinate(point[1:33]), "y": coordinate(point[33:]),
	}, nil
}

// signMany are tokens of that many users.
func (k key) signMany(n int, ttl time.Duration) (tokens []string, err error) {
	for i := range n {
		text, err := k.sign("user-"+strconv.Itoa(i), time.Now().Add(ttl))
		if err != nil {
			return nil, fmt.Errorf("sign a token: %w", err)
		}
		tokens = append(tokens, text)
	}
	return tokens, nil
}
