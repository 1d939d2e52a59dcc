package dashboard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(t *testing.T, method, path string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	r.Header = header
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w
}

// TestFiles: each is there with its type and its tag, and everything the page
// refers to is one of them.
func TestFiles(t *testing.T) {
	for path, want := range map[string]string{
		"/": "text/html; charset=utf-8", "/index.html": "text/html; charset=utf-8", "/style.css": "text/css; charset=utf-8",
		"/app.js": "text/javascript; charset=utf-8", "/chart.js": "text/javascript; charset=utf-8", "/demo.js": "text/javascript; charset=utf-8",
		"/format.js": "text/javascript; charset=utf-8", "/icon.svg": "image/svg+xml",
	} {
		r := get(t, "GET", path, nil)
		body := r.Body.String()
		if r.Code != 200 || r.Header().Get("Content-Type") != want || len(body) == 0 {
			t.Errorf("%s: %d, %s, %d bytes", path, r.Code, r.Header().Get("Content-Type"), len(body))
		}
		for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "ETag"} {
			if r.Header().Get(name) == "" {
				t.Errorf("%s has no %s", path, name)
			}
		}
		if strings.Contains(body, "://") && path != "/icon.svg" && path != "/chart.js" && path != "/demo.js" {
			t.Errorf("%s names an address", path)
		}
		again := get(t, "GET", path, http.Header{"If-None-Match": {r.Header().Get("ETag")}})
		if again.Code != 304 {
			t.Errorf("%s again: %d", path, again.Code)
		}
		if head := get(t, "HEAD", path, nil); head.Code != 200 {
			t.Errorf("HEAD of %s: %d", path, head.Code)
		}
	}
	for _, path := range []string{"/files/app.js", "/app.js/", "/nothing", "/../page.go", "//app.js"} {
		if r := get(t, "GET", path, nil); r.Code != 404 {
			t.Errorf("%s: %d", path, r.Code)
		}
	}
	if r := get(t, "POST", "/", nil); r.Code != 405 || r.Header().Get("Allow") == "" {
		t.Errorf("POST: %d", r.Code)
	}
}

// TestPolicy: WebSockets only to the page's own host, and nothing that a Host
// header says gets into the policy unless it is a name.
func TestPolicy(t *testing.T) {
	for host, want := range map[string]string{
		"127.0.0.1:1235":       "connect-src 'self' ws://127.0.0.1:* wss://127.0.0.1:*;",
		"push.example.org":     "connect-src 'self' ws://push.example.org:* wss://push.example.org:*;",
		"[::1]:1235":           "connect-src 'self' ws: wss:;",
		"x; script-src *":      "connect-src 'self' ws: wss:;",
		"x' 'unsafe-inline'":   "connect-src 'self' ws: wss:;",
		"a b":                  "connect-src 'self' ws: wss:;",
		"-":                    "connect-src 'self' ws: wss:;",
		"":                     "connect-src 'self' ws: wss:;",
		"evil.example\r\nX: y": "connect-src 'self' ws: wss:;",
	} {
		if got := policy(host); !strings.Contains(got, want) || strings.Count(got, "script-src") != 1 {
			t.Errorf("%q: %s", host, got)
		}
	}
}
