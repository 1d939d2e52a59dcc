package page

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func ask(t *testing.T, method, target, host string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	r.Host = host
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w
}

func TestHandler(t *testing.T) {
	for name, c := range map[string]struct {
		method, target string
		status         int
		mime           string
	}{
		"the page":          {"GET", "/", 200, "text/html; charset=utf-8"},
		"its head":          {"HEAD", "/", 200, "text/html; charset=utf-8"},
		"a script":          {"GET", "/page/main.js", 200, "text/javascript; charset=utf-8"},
		"the style":         {"GET", "/page/style.css", 200, "text/css; charset=utf-8"},
		"the icon":          {"GET", "/page/icon.svg", 200, "image/svg+xml"},
		"nothing":           {"GET", "/page/nothing.js", 404, ""},
		"the directory":     {"GET", "/page/", 404, ""},
		"the page's source": {"GET", "/page/index.html", 404, ""},
		"outside":           {"GET", "/page/../page.go", 404, ""},
		"another method":    {"POST", "/", 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := ask(t, c.method, c.target, "127.0.0.1:1235")
			if r.Code != c.status || c.mime != "" && r.Header().Get("Content-Type") != c.mime {
				t.Errorf("%d as %q, want %d as %q", r.Code, r.Header().Get("Content-Type"), c.status, c.mime)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	for _, target := range []string{"/", "/page/main.js"} {
		h := ask(t, "GET", target, "127.0.0.1:1235").Header()
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff",
			"Referrer-Policy":        "no-referrer",
			"X-Frame-Options":        "DENY",
			"Cache-Control":          "no-cache",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s: %q, want %q", target, name, got, want)
			}
		}
		if p := h.Get("Content-Security-Policy"); !strings.Contains(p, "frame-ancestors 'none'") ||
			strings.Contains(p, "unsafe") {
			t.Errorf("%s: policy %q", target, p)
		}
		tag := h.Get("ETag")
		if !regexp.MustCompile(`^"[0-9a-f]{24}"$`).MatchString(tag) {
			t.Errorf("%s: tag %q", target, tag)
		}
		if r := ask(t, "GET", target, "127.0.0.1:1235", "If-None-Match", tag); r.Code != http.StatusNotModified {
			t.Errorf("%s: asked with its own tag: %d", target, r.Code)
		}
	}
}

// The policy names the host that the browser sees, and nothing that a strange
// Host header could slip in.
func TestPolicy(t *testing.T) {
	for host, want := range map[string]string{
		"127.0.0.1:1235":        "'self' ws://127.0.0.1:* wss://127.0.0.1:*",
		"localhost":             "'self' ws://localhost:* wss://localhost:*",
		"push.example.org:443":  "'self' ws://push.example.org:* wss://push.example.org:*",
		"[::1]:1235":            "'self' ws: wss:", // no word for it in a policy
		"[2001:db8::1]":         "'self' ws: wss:",
		"":                      "'self'",
		"*":                     "'self'",
		"*.example.org":         "'self'",
		"a; script-src *":       "'self'",
		"a,b":                   "'self'",
		"a b:1":                 "'self'",
		"[::1; script-src *]:1": "'self'",
		"a:b:c":                 "'self'",
		"bücher.example":        "'self'",

		strings.Repeat("a", 253): "'self' ws://" + strings.Repeat("a", 253) + ":* wss://" + strings.Repeat("a", 253) + ":*",
		strings.Repeat("a", 254): "'self'",
	} {
		_, after, _ := strings.Cut(policy(host), "connect-src ")
		got, rest, _ := strings.Cut(after, "; ")
		if got != want || !strings.HasPrefix(rest, "base-uri 'none'") {
			t.Errorf("%q: connect-src %q, then %q; want %q", host, got, rest, want)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	for _, host := range []string{"127.0.0.1:1235", "[::1%25a; b]:1", "a;b", "a\nb", ""} {
		f.Add(host)
	}
	want := strings.Count(policy(""), ";")
	f.Fuzz(func(t *testing.T, host string) {
		p := policy(host)
		if strings.Count(p, ";") != want || strings.ContainsAny(p, "\r\n,") || strings.Contains(p, " * ") {
			t.Errorf("%q: %q", host, p)
		}
	})
}

// What the page is made of comes from this server, and the policy would stop
// what is inline.
func TestNothingFromElsewhere(t *testing.T) {
	entries, err := files.ReadDir("files")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		content, err := files.ReadFile("files/" + entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(content), "http://www.w3.org/2000/svg", "")
		for what, pattern := range map[string]string{
			"an address elsewhere": `https?://|url\([^#]|@import`,
			"markup from text":     `innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function`,
			"an inline script":     `<script>|\son\w+="|javascript:`,
			"an inline style":      `\sstyle="|<style`,
		} {
			if found := regexp.MustCompile(pattern).FindString(text); found != "" {
				t.Errorf("%s has %s: %q", entry.Name(), what, found)
			}
		}
	}
}
