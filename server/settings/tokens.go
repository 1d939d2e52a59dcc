package settings

import (
	"slices"
	"strconv"
	"strings"

	"groupcast/loop/pattern"
	tokens "groupcast/server/token"
)

// What the settings of tokens may be.

func notBlank(text string, _ []string) *wrong {
	if strings.TrimSpace(text) == "" {
		return &wrong{"a value", strconv.Quote(text)}
	}
	return nil
}

// keySource is a file or the address of a key server.
func keySource(text string, before []string) *wrong {
	if w := notBlank(text, before); w != nil {
		return w
	}
	if err := tokens.CheckSource(text); err != nil {
		// The address may have a password in it.
		return &wrong{strings.TrimPrefix(err.Error(), "wants "), "another"}
	}
	return nil
}

func issuerSource(text string, before []string) *wrong {
	iss, source, ok := strings.Cut(text, "=")
	if !ok || iss == "" || source == "" {
		return &wrong{"ISSUER=FILE or ISSUER=URL", strconv.Quote(tokens.ShownSource(text))}
	}
	return keySource(source, before)
}

// shownIssuer is ISSUER=SOURCE without what is secret in an address.
func shownIssuer(text string) string {
	iss, source, _ := strings.Cut(text, "=")
	return iss + "=" + tokens.ShownSource(source)
}

// addressed is a setting whose values may be addresses with a secret in them.
func addressed(v value, shown func(string) string) value {
	v.shown = shown
	return v
}

// grantPattern is one of a set of patterns, or none, which stands alone.
func grantPattern(text string, before []string) *wrong {
	if len(before) > 0 && (text == None || slices.Contains(before, None)) {
		return &wrong{None + " alone", strconv.Quote(strings.Join(append(before, text), ","))}
	}
	if _, err := pattern.Parse(append(slices.Clone(before), text), ""); err != nil {
		_, why, _ := strings.Cut(err.Error(), "wants ")
		return &wrong{why, strconv.Quote(text)}
	}
	return nil
}

// Patterns are the groups that a setting names.
func Patterns(list []string) pattern.Set {
	if slices.Equal(list, []string{None}) {
		return pattern.Set{}
	}
	set, err := pattern.Parse(list, "")
	if err != nil {
		return pattern.Set{} // it has been checked
	}
	return set
}

// Tokens is where the keys of tokens are, and what is wanted of a token.
func (o *Options) Tokens() tokens.Options {
	return tokens.Options{
		KeyFiles: o.TokenKeyFiles, JWKS: o.TokenJWKS, Issuers: o.TokenIssuers,
		Audience: o.TokenAudience, MaxBytes: o.TokenMaxBytes,
		MaxGroupBytes: o.MaxGroupBytes, MaxGroups: o.MaxGroupsPerSession,
	}
}
