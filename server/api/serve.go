package api

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"groupcast/loop/ration"
)

// The way of a request: an id, a route, admission (token or origin), room, and the
// operation, which reads the body; then it is counted and logged, whatever came of it.

// call is what is known of a request while it is worked on.
// Owner: its goroutine.
type call struct {
	id           string
	op           *operation
	requireToken bool
	conn         *conn // nil where connections have no limit
	reserved     bool  // its place is for health and metrics
	began        time.Time
	cause        error // what the log should know and the client not
}

// Handler answers all that the API knows. With requireToken, everything but
// health, the page and the description wants a token, and nobody gets in while
// there is none. Without it, requests over TCP must not come from another site's
// page: see doc.go.
func (a *API) Handler(requireToken bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, requireToken) })
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, requireToken bool) {
	c := &call{id: requestID(r), op: a.noRoute, requireToken: requireToken, conn: connOf(r), began: time.Now()}
	out := &recorder{ResponseWriter: w}
	defer a.finish(c, out, r)
	h := w.Header()
	h.Set("X-Request-Id", c.id)
	h.Set("X-Content-Type-Options", "nosniff")
	if c.reserved = c.conn.began(); c.reserved {
		h.Set("Connection", "close")
	}
	defer c.conn.ended()

	// The mux would redirect a path like //x or /a/../b to a clean one, and a client
	// would follow with GET and without its body: here such a path leads nowhere.
	lookup := &routing{call: c, out: out, header: make(http.Header)}
	if escaped := r.URL.EscapedPath(); escaped == path.Clean(escaped) {
		a.mux.ServeHTTP(lookup, r)
	} else {
		lookup.status = http.StatusNotFound
	}
	if lookup.status != 0 {
		a.serveUnrouted(lookup, r)
	}
}

// perform carries out what a request was found to ask for.
func (a *API) perform(op *operation, c *call, out *recorder, r *http.Request) {
	c.op = op
	h := out.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	if p := a.admitted(op, c, out, r); p != nil {
		c.cause = p.cause
		p.write(out, c.id)
	}
}

func (a *API) admitted(op *operation, c *call, out *recorder, r *http.Request) *problem {
	limits := a.limits.Load()
	if c.reserved && !op.watching {
		a.counters.RefusedConns.Add(1)
		return busy("too many connections: this one is for health and metrics")
	}
	if !op.public {
		if p := a.admit(r, c.requireToken); p != nil {
			c.conn.refused()
			return p
		}
		c.conn.admitted(c.requireToken)
		room, limit := &a.requests, limits.MaxInFlight
		if op.watching {
			room, limit = &a.scrapes, limits.MaxScrapes
		}
		if !room.enter(limit) {
			a.counters.Busy.Add(1)
			return busy("too many requests are being worked on")
		}
		defer room.leave()
	}
	return op.carry(out, r, limits)
}

func busy(detail string) *problem {
	return problemf(http.StatusServiceUnavailable, codeBusy, "%s", detail)
}

// routing is what the mux gets to write on. The handler of an operation takes from it
// what a request's way goes on with; what the mux would say itself goes no further.
// Owner: the request's goroutine.
type routing struct {
	call   *call
	out    *recorder
	header http.Header
	status int // what the mux said; 0 if there was an operation
}

func (m *routing) Header() http.Header         { return m.header }
func (m *routing) WriteHeader(status int)      { m.status = status }
func (m *routing) Write(b []byte) (int, error) { return len(b), nil }

// requestID is the client's own, if it can stand in a header and a log line as
// it is, or a new one.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); wellFormedID(id) {
		return id
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

const maxRequestID = 64

func wellFormedID(id string) bool {
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return id != "" && len(id) <= maxRequestID
}

