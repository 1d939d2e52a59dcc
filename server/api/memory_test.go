package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"groupcast/loop"
	"groupcast/loop/budget"
)

// TestShortOfMemory: publications are refused, whatever else is asked is answered, and bodies
// count from their first byte to the answer.
func TestShortOfMemory(t *testing.T) {
	const limit = 8 << 30
	b := budget.New(limit, slog.New(slog.DiscardHandler))
	rest := b.Account(budget.Rings)
	var during int64
	f := &fake{}
	a := fakeAPI(t, f, func(o *Options) { o.Budget = b })
	f.publish = func(context.Context, loop.Publication) (uint64, error) {
		during = int64(b.Look()[budget.API])
		return 1, nil
	}
	publish := func(path, body string) *answer {
		return ask(t, a.Handler(false), httpRequest(t, http.MethodPost, path, body))
	}
	body := strings.Repeat("x", 50_000)
	publish("/v1/groups/g/messages", body).want(http.StatusAccepted)
	if during != int64(len(body)) || b.Look()[budget.API] != 0 {
		t.Errorf("%d bytes counted while it was published, %d behind it", during, b.Look()[budget.API])
	}
	rest.Add(limit / 100 * budget.RefuseAt)
	b.Look()
	for path, body := range map[string]string{
		"/v1/groups/g/messages": "m",
		"/v1/publish":           `[{"group":"g","message":"m"}]`,
	} {
		got := publish(path, body).wantCode(http.StatusServiceUnavailable, codeOverloaded)
		if !strings.Contains(got.body, "memory") || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: %s", path, got.body)
		}
	}
	ask(t, a.Handler(false), httpRequest(t, http.MethodGet, "/v1/status", "")).want(http.StatusOK)
	if n := b.Stats().RefusedPublications; n != 2 || b.Look()[budget.API] != 0 {
		t.Errorf("%d refused, %d bytes held", n, b.Look()[budget.API])
	}
}

func httpRequest(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
