package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"groupcast/server/monitor"
)

type noInput struct{}

type healthOutput struct{ Body health }

type health struct {
	Status string `json:"status" enum:"ok,ready"`
}

// healthz is 200 as long as the process answers: whoever restarts what is not
// alive must not do so because it is busy or draining.
func (a *API) healthz(context.Context, *noInput) (*healthOutput, error) {
	return &healthOutput{health{"ok"}}, nil
}

// readyz says whether new clients should come here.
func (a *API) readyz(context.Context, *noInput) (*healthOutput, error) {
	if why := a.notReady(time.Now()); why != "" {
		return nil, problemf(http.StatusServiceUnavailable, codeNotReady, "%s", why)
	}
	return &healthOutput{health{"ready"}}, nil
}

// notReady asks no loop, so that a loop that does not answer does not make
// readiness slow too.
func (a *API) notReady(now time.Time) string {
	if a.draining.Load() {
		return "draining"
	}
	limits, sample := a.limits.Load(), a.monitor.Stats()
	switch age := now.Sub(sample.Taken); {
	case sample.Draining:
		return "draining"
	case sample.Taken.IsZero():
		return "starting: nothing is known of the loops yet"
	case age > limits.MaxSampleAge:
		return fmt.Sprintf("nothing has been heard of the loops for %s", age.Round(time.Second))
	}
	for i, silence := range sample.Silence {
		if silence > limits.StallAfter {
			return fmt.Sprintf("event loop %d has not answered for %s", i, silence.Round(time.Second))
		}
	}
	return ""
}

type statusOutput struct{ Body monitor.Status }

func (a *API) getStatus(context.Context, *noInput) (*statusOutput, error) {
	return &statusOutput{a.monitor.Status()}, nil
}

func (a *API) getMetrics(context.Context, *noInput) (*huma.StreamResponse, error) {
	if a.metrics == nil {
		return nil, problemf(http.StatusNotFound, codeNotFound, "this server has no metrics")
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		a.metrics.ServeHTTP(w, r)
	}}, nil
}
