package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"testing"
)

// vault knows the secrets of a test: texts that a server is given and shows nowhere.
// Owner: the test.
type vault struct {
	t    *testing.T
	kept map[string]string // by what they are
}

// plant makes a secret up.
func (v *vault) plant(what string) string { return v.keep(what, rand.Text()) }

// keep makes text a secret.
func (v *vault) keep(what, text string) string {
	v.t.Helper()
	if len(text) < 2*pieceBytes {
		v.t.Fatalf("%s: wants %d bytes, got %d", what, 2*pieceBytes, len(text))
	}
	if v.kept == nil {
		v.kept = make(map[string]string)
	}
	v.kept[what] = text
	return text
}

// pieceBytes is how much of a secret tells it: a log cuts long texts at their end or their middle.
const pieceBytes = 12

// search fails the test for each secret in text, but those that are allowed there.
func (v *vault) search(where, text string, allowed ...string) {
	v.t.Helper()
	for _, what := range slices.Sorted(maps.Keys(v.kept)) {
		if slices.Contains(allowed, what) {
			continue
		}
		for _, piece := range pieces(v.kept[what]) {
			if at := strings.Index(text, piece); at >= 0 {
				v.t.Errorf("%s is in %s: ..%q..", what, where, text[max(0, at-60):min(len(text), at+60)])
				break
			}
		}
	}
}

// holds fails the test unless the secret is in text, so that a search there has something to find.
func (v *vault) holds(where, text, what string) {
	v.t.Helper()
	if !strings.Contains(text, v.kept[what]) {
		v.t.Errorf("%s is not in %s", what, where)
	}
}

// pieces are the texts by which a secret is found, also where it is encoded.
func pieces(secret string) []string {
	head, tail := secret[:pieceBytes], secret[len(secret)-pieceBytes:]
	all := []string{head, tail}
	for _, part := range []string{head, tail} {
		all = append(all, hex.EncodeToString([]byte(part)))
		// Three bytes are four characters, wherever in a longer text they begin.
		for skip := range 3 {
			all = append(all, base64.StdEncoding.EncodeToString([]byte(part[skip:skip+9])))
		}
	}
	return all
}

// A search that finds nothing anywhere would pass as well.
func TestVaultFinds(t *testing.T) {
	t.Parallel()
	secret := rand.Text()
	for _, shown := range []string{
		secret, "x" + secret[:pieceBytes] + "..", secret[len(secret)-pieceBytes:], hex.EncodeToString([]byte(secret)),
		base64.StdEncoding.EncodeToString([]byte("a" + secret)), base64.StdEncoding.EncodeToString([]byte("ab:" + secret)),
		base64.StdEncoding.EncodeToString([]byte("user:p:" + secret)),
	} {
		if !slices.ContainsFunc(pieces(secret), func(piece string) bool { return strings.Contains(shown, piece) }) {
			t.Errorf("%s is not found in %s", secret, shown)
		}
	}
	if slices.ContainsFunc(pieces(secret), func(piece string) bool { return strings.Contains(rand.Text(), piece) }) {
		t.Error("found where it is not")
	}
}
