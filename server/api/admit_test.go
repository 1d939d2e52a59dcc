package api

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
)

const token, other = "a-token-of-some-length", "another-token-of-length"

func TestTokens(t *testing.T) {
	a := fakeAPI(t, &fake{}, func(o *Options) { o.Tokens = []string{token, other} })
	h := a.Handler(true)
	status := func(headers ...string) *answer {
		t.Helper()
		return ask(t, h, request("GET", "/v1/status", "", headers...))
	}
	for _, header := range []string{"Bearer " + token, "Bearer " + other, "bearer " + token, "BEARER  " + token} {
		status("Authorization: " + header).want(200)
	}
	failures := uint64(0)
	for _, header := range []string{
		"", "Bearer", "Bearer ", "Bearer " + token[1:], "Bearer " + token + "x", "Bearer " + strings.ToUpper(token),
		"Basic " + token, token,
		"Bearer " + token + " " + other, "Bearer " + token + "," + other, "Bearer " + strings.Repeat("x", 10<<10),
	} {
		got := status("Authorization: "+header).wantCode(401, codeUnauthorized)
		if challenge := got.header.Get("WWW-Authenticate"); !strings.HasPrefix(challenge, "Bearer ") ||
			strings.Contains(challenge, "invalid_token") != (header != "") {
			t.Errorf("%.30q: WWW-Authenticate %q", header, challenge)
		}
		failures++
	}
	status("Authorization: Bearer "+token, "Authorization: Bearer "+other).wantCode(401, codeUnauthorized)
	if s := a.Stats(); s.AuthFailures.Load() != failures+1 {
		t.Errorf("counted %d failures, want %d", s.AuthFailures.Load(), failures+1)
	}
	// Whoever has a token is no page of another site, whatever Host it used.
	status("Authorization: Bearer "+token, "Host: groupcast.example", "Origin: https://elsewhere.example").want(200)

	if err := a.SetTokens([]string{other}); err != nil || !a.HasTokens() {
		t.Fatal(err)
	}
	status("Authorization: Bearer "+token).wantCode(401, codeUnauthorized)
	status("Authorization: Bearer " + other).want(200)
	if err := a.SetTokens([]string{token, "not a token"}); err == nil || strings.Contains(err.Error(), "not a") {
		t.Errorf("got %v", err)
	}
	status("Authorization: Bearer " + other).want(200) // the old ones stay
	if err := a.SetTokens(nil); err != nil || a.HasTokens() {
		t.Fatal(err)
	}
	status("Authorization: Bearer "+other).wantCode(401, codeUnauthorized)
	status("Authorization: Bearer ").wantCode(401, codeUnauthorized)
	if err := a.SetTokens(make([]string, MaxTokens+1)); err == nil {
		t.Error("too many tokens were taken")
	}
}

// Everything wants a token but what says nothing about the server.
func TestWhatIsPublic(t *testing.T) {
	a := fakeAPI(t, &fake{}, func(o *Options) {
		o.Page = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		o.Metrics = o.Page
		o.Tokens = []string{token}
	})
	public := map[string]bool{"GET /healthz": true, "GET /readyz": true, "GET /openapi.json": true}
	for pattern := range a.operations {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.NewReplacer("{group}", "g", "{session}", "0-1-1").Replace(path)
		got := ask(t, a.Handler(true), request(method, path, "x"))
		if (got.status != 401) != public[pattern] {
			t.Errorf("%s without a token: %d", pattern, got.status)
		}
	}
	ask(t, a.Handler(true), request("GET", "/", "")).want(200)
	ask(t, a.Handler(false), request("GET", "/v1/status", "")).want(200)
}

