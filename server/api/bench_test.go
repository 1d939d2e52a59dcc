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
	a, err := New(Options{
		Engine: &fake{}, Monitor: &still{}, Limits: DefaultLimits(), Tokens: []string{token},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	h := a.Handler(true)
	one := `{"groups":["g"],"message":"hello"}`
	object := `{"groups":["orders","audit"],"message":{"text":"` + strings.Repeat("ordinary words, ", 50) +
		`","price":1.50,"tags":["a","b"]}}`
	for _, test := range []struct{ name, path, body string }{
		{"message", "/v1/groups/g/messages", "hello"},
		{"item", "/v1/publish", one},
		{"batch-100", "/v1/publish", "[" + strings.Repeat(one+",", 99) + one + "]"},
		{"batch-100-objects", "/v1/publish", "[" + strings.Repeat(object+",", 99) + object + "]"},
	} {
		body, r := test.body, request("POST", test.path, "", "Authorization: Bearer "+token)
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
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
