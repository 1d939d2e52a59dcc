package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"time"
)

//go:embed files
var files embed.FS

// prefix is where everything but the page itself is found.
const prefix = "/page/"

// file is one of the page's files as it is served.
type file struct {
	content []byte
	mime    string
	tag     string // quoted, as in ETag
}

// mimes are fixed here, since the machine's own table may say something else.
var mimes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// Handler serves the page at / and its files below /page/, to GET and HEAD; all
// else is 404 or 405. It holds nothing secret and asks for no token.
func Handler() http.Handler {
	entries, err := files.ReadDir("files")
	if err != nil {
		panic("page: " + err.Error()) // embedded: not without the directory
	}
	served := make(map[string]file, len(entries))
	for _, entry := range entries {
		name := entry.Name()
		content, err := files.ReadFile("files/" + name)
		mime, known := mimes[path.Ext(name)]
		if err != nil || !known {
			panic("page: cannot serve " + name)
		}
		sum := sha256.Sum256(content)
		f := file{content, mime, `"` + hex.EncodeToString(sum[:12]) + `"`}
		if name == "index.html" {
			served["/"] = f
		} else {
			served[prefix+name] = f
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, found := served[r.URL.Path]
		if !found {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "GET, HEAD", http.StatusMethodNotAllowed)
			return
		}
		h.Set("Content-Type", f.mime)
		h.Set("ETag", f.tag)
		h.Set("Cache-Control", "no-cache") // keep it, but ask whether it is still the same
		h.Set("Content-Security-Policy", policy(r.Host))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
	})
}

// policy is the Content-Security-Policy of a page that was asked of host, a Host
// header.
func policy(host string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'" +
		webSocketSources(host) +
		"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; " +
		"trusted-types 'none'"
}

// webSocketSources lets the page open WebSockets to host, at any port: 'self'
// stands for the API's port only. See doc.go.
func webSocketSources(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if bare := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"); strings.Contains(bare, ":") {
		if _, err := netip.ParseAddr(bare); err == nil {
			return " ws: wss:"
		}
	}
	if !isHostName(host) {
		return ""
	}
	return " ws://" + host + ":* wss://" + host + ":*"
}

// maxHostName is DNS's own limit, in bytes.
const maxHostName = 253

// isHostName accepts what can stand in a policy: net/http lets more through in a
// Host header, a semicolon for one.
func isHostName(host string) bool {
	for _, c := range []byte(host) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return host != "" && len(host) <= maxHostName
}
