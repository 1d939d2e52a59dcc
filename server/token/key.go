package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
)

// The algorithms. A key's kind decides which one it is for.
const (
	hs256 = "HS256"
	rs256 = "RS256"
	es256 = "ES256"
	edDSA = "EdDSA"
)

var algorithms = []string{hs256, rs256, es256, edDSA}

// Limits of keys.
const (
	// MinSecretBytes is what HS256 wants (RFC 7518, 3.2).
	MinSecretBytes = 32
	MaxSecretBytes = 4096
	// RSA: a shorter key is no protection, a longer one costs milliseconds a check.
	minRSABits = 2048
	maxRSABits = 8192
)

// key is what tokens of one algorithm are checked with. It is a value and never changes.
type key struct {
	algorithm string
	kid       string // "": any
	verify    any    // what golang-jwt takes for that algorithm
}

// newKey is a key made of a public or private one, or of a secret.
func newKey(kid string, k any) (key, error) {
	if private, ok := k.(interface{ Public() crypto.PublicKey }); ok {
		k = private.Public()
	}
	switch k := k.(type) {
	case []byte:
		if len(k) < MinSecretBytes || len(k) > MaxSecretBytes {
			return key{}, fmt.Errorf("wants a secret of %d to %d bytes, got %d", MinSecretBytes, MaxSecretBytes, len(k))
		}
		return key{hs256, kid, k}, nil
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return key{}, fmt.Errorf("wants an RSA key of %d to %d bits, got %d", minRSABits, maxRSABits, bits)
		}
		return key{rs256, kid, k}, nil
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return key{}, fmt.Errorf("wants an elliptic curve key on P-256, got %s", k.Curve.Params().Name)
		}
		return key{es256, kid, k}, nil
	case ed25519.PublicKey:
		return key{edDSA, kid, k}, nil
	}
	return key{}, errors.New("wants a secret, or a key of RSA, P-256 or Ed25519")
}
