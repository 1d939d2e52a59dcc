package loop

import (
	"fmt"
	"time"

	"groupcast/loop/reactor"
)

// stallAfter is how long a loop may leave a tick unanswered before that is
// logged and counted; at deadAfter the engine gives up.
const (
	stallAfter = 5 * time.Second
	deadAfter  = 60 * time.Second
)

// clock has every reactor advance its wheel, and notices loops that do not.
func (e *Engine) clock() {
	ticker := time.NewTicker(reactor.TickFor(e.options()))
	defer ticker.Stop()
	stalled := make([]bool, len(e.reactors))
	for {
		select {
		case <-e.stopped:
			return
		case every := <-e.retick:
			ticker.Reset(every)
			continue
		case <-ticker.C:
		}
		for i, r := range e.reactors {
			if r.Tick() {
				stalled[i] = false
				continue
			}
			silence := time.Since(e.shared.Start) - r.LastTick()
			if silence >= stallAfter && !stalled[i] {
				stalled[i] = true
				e.stalls.Add(1)
				e.log.Warn("an event loop does not answer", "reactor", i, "silence", silence)
			}
			if silence >= deadAfter {
				e.fail(fmt.Errorf("reactor %d has not answered for %s", i, silence))
			}
		}
	}
}
