package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"groupcast/loop"
	"groupcast/loop/ration"
	"groupcast/protocol"
)

func TestRoutes(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>")
		case "/empty":
		default:
			http.NotFound(w, r)
		}
	})
	metrics := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; asked="+strings.ReplaceAll(r.Header.Get("Accept"), "/", "-"))
		_, _ = io.WriteString(w, "up 1\n")
	})
	with := fakeAPI(t, &fake{}, func(o *Options) { o.Page, o.Metrics = page, metrics })
	without := fakeAPI(t, &fake{}, nil)
	for _, test := range []struct {
		method, path  string
		with, without int
		code, allow   string
	}{
		{"GET", "/", 200, 404, codeNotFound, ""},
		{"HEAD", "/", 200, 404, codeNotFound, ""},
		{"GET", "/empty", 200, 404, codeNotFound, ""},
		{"GET", "/favicon.ico", 404, 404, codeNotFound, ""},
		{"POST", "/favicon.ico", 404, 404, codeNotFound, ""},
		{"GET", "/metrics", 200, 404, codeNotFound, ""},
		{"GET", "/v1", 404, 404, codeNotFound, ""},
		{"GET", "/v1/", 404, 404, codeNotFound, ""},
		{"GET", "/v1/nothing", 404, 404, codeNotFound, ""},
		{"GET", "/v2/groups", 404, 404, codeNotFound, ""},
		{"GET", "//v1/groups", 404, 404, codeNotFound, ""},
		{"GET", "/x/../v1/groups", 404, 404, codeNotFound, ""},
		{"GET", "/healthz/", 404, 404, codeNotFound, ""},
		{"PUT", "/v1/groups", 405, 405, codeNotAllowed, "GET, HEAD"},
		{"OPTIONS", "/v1/groups", 405, 405, codeNotAllowed, "GET, HEAD"},
		{"TRACE", "/v1/groups", 405, 405, codeNotAllowed, "GET, HEAD"},
		{"GET", "/v1/groups/g/messages", 405, 405, codeNotAllowed, "POST"},
		{"GET", "/v1/groups/g/members/0-1-1", 405, 405, codeNotAllowed, "DELETE, PUT"},
		{"POST", "/v1/sessions/0-1-1", 405, 405, codeNotAllowed, "DELETE, GET, HEAD"},
		{"POST", "/healthz", 405, 405, codeNotAllowed, "GET, HEAD"},
		{"DELETE", "/openapi.json", 405, 405, codeNotAllowed, "GET, HEAD"},
		{"GET", "/openapi.json", 200, 200, "", ""},
		{"GET", "/v1/status", 200, 200, "", ""},
		{"HEAD", "/v1/status", 200, 200, "", ""},
		{"GET", "/v1/history", 200, 200, "", ""},
	} {
		for a, status := range map[*API]int{with: test.with, without: test.without} {
			got := ask(t, a.Handler(false), request(test.method, test.path, "", "Accept: text/csv"))
			if status >= 400 {
				got.wantCode(status, test.code)
			} else {
				got.want(status)
			}
			if allow := got.header.Get("Allow"); allow != test.allow {
				t.Errorf("%s %s: Allow %q, want %q", test.method, test.path, allow, test.allow)
			}
		}
	}
	ask(t, with.Handler(false), request("POST", "/", "")).wantCode(405, codeNotAllowed)
	if got := ask(t, with.Handler(false), request("GET", "/metrics", "", "Accept: text/csv")); got.body != "up 1\n" ||
		got.header.Get("Content-Type") != "text/plain; asked=text-csv" {
		t.Errorf("metrics: %q as %q", got.body, got.header.Get("Content-Type"))
	}
	if got := ask(t, with.Handler(false), request("GET", "/", "")); got.body != "<html>" ||
		got.header.Get("Content-Type") != "text/html" {
		t.Errorf("page: %q as %q", got.body, got.header.Get("Content-Type"))
	}
	// JSON it is, whatever a client would rather have.
	for _, accept := range []string{"", "*/*", "text/html", "json", "application/xml;q=1", "application/problem+json"} {
		if got := ask(t, with.Handler(false), request("GET", "/v1/status", "",
			"Accept: "+accept)); got.header.Get("Content-Type") != "application/json" {
			t.Errorf("Accept %q: Content-Type %q", accept, got.header.Get("Content-Type"))
		}
	}
}

