package main

import (
	"context"
	"time"
)

// watched is a server with live members, and nothing else yet.
// Owner: the run.
type watched struct {
	*server
	live *live
	calm time.Duration // the members' 99th percentile while nothing happened
}

// calm is how long live members are looked at before anything happens.
const calm = refetchAfter + time.Second

// startWatched starts a server and its live members, and looks at them until they are calm.
func startWatched(ctx context.Context, c *conditions, token func(i int) string, flags ...string) (*watched, error) {
	s, err := startServer(ctx, c.Server, flags...)
	if err != nil {
		return nil, err
	}
	w := &watched{server: s}
	if w.live, err = startLive(ctx, s.address, c.Live, token); err != nil {
		w.stop()
		return nil, err
	}
	w.live.phase()
	time.Sleep(calm)
	w.calm = w.live.phase()
	return w, nil
}

// stop ends the members, and then the server.
func (w *watched) stop() {
	w.live.finish()
	w.server.stop()
}
