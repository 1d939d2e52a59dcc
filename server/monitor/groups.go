package monitor

import (
	"context"
	"time"
)

const (
	// topGroups is how many of the largest groups are shown.
	topGroups = 10
	// groupsEvery is the shortest time between two searches for them.
	groupsEvery = 5 * time.Second
	// groupsRest is how many times as long as it took a search rests.
	groupsRest = 100
	// groupsWithin bounds one search: a loop that hangs must not hold it for ever.
	groupsWithin = 10 * time.Second
	// groupsRetry is the longest rest after a search that found nothing out.
	groupsRetry = time.Minute
)

// watchGroups looks for the largest groups until ctx ends.
func (m *Monitor) watchGroups(ctx context.Context) {
	for {
		began := time.Now()
		searching, cancel := context.WithTimeout(ctx, groupsWithin)
		found, err := m.engine.LargestGroups(searching, topGroups)
		cancel()
		rest := max(groupsEvery, groupsRest*time.Since(began))
		if err == nil {
			top := make([]Group, len(found))
			for i, g := range found {
				top[i] = Group{Name: g.Name, Members: g.Members}
			}
			m.top.Store(&top)
		} else {
			rest = min(rest, groupsRetry) // it may have been waiting, not working
		}
		timer := time.NewTimer(rest)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}
