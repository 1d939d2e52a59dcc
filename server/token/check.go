package token

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"groupcast/loop"
)

// Check is who comes with this token. It may wait for a key server until ctx ends, and costs
// up to half a millisecond otherwise: it is never called on a loop. Before it waits it calls
// mayWait, if that is not nil, once: a token that nobody has signed can make it wait. The error
// is a *RefusedError.
func (c *Checker) Check(ctx context.Context, text string, mayWait func() bool) (*loop.Identity, error) {
	who, failure := c.check(waiter{ctx, c.life, mayWait, &c.counts.full}, text)
	if failure != nil {
		c.counts.refused[failure.Reason].Add(1)
		return nil, failure
	}
	c.counts.accepted.Add(1)
	return who, nil
}

func (c *Checker) check(w waiter, text string) (*loop.Identity, *RefusedError) {
	if len(text) > c.o.MaxBytes {
		return nil, &RefusedError{TooLarge, tooLarge(c.o.MaxBytes, len(text))}
	}
	// encoding/base64 passes over ends of lines.
	if strings.ContainsFunc(text, notInToken) {
		return nil, refused(Malformed)
	}
	var found claims
	t, err := c.parser.ParseWithClaims(text, &found, func(t *jwt.Token) (any, error) {
		keys, failure := c.keys(w, t.Header, &found)
		if failure != nil {
			return nil, failure
		}
		set := jwt.VerificationKeySet{}
		for _, k := range keys {
			set.Keys = append(set.Keys, k)
		}
		return set, nil
	})
	if err != nil {
		return nil, reasonOf(t, err)
	}
	return found.identity(&c.o, c.identities)
}

// notInToken reports whether a character is none of base64url, and no dot.
func notInToken(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

// keys are those that a token with this header may be signed with.
func (c *Checker) keys(w waiter, header map[string]any, found *claims) ([]any, *RefusedError) {
	if _, critical := header["crit"]; critical {
		return nil, &RefusedError{Malformed, "the token's header has crit, and nothing that it could name is understood here"}
	}
	algorithm, _ := header["alg"].(string)
	kid, isText := header["kid"].(string)
	if _, has := header["kid"]; has && !isText {
		return nil, &RefusedError{Malformed, "the token's kid wants a text"}
	}
	iss, failure := found.text("iss")
	if failure != nil {
		return nil, failure
	}
	ring := c.rings[iss]
	if ring == nil {
		ring = c.anyone
	}
	if ring == nil {
		return nil, refused(Issuer)
	}
	return ring.candidates(w, algorithm, kid)
}

// reasonOf is the RefusedError that golang-jwt's error means. Its text is not passed on: it
// repeats parts of tokens.
func reasonOf(t *jwt.Token, err error) *RefusedError {
	if own := (*RefusedError)(nil); errors.As(err, &own) {
		return own
	}
	for _, known := range []struct {
		err    error
		reason Reason
	}{
		{jwt.ErrTokenMalformed, Malformed},
		{jwt.ErrTokenExpired, Expired},
		{jwt.ErrTokenNotValidYet, NotYet},
		{jwt.ErrTokenInvalidAudience, Audience},
	} {
		if errors.Is(err, known.err) {
			return refused(known.reason)
		}
	}
	switch {
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return refused(Audience) // nothing else is required of golang-jwt
	case t == nil:
		return refused(Malformed)
	case t.Method == nil || !slices.Contains(algorithms, t.Method.Alg()):
		return refused(Algorithm)
	}
	return refused(Signature)
}
