package door

import (
	"strings"
	"testing"
)

func TestOrigins(t *testing.T) {
	for _, c := range []struct {
		rules   string // by spaces
		allowed []string
		refused []string
	}{
		{
			"", []string{"", "https://evil.test", "null", "garbage"}, nil,
		},
		{
			"*", []string{"", "https://evil.test", "null"}, nil,
		},
		{
			"none", []string{""}, []string{"null", "https://app.example.org", "none"},
		},
		{
			"https://app.example.org",
			[]string{
				"https://app.example.org", "https://app.example.org:443", "HTTPS://App.Example.ORG",
			},
			[]string{
				"", "null", "Null", "*", "https://", "https://*", "://app.example.org", "app.example.org",
				"http://app.example.org", "http://app.example.org:443", "https://app.example.org:8443",
				"https://app.example.org:80", "https://app.example.org:0443", "https://app.example.org:",
				"https://app.example.org:x",
				"https://app.example.org:443:443", "https://app.example.org:65979", "wss://app.example.org",
				"https://app.example.org.", "https://app.example.org..", "https://.app.example.org", "https://app..example.org",
				"https://example.org", "https://www.app.example.org", "https://app.example.org.evil.test",
				"https://evil.test/app.example.org", "https://evil.test#app.example.org", "https://evil.test?app.example.org",
				"https://app.example.org/", "https://app.example.org/x", "https://app.example.org#", "https://app.example.org?",
				"https://user@app.example.org", "https://app.example.org@evil.test", "https://app.example.org:443@evil.test",
				`https://app.example.org\.evil.test`, `https:\\app.example.org`, "https:/app.example.org",
				"https:///app.example.org",
				" https://app.example.org", "https://app.example.org ", "https://app.example.org\t", "https://app.example.org\x00",
				"https://app.example.org, https://evil.test", "https://evil.test https://app.example.org",
				"https://app%2eexample.org", "https://аpp.example.org", "https://xn--pp-8cd.example.org", "https://app。example.org",
				"https://app.example.org%00.evil.test", "https://appxexample.org", "https://[app.example.org]",
				"https://ApP.exampLe.ﬁ", "https://app.example.org\n", "file://", "chrome-extension://abc", "none",
				"https://" + strings.Repeat("a", 64) + ".example.org", "https://" + strings.Repeat("a.", 10_000) + "example.org",
			},
		},
		{
			"https://*.example.org none",
			[]string{
				"", "https://a.example.org", "https://a.b.example.org", "https://A.EXAMPLE.ORG",
				"https://xn--bcher-kva.example.org",
			},
			[]string{
				"https://example.org", "https://.example.org", "https://aexample.org", "https://evil-example.org",
				"https://a.example.org.evil.test", "http://a.example.org", "https://a.example.org:8443", "https://*.example.org",
				"https://a..example.org", "https://evil.test/.example.org", "https://evil.test:443.example.org", "null",
				"https://[::1].example.org", "https://bücher.example.org",
			},
		},
		{
			"http://localhost:3000 http://[::1]:3000 http://127.0.0.1 https://*.example.org:8443 https://my_host " +
				"https://kk.test",
			[]string{
				"http://localhost:3000", "http://[::1]:3000", "http://127.0.0.1", "http://127.0.0.1:80",
				"https://a.example.org:8443", "https://my_host",
			},
			[]string{
				"http://localhost", "http://[::1]", "http://::1:3000", "http://127.0.0.1:3000", "http://127.1", "http://2130706433",
				"https://\u212ak.test", "https://a.example.org", "http://[::1%25lo]:3000", "http://[0:0:0:0:0:0:0:1",
				"http://localhost.:3000",
			},
		},
	} {
		o, err := ParseOrigins(strings.Fields(c.rules))
		if err != nil {
			t.Errorf("%q: %v", c.rules, err)
			continue
		}
		if o.All() != (c.refused == nil) {
			t.Errorf("%q: All is %v", c.rules, o.All())
		}
		for want, origins := range map[bool][]string{true: c.allowed, false: c.refused} {
			for _, origin := range origins {
				headers := []string{origin}
				if origin == "" {
					headers = nil
				}
				if got := o.Allow(headers); got != want {
					t.Errorf("%q: %q: %v", c.rules, origin, got)
				}
			}
		}
		// Two headers are what no browser sends.
		if len(c.allowed) > 1 && o.Allow([]string{c.allowed[1], c.allowed[1]}) != o.All() {
			t.Errorf("%q: two headers", c.rules)
		}
		if o.Allow([]string{""}) != o.All() {
			t.Errorf("%q: an empty header", c.rules)
		}
	}
}

func TestOriginRuleErrors(t *testing.T) {
	for _, rule := range []string{
		"null", "example.org", "https://", "https://*", "https://*.", "https://*.org", "https://a.*.example.org",
		"https://example.org/", "https://example.org/path", "https://user@example.org", "wss://example.org",
		"https://*example.org",
		"https://bücher.example.org", "https://example.org:0", "https://example.org:x", "https://example.org.", "None", "",
		"https://*.192.0.2.1", "https://*.*.example.org", "**",
	} {
		if o, err := ParseOrigins([]string{rule}); err == nil || !strings.Contains(err.Error(), "got") {
			t.Errorf("%q: %+v, %v", rule, o, err)
		}
	}
	if _, err := ParseOrigins([]string{"*", "https://example.org"}); err == nil ||
		!strings.Contains(err.Error(), "alone") {
		t.Errorf("a star and more: %v", err)
	}
}

// No text is allowed that a browser would not read as the allowed site.
func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{
		"https://app.example.org", "https://a.example.org:443", "null",
		"https://x@app.example.org",
	} {
		f.Add(seed)
	}
	o, err := ParseOrigins([]string{"https://app.example.org"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string) {
		want := strings.TrimSuffix(strings.ToLower(header), ":443") == "https://app.example.org"
		if got := o.Allow([]string{header}); got != want {
			t.Errorf("%q: %v", header, got)
		}
	})
}