func TestRequestID(t *testing.T) {
	a := fakeAPI(t, &fake{}, nil)
	h := a.Handler(false)
	for _, id := range []string{"a", "A-b_c.9", strings.Repeat("x", maxRequestID)} {
		if got := ask(t, h, request("GET", "/nothing", "",
			"X-Request-Id: "+id)).want(404); got.header.Get("X-Request-Id") != id {
			t.Errorf("%q became %q", id, got.header.Get("X-Request-Id"))
		}
	}
	made := make(map[string]bool)
	for _, id := range []string{"", "a b", "a\"b", "ü", strings.Repeat("x", maxRequestID+1), "a,b", "a\tb"} {
		r := request("GET", "/v1/sessions/0-1-1?x=1", "")
		r.Header["X-Request-Id"] = []string{id}
		got := ask(t, h, r).want(422).header.Get("X-Request-Id")
		if got == id || !wellFormedID(got) || made[got] {
			t.Errorf("%q became %q", id, got)
		}
		made[got] = true
	}
}

// Each error of the engine, as a client gets it.
func TestEngineErrors(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		code   string
	}{
		{loop.ErrBadGroup, 422, codeBadGroup},
		{fmt.Errorf("publish: %w", loop.ErrTooLarge), 413, codeTooLarge},
		{loop.ErrNotUTF8, 422, codeNotUTF8},
		{loop.ErrTooManyGroups, 422, codeTooManyGroups},
		{loop.ErrTooManyExcludes, 422, codeTooManyExcludes},
		{loop.ErrTooManyUsers, 422, codeTooManyUsers},
		{loop.ErrBadUser, 422, codeBadUser},
		{loop.ErrNoGroup, 404, codeNoGroup},
		{loop.ErrNoSession, 404, codeNoSession},
		{loop.ErrOverloaded, 503, codeOverloaded},
		{loop.ErrDraining, 503, codeDraining},
		{loop.ErrClosed, 503, codeDraining},
		{protocol.ErrBadClose, 422, codeBadClose},
		{&protocol.CommandError{Code: protocol.CodeOverloaded, Reason: "the group is full"}, 409, "overloaded"},
		{&protocol.CommandError{Code: protocol.CodeTooManyGroups, Reason: "in too many groups"}, 409, "too_many_groups"},
		{fmt.Errorf("ask reactor 1: %w", context.DeadlineExceeded), 503, codeStalled},
		{errors.New("secret"), 500, codeInternal},
	} {
		f := &fake{question: test.err}
		h := fakeAPI(t, f, nil).Handler(false)
		for _, r := range []*http.Request{
			request("GET", "/v1/groups", ""),
			request("GET", "/v1/groups/g", ""),
			request("DELETE", "/v1/groups/g", ""),
			request("PUT", "/v1/groups/g/members/0-1-1", ""),
			request("DELETE", "/v1/groups/g/members/0-1-1", ""),
			request("GET", "/v1/sessions", ""),
			request("GET", "/v1/sessions/0-1-1", ""),
			request("DELETE", "/v1/sessions/0-1-1", ""),
		} {
			if got := ask(t, h, r).wantCode(test.status, test.code); strings.Contains(got.body, "secret") {
				t.Errorf("the cause got out: %s", got.body)
			}
		}
		if errors.Is(test.err, context.DeadlineExceeded) {
			continue // published, then
		}
		f.publish = func(context.Context, loop.Publication) (uint64, error) { return 0, test.err }
		ask(t, h, request("POST", "/v1/groups/g/messages", "x")).wantCode(test.status, test.code)
		ask(t, h, request("POST", "/v1/publish", `{"groups":["g"],"message":1}`)).wantCode(test.status, test.code)
	}
}

// A publication that got its place too late to be told has been published.
func TestPending(t *testing.T) {
	f := &fake{publish: func(context.Context, loop.Publication) (uint64, error) { return 0, context.DeadlineExceeded }}
	a := fakeAPI(t, f, nil)
	h := a.Handler(false)
	for path, body := range map[string]string{
		"/v1/groups/g/messages": "x",
		"/v1/publish":           `{"groups":["g"],"message":1}`,
	} {
		if got := ask(t, h, request("POST", path, body)).want(202); got.body != "{\"pending\":true}\n" {
			t.Errorf("%s: %s", path, got.body)
		}
	}
	if s := a.Stats(); s.PublishedItems.Load() != 2 || s.RefusedItems.Load() != 0 {
		t.Errorf("counted %d, %d", s.PublishedItems.Load(), s.RefusedItems.Load())
	}
}

