package api

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// What the API itself costs a publication, without a connection and without loops.
func BenchmarkPublish(b *testing.B) {
	a, err := New(Options{Engine: &fake{}, Monitor: &still{}, Limits: DefaultLimits(), Tokens: []string{token}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	h := a.Handler(true)
	for name, r := range map[string]*http.Request{
		"message": request("POST", "/v1/groups/g/messages", "", "Authorization: Bearer "+token),
		"item":    request("POST", "/v1/publish", "", "Authorization: Bearer "+token),
	} {
		body := "hello"
		if name == "item" {
			body = `{"groups":["g"],"message":"hello"}`
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			reader := strings.NewReader(body)
			r.Body, r.ContentLength = io.NopCloser(reader), int64(len(body))
			for b.Loop() {
				reader.Reset(body)
				out := memory{header: make(http.Header)}
				h.ServeHTTP(&out, r)
				if out.status != http.StatusAccepted {
					b.Fatal(out.body.String())
				}
			}
		})
	}
}
