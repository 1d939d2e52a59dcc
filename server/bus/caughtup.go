package bus

import "time"

// caughtUp knows up to which time the reader has looked at all that had come: a node whose heartbeat still waits
// is not silent.
type caughtUp struct {
	left int       // messages that had come when the clock was looked at, and are not taken yet
	next time.Time // when that was
	at   time.Time
}

// took is when a message was taken.
func (c *caughtUp) took() {
	if c.left--; c.left == 0 {
		c.at = c.next
	}
}

// tick is when the clock is looked at, and so many messages wait.
func (c *caughtUp) tick(now time.Time, waiting int) {
	switch {
	case c.left > 0:
	case waiting == 0:
		c.at = now
	default:
		c.left, c.next = waiting, now
	}
}
