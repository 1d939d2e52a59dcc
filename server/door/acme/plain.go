package acme

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// challengePath is where HTTP-01 asks, RFC 8555, section 8.3.
const challengePath = "/.well-known/acme-challenge/"

// Handler answers the authority's HTTP-01 challenges on a listener for plain HTTP, and hands
// all else to next.
func (i *Issuer) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if i.plain != nil && strings.HasPrefix(r.URL.Path, challengePath) {
			r = r.Clone(r.Context())
			r.Host = withoutPort(r.Host)
			i.plain.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// AnswersHTTP reports whether HTTP-01 challenges are answered.
func (i *Issuer) AnswersHTTP() bool { return i.plain != nil }

// Answer is Handler for a listener that has no net/http: the status and body for a GET of
// path at host, as the request's head has them. ok is false if path is none of a
// challenge. It may read from the disk: not on a loop.
func (i *Issuer) Answer(host, path string) (status int, body []byte, ok bool) {
	if i.plain == nil || !strings.HasPrefix(path, challengePath) {
		return 0, nil, false
	}
	var w answer
	i.plain.ServeHTTP(&w, &http.Request{Method: http.MethodGet, Host: withoutPort(host), URL: &url.URL{Path: path}})
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.status, w.body.Bytes(), true
}

// withoutPort is the name in a Host header: autocert compares it with the names as it is.
func withoutPort(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// answer is a ResponseWriter into memory.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header {
	if a.header == nil {
		a.header = make(http.Header)
	}
	return a.header
}

func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }
func (a *answer) WriteHeader(status int)      { a.status = status }

// endingBody is an answer's body, with something to do once it is closed.
type endingBody struct {
	io.ReadCloser
	closed func()
}

func (b *endingBody) Close() error {
	defer b.closed()
	return b.ReadCloser.Close()
}
