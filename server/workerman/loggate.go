package workerman

import (
	"sync"
	"time"
)

// logEvery is how often the same complaint is logged.
const logEvery = 10 * time.Second

// logGate lets one complaint of a kind through every logEvery, so that nobody
// can fill a disk from outside. The zero value is ready.
type logGate struct {
	mu    sync.Mutex
	kinds map[int]*complaint
}

type complaint struct {
	last   time.Time
	missed uint64 // since then
}

// open says whether to log, and how many of the kind were not logged since.
func (g *logGate) open(kind int) (missed uint64, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.kinds[kind]
	if c == nil {
		if g.kinds == nil {
			g.kinds = make(map[int]*complaint)
		}
		c = &complaint{}
		g.kinds[kind] = c
	}
	now := time.Now()
	if !c.last.IsZero() && now.Sub(c.last) < logEvery {
		c.missed++
		return 0, false
	}
	missed = c.missed
	c.last, c.missed = now, 0
	return missed, true
}
