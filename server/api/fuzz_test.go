package api

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"groupcast/loop"
)

// FuzzRequest: whatever a client sends, the answer is one that is described, nothing
// is published but by 202, and nothing takes more memory than the limits allow.
func FuzzRequest(f *testing.F) {
	const maxMessage, maxBatch, maxItems, maxAnswer = 256, 1024, 8, 64 << 10
	for _, seed := range []string{
		"POST /v1/groups/a%2Fb/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
		"POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\nContent-Type: " +
			"multipart/form-data\r\n\r\n",
		"POST /v1/publish HTTP/1.1\r\nHost: [::1]:80\r\nContent-Type: application/json; charset=utf-8\r\n" +
			"Content-Length: 35\r\n\r\n" +
			`[{"groups":["g",1],"message":"hi"}]`,
		"POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
		"GET /v1/groups?prefix=%FF&limit=5&after HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\r\n\r\n",
		"GET /v1/sessions?limit=1001&limit=1 HTTP/1.1\r\nHost: evil.example\r\nOrigin: null\r\n\r\n",
		"DELETE /v1/sessions/0-1f-3?code=4001&reason=bye HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n\r\n",
		"PUT /v1/groups/g/members/0-1-1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n" + strings.Repeat("x", 2000),
		"POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" +
			strings.Repeat("x", 2000) + "\r\n0\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET http://localhost//x/../v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"HEAD / HTTP/1.0\r\n\r\n", "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"POST /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return // net/http's own to refuse
		}
		published := 0
		limits := DefaultLimits()
		limits.MaxMessageBytes, limits.MaxBatchBytes, limits.MaxBatchItems = maxMessage, maxBatch, maxItems
		page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				http.NotFound(w, r)
				return
			}
			_, _ = io.WriteString(w, "<html>")
		})
		a, err := New(Options{
			Engine: &fake{publish: func(_ context.Context, p loop.Publication) (uint64, error) {
				published++
				if len(p.Groups) == 0 || len(p.Payload) > maxBatch {
					t.Errorf("published %d bytes to %q", len(p.Payload), p.Groups)
				}
				if !utf8.Valid(p.Payload) {
					return 0, loop.ErrNotUTF8
				}
				return uint64(published), nil
			}},
			Monitor: ready{}, Limits: limits, Page: page, Metrics: scraped(nil), Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		got := ask(t, a.Handler(false), r)
		if s := a.Stats(); s.Panics.Load() > 0 || s.InFlight != 0 {
			t.Fatalf("%d panics, %d in flight", s.Panics.Load(), s.InFlight)
		}
		if published > maxItems || published > 0 && got.status != http.StatusAccepted &&
			got.status != http.StatusUnprocessableEntity {
			t.Fatalf("%d published, answered %d %s", published, got.status, got.body)
		}
		if got.status < 200 || got.status >= 300 {
			got.problem()
		}
		if len(got.body) > maxAnswer || !wellFormedID(got.header.Get("X-Request-Id")) {
			t.Fatalf("%d bytes for %q", len(got.body), got.header.Get("X-Request-Id"))
		}
		for name := range got.header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Fatalf("other sites are let in: %s", name)
			}
		}
	})
}
