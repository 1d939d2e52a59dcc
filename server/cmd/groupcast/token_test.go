package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"groupcast/server/token"
)

func TestToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("0123456789abcdef0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	call := func(args ...string) (code int, out, errs string) {
		var stdout, stderr strings.Builder
		code = run(append([]string{"token", "--token-key-file", path}, args...), &stdout, &stderr)
		return code, stdout.String(), stderr.String()
	}
	code, out, errs := call("--sub", "7", "--join", "room:*", "--join", "a,b", "--publish=x", "--members", "of:*",
		"--groups", "lobby", "--ttl", "2h", "--issuer", "me", "--audience", "push")
	if code != exitStopped || errs != "" {
		t.Fatalf("%d: %s", code, errs)
	}
	checker, err := token.New(token.Options{Issuers: []string{"me=" + path}, Audience: []string{"push"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer checker.Close()
	who, err := checker.Check(t.Context(), strings.TrimSuffix(out, "\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(time.Unix(who.Expires, 0)); who.User != "7" || left < time.Hour || left > 2*time.Hour ||
		!slices.Equal(who.Grants.Join.Strings(), []string{"a,b", "lobby", "room:*"}) ||
		!slices.Equal(who.Grants.Publish.Strings(), []string{"x"}) ||
		!slices.Equal(who.Grants.Members.Strings(), []string{"of:*"}) || !slices.Equal(who.Grants.Groups, []string{"lobby"}) {
		t.Errorf("got %+v %+v", who, who.Grants)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "missing flags: --sub"},
		{[]string{"--sub", "a\nb"}, "sub wants printable characters"},
		{[]string{"--sub", "7", "--join", "*a"}, "join pattern 1: wants a \"*\" only at its end"},
		{[]string{"--sub", "7", "--ttl", "0s"}, "--ttl: wants a second at least, got 0s"},
		{[]string{"--sub", "7", "--token-key-file", path + "x"}, "token keys " + path + "x: no such file"},
	} {
		if code, out, errs := call(c.args...); code != exitRefused || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%q: %d, %s%s; want %s", c.args, code, out, errs, c.want)
		}
	}
}
