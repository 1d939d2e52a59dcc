// Package dashboard is the page on the API's port, for people who would rather
// look: live figures, a box to publish and a box to join a group and listen.
//
// It is plain HTML, CSS and JavaScript without a build step, embedded in the
// program, and asks nobody but the server that it came from: it works offline.
// It reads GET /v1/status once a second and publishes through the API, with the
// token if one is required; it needs no door of its own.
//
// # Decisions
//
// 2026-11-23: charts are small SVGs that the page draws itself. A plotting
// library would be many times the size of the page for four lines.
//
// 2026-11-23: the policy in Content-Security-Policy allows WebSockets to the host
// that the page came from, on any port: the listener is another port. An IPv6
// address cannot be written there; then any WebSocket is allowed.
package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
)

//go:embed files
var files embed.FS

// file is one of the page's files, ready to be sent.
type file struct {
	body        []byte
	contentType string
	etag        string
}

// contentTypes do not come from the machine's own tables, which may say anything.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// Handler serves the page at / and its files beside it; any other path is 404. It
// takes GET and HEAD.
func Handler() http.Handler {
	all := load()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := all[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Type", f.contentType)
		h.Set("ETag", f.etag)
		h.Set("Cache-Control", "no-cache") // ask each time, by the tag
		h.Set("Content-Security-Policy", policy(r.Host))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
	})
}

// load reads the files by their paths. They are part of the program: that one
// is missing cannot happen.
func load() map[string]file {
	all := make(map[string]file)
	entries, err := fs.ReadDir(files, "files")
	if err != nil {
		panic(err)
	}
	for _, entry := range entries {
		body, err := fs.ReadFile(files, "files/"+entry.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(body)
		all["/"+entry.Name()] = file{body, contentTypes[path.Ext(entry.Name())], `"` + hex.EncodeToString(sum[:8]) + `"`}
	}
	all["/"] = all["/index.html"]
	return all
}

// hostname is what may stand in a policy.
var hostname = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)

// policy is the Content-Security-Policy for a page that came from host.
func policy(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	sockets := "ws: wss:"
	if hostname.MatchString(host) {
		sockets = fmt.Sprintf("ws://%s:* wss://%s:*", host, host)
	}
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		"img-src 'self'",
		"connect-src 'self' " + sockets,
		"form-action 'self'",
		"base-uri 'none'",
		"frame-ancestors 'none'",
		"require-trusted-types-for 'script'",
		"trusted-types 'none'",
	}, "; ")
}
