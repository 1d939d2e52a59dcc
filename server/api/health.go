package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"groupcast/server/monitor"
)

type health struct {
	Status string `json:"status"`
}

// healthz is 200 as long as the process answers: a supervisor that restarts what is
// not alive must not do so because it is busy or draining.
func (a *API) healthz(context.Context, nothing) (health, *problem) {
	return health{"ok"}, nil
}

// readyz says whether new clients should come here.
func (a *API) readyz(context.Context, nothing) (health, *problem) {
	if why := a.notReady(time.Now()); why != "" {
		return health{}, problemf(http.StatusServiceUnavailable, codeNotReady, "%s", why)
	}
	return health{"ready"}, nil
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
	if a.elsewhere != nil {
		if why := a.elsewhere(); why != "" {
			return why
		}
	}
	for i, silence := range sample.Silence {
		if silence > limits.StallAfter {
			return fmt.Sprintf("event loop %d has not answered for %s", i, silence.Round(time.Second))
		}
	}
	return ""
}

func (a *API) getStatus(context.Context, nothing) (monitor.Status, *problem) {
	return a.monitor.Status(), nil
}

func (a *API) getHistory(context.Context, nothing) (monitor.History, *problem) {
	return a.monitor.History(), nil
}

func (a *API) getMetrics(w http.ResponseWriter, r *http.Request) *problem {
	if a.metrics == nil {
		return problemf(http.StatusNotFound, codeNotFound, "this server has no metrics")
	}
	a.metrics.ServeHTTP(w, r)
	return nil
}
