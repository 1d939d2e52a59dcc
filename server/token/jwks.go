package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
)

// isObject reports whether data looks like a JSON object, which no secret should.
func isObject(data []byte) bool {
	data = bytes.TrimSpace(data)
	return len(data) > 1 && data[0] == '{' && data[len(data)-1] == '}'
}

// noKeysError says that a key set is one, and has no key that can be used here: its issuer has
// withdrawn those that it had before.
type noKeysError struct {
	listed int   // keys that are in it
	first  error // what is wrong with the first; nil: none is in it
}

func (e *noKeysError) Error() string {
	if e.listed == 0 {
		return "wants a key that can be used, got a set without keys"
	}
	return fmt.Sprintf("wants a key that can be used, got none in %d; the first: %v", e.listed, e.first)
}

// parseJWKS reads a JSON Web Key set (RFC 7517). Keys that cannot be used here are left out;
// without any that can the error is a *noKeysError. secrets says whether symmetric keys count,
// which an issuer that publishes one has published by mistake.
func parseJWKS(data []byte, secrets bool) ([]key, error) {
	// By its exact name, and there: what has no keys is a mistake, and no set of none.
	var set map[string]json.RawMessage
	var list []json.RawMessage
	if json.Unmarshal(data, &set) != nil || json.Unmarshal(set["keys"], &list) != nil || list == nil {
		return nil, errors.New(`wants a JSON Web Key set: {"keys":[..]}`)
	}
	if len(list) > MaxKeys {
		return nil, fmt.Errorf("wants a key set of %d keys at most, got %d", MaxKeys, len(list))
	}
	var keys []key
	var first error
	for _, raw := range list {
		k, err := parseJWK(raw, secrets)
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, &noKeysError{len(list), first}
	}
	return keys, nil
}

func parseJWK(raw json.RawMessage, secrets bool) (key, error) {
	var m jwkset.JWKMarshal
	if err := json.Unmarshal(raw, &m); err != nil {
		return key{}, errors.New("is no JSON Web Key")
	}
	switch {
	case m.KTY == jwkset.KtyOct && !secrets:
		return key{}, errors.New("is a secret, which nobody publishes")
	case m.USE != "" && m.USE != jwkset.UseSig, !forSignatures(m.KEYOPS):
		return key{}, errors.New("is not for signatures")
	}
	// A certificate beside the key is not looked at, and nothing that it names is fetched.
	m.X5C, m.X5T, m.X5TS256, m.X5U = nil, "", "", ""
	j, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{Private: m.KTY == jwkset.KtyOct},
		jwkset.JWKValidateOptions{})
	if err != nil {
		return key{}, errors.New("is no key that is understood") // jwkset's texts repeat what they found
	}
	k, err := newKey(m.KID, j.Key())
	if err == nil && m.ALG != "" && string(m.ALG) != k.algorithm {
		err = fmt.Errorf("is for another algorithm than %s", k.algorithm)
	}
	return k, err
}

// forSignatures reports whether a key for these operations checks them; without any it is for all.
// A secret that signs checks as well.
func forSignatures(operations []jwkset.KEYOPS) bool {
	return len(operations) == 0 || slices.Contains(operations, jwkset.KeyOpsVerify) ||
		slices.Contains(operations, jwkset.KeyOpsSign)
}
