package token

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"groupcast/loop"
	"groupcast/loop/pattern"
)

const (
	// MaxUserBytes bounds sub.
	MaxUserBytes = loop.MaxUserBytes
	// lastSecond is the end of the year 9999: what is later is a mistake (milliseconds).
	lastSecond = 253402300799
)

// claims are a token's, by their exact names; a name that comes twice has its last value.
// Until the signature holds nothing but iss is asked for.
type claims map[string]json.RawMessage

// UnmarshalJSON takes them apart. Their values are looked at later.
func (c *claims) UnmarshalJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("wants UTF-8")
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(data, &m); err != nil {
		return errors.New("wants a JSON object")
	}
	*c = m
	return nil
}

// The claims that golang-jwt checks: exp, nbf and aud. iss chose the keys.

// GetExpirationTime is exp.
func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.date("exp") }

// GetNotBefore is nbf.
func (c *claims) GetNotBefore() (*jwt.NumericDate, error) { return c.date("nbf") }

// GetIssuedAt is iat, which nothing depends on.
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error) { return nil, nil }

// GetAudience is aud: a text or a list of them.
func (c *claims) GetAudience() (jwt.ClaimStrings, error) {
	raw := (*c)["aud"]
	if len(raw) > 0 && raw[0] == '[' {
		list, err := c.list("aud")
		if err != nil {
			return nil, err
		}
		return list, nil
	}
	one, err := c.text("aud")
	if err != nil || one == "" {
		return nil, orNil(err)
	}
	return jwt.ClaimStrings{one}, nil
}

// GetIssuer is iss.
func (c *claims) GetIssuer() (string, error) {
	iss, err := c.text("iss")
	return iss, orNil(err)
}

// GetSubject is sub.
func (c *claims) GetSubject() (string, error) {
	sub, err := c.text("sub")
	return sub, orNil(err)
}

// orNil keeps a nil *RefusedError from being an error.
func orNil(f *RefusedError) error {
	if f == nil {
		return nil
	}
	return f
}

// date is a claim in seconds since 1970, fractions cut off; nil: there is none.
func (c *claims) date(name string) (*jwt.NumericDate, error) {
	raw, ok := (*c)[name]
	if !ok {
		return nil, nil
	}
	var seconds float64
	if c := raw[0]; c != '-' && (c < '0' || c > '9') || json.Unmarshal(raw, &seconds) != nil {
		return nil, claimRefused(name, "wants a number of seconds, got %s", kindOf(raw))
	}
	if seconds < 0 || seconds > lastSecond {
		return nil, claimRefused(name, "wants seconds since 1970, up to the year 9999")
	}
	return jwt.NewNumericDate(time.Unix(int64(math.Floor(seconds)), 0)), nil
}

// text is a claim that is a text; "": there is none.
func (c *claims) text(name string) (string, *RefusedError) {
	raw, ok := (*c)[name]
	if !ok {
		return "", nil
	}
	var s string
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", claimRefused(name, "wants a text, got %s", kindOf(raw))
	}
	return s, nil
}

// list is a claim that is a list of texts; nil: there is none.
func (c *claims) list(name string) ([]string, *RefusedError) {
	raw, ok := (*c)[name]
	if !ok {
		return nil, nil
	}
	var values []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &values) != nil {
		return nil, claimRefused(name, "wants a list of texts, got %s", kindOf(raw))
	}
	if len(values) > pattern.MaxPatterns {
		return nil, claimRefused(name, "wants a list of %d texts at most, got %d", pattern.MaxPatterns, len(values))
	}
	list := make([]string, len(values))
	for i, v := range values {
		if v[0] != '"' || json.Unmarshal(v, &list[i]) != nil {
			return nil, claimRefused(name, "wants a list of texts, got %s in it", kindOf(v))
		}
	}
	return list, nil
}

