package protocol

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"regexp"
	"strings"
	"testing"
)

// TestWelcome: nothing runs in the page, nothing is loaded by it, its style is let in, and it
// names no address.
func TestWelcome(t *testing.T) {
	var h Handshaker
	response, res := h.Handshake([]byte("GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n"))
	r, page := checkResponse(t, response, "GET", res.Status)
	policy := r.Header.Get("Content-Security-Policy")
	style := regexp.MustCompile("(?s)<style>(.*)</style>").FindStringSubmatch(page)
	if len(style) != 2 {
		t.Fatal("no style, or several")
	}
	sum := sha256.Sum256([]byte(style[1]))
	if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "';"; !strings.Contains(policy, want) {
		t.Errorf("policy %q, want %s", policy, want)
	}
	if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "script-src") ||
		strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	if got := r.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	if found := regexp.MustCompile(`(?i)<script|<a |href=|src=|style=|\son[a-z]+=|[a-z]://|:\d{2,5}\b`).
		FindString(html.UnescapeString(page)); found != "" {
		t.Errorf("the page has %q", found)
	}
	if !strings.Contains(page, "allow pasting") || !strings.Contains(page, `id="snippet"`) {
		t.Error("no snippet, or no word on pasting")
	}
	if !strings.Contains(html.UnescapeString(page), "['groupcast.v1', 'token.' + token]") {
		t.Error("no word on tokens")
	}
}