// Another site's page in a browser on this machine must not get through; the
// dashboard, curl and programs must.
func TestCrossSite(t *testing.T) {
	a := fakeAPI(t, &fake{}, func(o *Options) {
		o.AllowedHosts = []string{"Push.Example."}
		o.Page = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	})
	h := a.Handler(false)
	refused := uint64(0)
	for name, test := range map[string]struct {
		method, path string
		headers      []string
		code         string
	}{
		"curl":                    {"POST", "/v1/groups/g/messages", nil, ""},
		"curl, localhost":         {"POST", "/v1/groups/g/messages", []string{"Host: localhost:1235"}, ""},
		"curl, a capital":         {"POST", "/v1/groups/g/messages", []string{"Host: LocalHost."}, ""},
		"curl, IPv6":              {"POST", "/v1/groups/g/messages", []string{"Host: [::1]:1235"}, ""},
		"curl, IPv6 without port": {"POST", "/v1/groups/g/messages", []string{"Host: [::1]"}, ""},
		"curl, another address":   {"POST", "/v1/groups/g/messages", []string{"Host: 192.0.2.1:80"}, ""},
		"a name that was allowed": {"POST", "/v1/groups/g/messages", []string{"Host: push.example:8080"}, ""},
		"the dashboard": {
			"POST", "/v1/groups/g/messages",
			[]string{"Origin: http://127.0.0.1:1235", "Sec-Fetch-Site: same-origin"},
			"",
		},
		"the dashboard, old browser": {"POST", "/v1/groups/g/messages", []string{"Origin: http://127.0.0.1:1235"}, ""},
		"typed into the address bar": {"GET", "/v1/status", []string{"Sec-Fetch-Site: none"}, ""},
		// its page cannot read it
		"a link from elsewhere": {"GET", "/v1/status", []string{"Sec-Fetch-Site: cross-site"}, ""},
		"another site": {
			"POST", "/v1/groups/g/messages",
			[]string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"},
			codeCrossSite,
		},
		"another site, old browser": {
			"POST", "/v1/groups/g/messages",
			[]string{"Origin: https://evil.example"},
			codeCrossSite,
		},
		"another port": {
			"POST", "/v1/publish",
			[]string{"Origin: http://127.0.0.1:3000", "Sec-Fetch-Site: same-site"},
			codeCrossSite,
		},
		"a sandboxed page": {"POST", "/v1/publish", []string{"Origin: null"}, codeCrossSite},
		"a form": {
			"POST", "/v1/groups/g/messages",
			[]string{"Origin: https://evil.example", "Content-Type: text/plain", "Sec-Fetch-Site: cross-site"},
			codeCrossSite,
		},
		"delete from elsewhere": {"DELETE", "/v1/groups/g", []string{"Sec-Fetch-Site: cross-site"}, codeCrossSite},
		"DNS rebinding, read": {
			"GET", "/v1/sessions",
			[]string{"Host: evil.example:1235", "Sec-Fetch-Site: same-origin"},
			codeWrongHost,
		},
		"DNS rebinding, write": {
			"POST", "/v1/groups/g/messages",
			[]string{"Host: evil.example", "Origin: http://evil.example", "Sec-Fetch-Site: same-origin"},
			codeWrongHost,
		},
		"a name like an address": {"GET", "/v1/status", []string{"Host: 127.0.0.1.evil.example"}, codeWrongHost},
		"a name like localhost":  {"GET", "/v1/status", []string{"Host: localhost.evil.example"}, codeWrongHost},
		"an odd host":            {"GET", "/v1/status", []string{"Host: localhost:1:2"}, codeWrongHost},
		"metrics, rebound":       {"GET", "/metrics", []string{"Host: evil.example"}, codeWrongHost},
		"health for a probe":     {"GET", "/healthz", []string{"Host: pod.cluster.example"}, ""},
		"the page's files":       {"GET", "/", []string{"Host: evil.example", "Sec-Fetch-Site: cross-site"}, ""},
	} {
		got := ask(t, h, request(test.method, test.path, "x", test.headers...))
		switch {
		case test.code != "":
			got.wantCode(403, test.code)
			refused++
		case got.status >= 400:
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if cors := got.header.Get("Access-Control-Allow-Origin"); cors != "" {
			t.Errorf("%s: other sites are let in: %q", name, cors)
		}
	}
	if s := a.Stats(); s.CrossSite.Load() != refused {
		t.Errorf("counted %d, want %d", s.CrossSite.Load(), refused)
	}
	// A browser cannot reach a unix socket, and programs put anything into Host there.
	r := request("GET", "/v1/status", "", "Host: groupcast")
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "/s", Net: "unix"}))
	ask(t, h, r).want(200)
}

func TestCheckBind(t *testing.T) {
	for addr, fine := range map[string]bool{
		"127.0.0.1:1235":          true,
		"127.1.2.3:0":             true,
		"[::1]:1235":              true,
		"localhost:1235":          true,
		"LOCALHOST:1235":          true,
		"[::ffff:127.0.0.1]:1235": true,
		"unix:/run/s":             true,
		":1235":                   false,
		"0.0.0.0:1235":            false,
		"[::]:1235":               false,
		"192.0.2.1:1235":          false,
		"[fe80::1%lo]:1235":       false,
		"groupcast.example:1235":  false,
		"1235":                    false,
		"":                        false,
	} {
		if err := CheckBind(addr, false); (err == nil) != fine {
			t.Errorf("%q without a token: %v", addr, err)
		}
		if err := CheckBind(addr, true); err != nil {
			t.Errorf("%q with a token: %v", addr, err)
		}
	}
	if err := CheckBind(":1235", false); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("the error does not help: %v", err)
	}
}