// kindOf says what a JSON value is, and nothing of it.
func kindOf(raw json.RawMessage) string {
	switch raw[0] {
	case '"':
		return "a text"
	case '[':
		return "a list"
	case '{':
		return "an object"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

// identity is what the claims of a token mean whose signature holds.
func (c *claims) identity(o *Options, shared *identities) (*loop.Identity, *RefusedError) {
	user, failure := c.user()
	if failure != nil {
		return nil, failure
	}
	exp, err := c.GetExpirationTime()
	if err != nil || exp == nil {
		return nil, claimRefused("exp", "wants a number of seconds, got none")
	}
	g := loop.Grants{}
	if g.Join, failure = c.patterns("join", user); failure != nil {
		return nil, failure
	}
	if g.Publish, failure = c.patterns("publish", user); failure != nil {
		return nil, failure
	}
	if g.Members, failure = c.patterns("members", user); failure != nil {
		return nil, failure
	}
	if g.Groups, failure = c.groups(user, o); failure != nil {
		return nil, failure
	}
	// A session that is put into a group may go there: also again, after it has left.
	g.Join = g.Join.With(g.Groups)
	return shared.of(user, exp.Unix(), &g), nil
}

func (c *claims) user() (string, *RefusedError) {
	sub, failure := c.text("sub")
	switch {
	case failure != nil:
		return "", failure
	case sub == "":
		return "", claimRefused("sub", "wants the user's name, got none")
	case len(sub) > MaxUserBytes:
		return "", claimRefused("sub", "wants %d bytes at most, got %d", MaxUserBytes, len(sub))
	case strings.ContainsFunc(sub, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }):
		return "", claimRefused("sub", "wants printable characters, got others in it")
	}
	return sub, nil
}

func (c *claims) patterns(name, user string) (pattern.Set, *RefusedError) {
	list, failure := c.list(name)
	if failure != nil {
		return pattern.Set{}, failure
	}
	set, err := pattern.Parse(list, user)
	if err != nil {
		return pattern.Set{}, claimRefused(name, "%v", err)
	}
	return set, nil
}

// groups are the names in that claim. What no connection could be in is refused: a token
// whose groups are joined in part would look like one that is good.
func (c *claims) groups(user string, o *Options) ([]string, *RefusedError) {
	list, failure := c.list("groups")
	if failure != nil {
		return nil, failure
	}
	for i, name := range list {
		if strings.Contains(name, "*") {
			return nil, claimRefused("groups", `wants names, got a pattern with a "*" as number %d`, i+1)
		}
		filled, err := pattern.Fill(name, user)
		if n := len(filled); err == nil && (n == 0 || n > o.MaxGroupBytes) {
			err = fmt.Errorf("wants 1 to %d bytes, got %d", o.MaxGroupBytes, n)
		}
		if err != nil {
			return nil, claimRefused("groups", "name %d: %v", i+1, err)
		}
		list[i] = filled
	}
	if n := len(slices.Compact(slices.Sorted(slices.Values(list)))); n > o.MaxGroups {
		return nil, claimRefused("groups", "wants %d names at most, as many groups as a connection may be in, got %d",
			o.MaxGroups, n)
	}
	return list, nil
}

// identities are those that somebody has.
type identities struct {
	whole  *interned[[sha256.Size]byte, loop.Identity]
	grants *interned[[sha256.Size]byte, loop.Grants]
}

func newIdentities() *identities {
	return &identities{newInterned[[sha256.Size]byte, loop.Identity](), newInterned[[sha256.Size]byte, loop.Grants]()}
}

// of is the one identity of these, with the one grants of its kind.
func (i *identities) of(user string, expires int64, g *loop.Grants) *loop.Identity {
	key := g.Join.AppendKey(nil)
	key = g.Publish.AppendKey(key)
	key = g.Members.AppendKey(key)
	for _, name := range g.Groups {
		key = fmt.Appendf(key, "%d:%s", len(name), name)
	}
	sum := sha256.Sum256(key)
	g = i.grants.get(sum, g)
	key = fmt.Appendf(bytes.Clone(sum[:]), "%d:%s", expires, user)
	return i.whole.get(sha256.Sum256(key), &loop.Identity{User: user, Expires: expires, Grants: g})
}
