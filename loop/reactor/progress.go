package reactor

// Progress is what tells a slow peer from a dead one while bytes wait for it: the
// bytes that its side has acknowledged grow in number. What the kernel has taken
// says little about that: it takes a few hundred kilobytes and then nothing for
// a long while. A peer that has acknowledged all there is for it is not slow:
// then only what it says counts.

// progress is what is remembered of a session whose progress is looked at.
//
// Owner: its reactor's goroutine. Few sessions have one at a time: those that
// are pinged behind a backlog, and those that do not end their close handshake.
type progress struct {
	at    position // when it was last looked at
	from  uint32   // tick of that
	until uint32   // tick at which its time is over, unless it makes progress

	// Of an open session: the bytes that the peer has once it has our ping.
	pinged int64
	// Of a closing session: the tick at which it began, and whether everything
	// has been acknowledged.
	began uint32
	all   bool
}

// position is how far a peer has come: bytes that the kernel took for it ever, and
// those of them that its side has not acknowledged.
type position struct{ out, unacked int64 }

// acked is how many bytes the other side has.
func (p position) acked() int64 { return p.out - p.unacked }