func TestReady(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		stats loop.Stats
		why   string
	}{
		"ready":     {loop.Stats{Taken: now, Silence: []time.Duration{0, 5 * time.Second}}, ""},
		"no sample": {loop.Stats{}, "starting"},
		"draining":  {loop.Stats{Taken: now, Draining: true}, "draining"},
		"a silent loop": {
			loop.Stats{Taken: now, Silence: []time.Duration{0, 5*time.Second + 1}},
			"event loop 1 has not answered for 5s",
		},
		"sample still new": {loop.Stats{Taken: now.Add(-10 * time.Second)}, ""},
		"sample too old":   {loop.Stats{Taken: now.Add(-10*time.Second - 1)}, "nothing has been heard of the loops for 10s"},
	} {
		a := fakeAPI(t, &fake{}, func(o *Options) { o.Monitor = &still{test.stats} })
		if why := a.notReady(now); !strings.HasPrefix(why, test.why) || (why == "") != (test.why == "") {
			t.Errorf("%s: %q, want %q", name, why, test.why)
		}
	}
}

// What is counted has names that no client chooses.
func TestCounts(t *testing.T) {
	a := fakeAPI(t, &fake{question: loop.ErrNoGroup}, nil)
	h := a.Handler(false)
	for i := range 50 {
		ask(t, h, request("GET", fmt.Sprintf("/v1/groups/%d", i), ""))
		ask(t, h, request("GET", fmt.Sprintf("/made-up-%d", i), ""))
		ask(t, h, request(fmt.Sprintf("METHOD%d", i), "/v1/groups", ""))
	}
	ask(t, h, request("GET", "/healthz", ""))
	ask(t, h, request("POST", "/v1/publish", "{}"))
	want := map[RequestCount]bool{
		{"get-group", "4xx", 50}: true,
		{"none", "4xx", 100}:     true,
		{"healthz", "2xx", 1}:    true,
		{"publish", "4xx", 1}:    true,
	}
	list := a.Stats().Requests
	for _, r := range list {
		if r.Count > 0 && !want[r] {
			t.Errorf("counted %+v", r)
		}
		delete(want, r)
	}
	if len(want) > 0 {
		t.Errorf("not counted: %v", want)
	}
	if n := len(list); n != (len(a.operations)+1)*len(classNames) {
		t.Errorf("%d counts", n)
	}
}

// Requests are logged at debug, refusals and failures at warn, but no more than a
// few a second; never a token or a body.
func TestLog(t *testing.T) {
	var out bytes.Buffer
	f := &fake{}
	a := fakeAPI(t, f, func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Tokens = []string{"the-right-token-here"}
	})
	h := a.Handler(true)
	lines := func() string {
		defer out.Reset()
		return out.String()
	}
	ask(t, h, request("POST", "/v1/groups/g/messages", "the body", "Authorization: Bearer the-right-token-here",
		"X-Request-Id: one"))
	got := lines()
	for _, part := range []string{
		"level=DEBUG", "request_id=one", "operation=publish-message", "status=202",
		"path=/v1/groups/g/messages",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("no %s in %s", part, got)
		}
	}
	f.publish = func(context.Context, loop.Publication) (uint64, error) { return 0, errors.New("the cause") }
	ask(t, h, request("POST", "/v1/groups/g/messages", "the body", "Authorization: Bearer the-right-token-here",
		"X-Request-Id: two"))
	got += lines()
	for _, part := range []string{"level=WARN", "request_id=two", "status=500", `error="the cause"`} {
		if !strings.Contains(got, part) {
			t.Errorf("no %s in %s", part, got)
		}
	}
	ask(t, h, request("GET", "/v1/status", "", "Authorization: Bearer a-wrong-token"))
	got += lines()
	for _, secret := range []string{"the body", "token-here", "a-wrong-token"} {
		if strings.Contains(got, secret) {
			t.Errorf("%q is in the log: %s", secret, got)
		}
	}
	for range 1000 {
		ask(t, h, request("GET", "/v1/"+strings.Repeat("x", 15<<10), ""))
		ask(t, h, request("GET", "/v1/status", ""))
	}
	got = lines()
	if n := strings.Count(got, "level=WARN"); n == 0 || n >= 1000 {
		t.Errorf("%d warnings for 1,000 refusals", n)
	}
	if n := strings.Count(got, "status=401"); n != 1000 {
		t.Errorf("%d of 1,000 requests were logged at all", n)
	}
	if n := len(got) / 2000; n > ration.MaxValueBytes+300 {
		t.Errorf("%d bytes for each request in the log, whose path was 15 KiB", n)
	}
}

func TestServerLog(t *testing.T) {
	var out bytes.Buffer
	s := NewHTTPServer(nil, ServerOptions{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	s.ErrorLog.Print("http: URL query contains semicolon")
	if out.Len() > 0 {
		t.Errorf("a client can write to the log: %s", out.String())
	}
	s.ErrorLog.Print("http: Accept error: too many open files; retrying in 5ms")
	if !strings.Contains(out.String(), "level=WARN") {
		t.Errorf("an operator is not told: %q", out.String())
	}
}
