package token

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSign(t *testing.T) {
	g := Grant{
		User: "7", Join: []string{"room:*"}, Publish: []string{"room:1"}, Groups: []string{"lobby"},
		Issuer: "me", Audience: "push", TTL: time.Hour,
	}
	for _, algorithm := range algorithms {
		path := secretFile(t)
		if algorithm != hs256 {
			path = write(t, "key.pem", privatePEM(t, algorithm))
		}
		now := time.Now()
		text, err := Sign(path, g, now)
		if err != nil {
			t.Fatal(err)
		}
		who := accept(t, newChecker(t, Options{Issuers: []string{"me=" + path}, Audience: []string{"push"}}), text)
		if who.User != "7" || who.Expires != now.Add(time.Hour).Unix() || !slices.Equal(who.Grants.Groups, g.Groups) ||
			!slices.Equal(who.Grants.Join.Strings(), []string{"lobby", "room:*"}) ||
			!slices.Equal(who.Grants.Publish.Strings(), g.Publish) {
			t.Errorf("%s: %+v %+v", algorithm, who, who.Grants)
		}
	}
	_, err := Sign(write(t, "key.pem", publicPEM(t, es256)), g, time.Now())
	if err == nil || !strings.Contains(err.Error(), "wants a private key or a secret to sign with, got public keys only") {
		t.Error(err)
	}
}