// serveUnrouted answers what no operation was found for: a file of the page, 405 with
// the methods that there are, or 404.
func (a *API) serveUnrouted(found *routing, r *http.Request) {
	c, out := found.call, found.out
	escaped := r.URL.EscapedPath()
	if a.page != nil && escaped == path.Clean(escaped) && !strings.HasPrefix(escaped, "/v1/") &&
		found.status != http.StatusMethodNotAllowed {
		switch {
		case c.reserved:
			busy("too many connections").write(out, c.id)
			return
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			c.op = a.pageRoute
			a.servePage(out, r, c)
			return
		case escaped == "/":
			notAllowed("GET, HEAD").write(out, c.id)
			return
		}
	}
	if found.status == http.StatusMethodNotAllowed {
		notAllowed(found.header.Get("Allow")).write(out, c.id)
		return
	}
	notFound().write(out, c.id)
}

func notFound() *problem {
	return problemf(http.StatusNotFound, codeNotFound,
		"there is nothing at this path; /openapi.json describes what there is")
}

func notAllowed(allow string) *problem {
	return problemf(http.StatusMethodNotAllowed, codeNotAllowed, "this path takes %s", allow).setHeader("Allow", allow)
}

// servePage lets the page answer, and says in the API's own form what it does
// not have.
func (a *API) servePage(out *recorder, r *http.Request, c *call) {
	w := &pageWriter{ResponseWriter: out, header: make(http.Header)}
	a.page.ServeHTTP(w, r)
	if w.missing {
		notFound().write(out, c.id)
	} else if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
}

// pageWriter holds back a 404.
type pageWriter struct {
	http.ResponseWriter
	header  http.Header
	status  int
	missing bool
}

func (w *pageWriter) Header() http.Header { return w.header }

func (w *pageWriter) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status, w.missing = status, status == http.StatusNotFound
	if !w.missing {
		maps.Copy(w.ResponseWriter.Header(), w.header)
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *pageWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.missing {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// finish counts and logs a request, and catches what went wrong in it.
func (a *API) finish(c *call, out *recorder, r *http.Request) {
	failure := recover()
	if c.cause == nil {
		c.cause = out.failed
	}
	switch {
	case failure == nil:
	case failure == http.ErrAbortHandler: //nolint:errorlint // a panic's value, compared as net/http does
	default:
		a.counters.Panics.Add(1)
		c.cause = fmt.Errorf("panic: %v", failure)
		if ok, missed := a.ration.Take("panic"); ok {
			a.log.Error("api: a request panicked", "request_id", c.id, "operation", c.op.id, "panic", failure,
				"stack", string(debug.Stack()), "not_logged", missed)
		}
		if out.status == 0 {
			internal().write(out, c.id)
			failure = nil
		} else {
			failure = http.ErrAbortHandler // half an answer: cut it, so that nobody takes it for a whole one
		}
	}
	switch {
	case out.status != 0:
	case failure == nil:
		out.status = http.StatusOK // net/http's own
	default:
		out.status = statusGone
	}
	c.op.counts.count(out.status)
	a.logCall(c, out, r)
	if failure != nil {
		panic(http.ErrAbortHandler)
	}
}

// statusGone is what the log and the counters say of a client that left before
// there was an answer.
const statusGone = 499

func (a *API) logCall(c *call, out *recorder, r *http.Request) {
	level, message := slog.LevelDebug, "api request"
	var missed uint64
	if out.status >= http.StatusInternalServerError || out.status == http.StatusUnauthorized ||
		out.status == http.StatusForbidden {
		var ok bool
		if ok, missed = a.ration.Take(strconv.Itoa(out.status)); ok {
			level, message = slog.LevelWarn, "api request refused"
		}
	}
	if !a.log.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", c.id),
		slog.String("operation", c.op.id),
		slog.String("method", ration.Cut(r.Method)),
		slog.String("path", ration.Cut(r.URL.EscapedPath())),
		slog.Int("status", out.status),
		slog.Int64("bytes", out.bytes),
		slog.Duration("took", time.Since(c.began)),
		slog.String("remote", r.RemoteAddr),
	}
	if c.cause != nil {
		attrs = append(attrs, slog.String("error", ration.Cut(c.cause.Error())))
	}
	if missed > 0 {
		attrs = append(attrs, slog.Uint64("not_logged", missed))
	}
	a.log.LogAttrs(r.Context(), level, message, attrs...)
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	failed error // of the first write that did not get through
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	if status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	if err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		w.failed = err
	}
	return n, err
}
