package token

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Grant is what a new token says.
type Grant struct {
	User                           string
	Join, Publish, Members, Groups []string
	Issuer                         string // "": none
	Audience                       string // "": none
	TTL                            time.Duration
}

// Sign makes a token, signed with the secret or the first private key in a file. It is for
// trying things out: backends have libraries for that.
func Sign(path string, g Grant, now time.Time) (string, error) {
	algorithm, k, err := signer(path)
	if err != nil {
		return "", fmt.Errorf("token keys %s: %w", path, err)
	}
	m := jwt.MapClaims{"sub": g.User, "iat": now.Unix(), "exp": now.Add(g.TTL).Unix()}
	for name, list := range map[string][]string{
		"join": g.Join, "publish": g.Publish, "members": g.Members, "groups": g.Groups,
	} {
		if len(list) > 0 {
			m[name] = list
		}
	}
	if g.Issuer != "" {
		m["iss"] = g.Issuer
	}
	if g.Audience != "" {
		m["aud"] = g.Audience
	}
	return jwt.NewWithClaims(jwt.GetSigningMethod(algorithm), m).SignedString(k)
}
