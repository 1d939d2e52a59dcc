package reactor

import "time"

// maxGapCloses is how many sessions a loop closes in a second because of gaps, and as many at
// once: more would be a storm of reconnects.
const maxGapCloses = 1000

// gapped are the sessions that are to be closed because a group of theirs has lost messages,
// and that cannot be told so in order. They stay members meanwhile, and are in it once,
// however many of their groups have.
//
// Owner: the reactor's goroutine.
type gapped struct {
	list   []*Session // some may have gone since
	credit int        // closes that may be made now, maxGapCloses at most
	at     int64      // the time up to which there is credit, in nanoseconds since the engine's start
}

// earn gives the credit of the time up to now.
func (q *gapped) earn(now int64) {
	const each = int64(time.Second) / maxGapCloses
	n := (now - q.at) / each
	q.at += n * each
	q.credit = int(min(int64(q.credit)+n, maxGapCloses))
}
