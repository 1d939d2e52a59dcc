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

// ackTick is how often acks that wait are looked at, and so how much longer than JoinWait one may.
const ackTick = 100 * time.Millisecond

// tickAcks reports whether acks wait on any loop, and has those loops look at them.
func (e *Engine) tickAcks() (waiting bool) {
	for _, r := range e.reactors {
		if r.TickAcks() {
			waiting = true
		}
	}
	return waiting
}

// clock has every reactor advance its wheel, and notices loops that do not.
func (e *Engine) clock() {
	ticker := time.NewTicker(reactor.TickFor(e.options()))
	defer ticker.Stop()
	acks := time.NewTicker(ackTick) // for the acks that wait, as long as any do
	acks.Stop()
	defer acks.Stop()
	stalled := make([]bool, len(e.reactors))
	for {
		select {
		case <-e.stopped:
			return
		case every := <-e.retick:
			ticker.Reset(every)
			continue
		case <-e.shared.AcksWait:
			acks.Reset(ackTick)
			continue
		case <-acks.C:
			if !e.tickAcks() {
				acks.Stop() // the next one that waits is told by a token
			}
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
