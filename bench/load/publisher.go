package main

// publisher sends the messages of one connection, which is a member of all the groups it publishes to: so it sees its
// own messages come back, and knows how many are under way.
//
// Paced, it is an open loop: message k is due at a time that was fixed beforehand, and a message that is sent
// late still carries that time. Windowed, it is a closed loop: so many messages are under way at any time, and
// the next one is sent when one has come back.
//
// Owner: its loop's goroutine.
type publisher struct {
	conn     *conn
	via      *conn // the poster, if there is one
	id       uint32
	streams  []stream
	turn     int
	window   int     // messages under way; 0: paced
	interval float64 // nanoseconds between messages, paced
	offset   float64 // of the first one, so that publishers do not all send at once
	sent     int64
	underWay int
}

// maxUnsentBytes is when a paced publisher waits for the kernel; it catches up later, and its messages keep
// their times.
const maxUnsentBytes = 4 << 20

// due is when the next message is to be sent; never if that is not a matter of time.
func (p *publisher) due(from int64) int64 {
	if p.window > 0 || from == never {
		return from // windowed: from the first moment on, whenever there is room
	}
	return from + int64(p.offset+float64(p.sent)*p.interval)
}

// publish sends what is due at the moment, in one write.
func (l *loop) publish(p *publisher, from, until int64) {
	if p.conn.stage != ready || p.carrier().stage != ready || l.now < from {
		return
	}
	before := p.sent
	for len(p.carrier().out) < maxUnsentBytes {
		intended := p.due(from)
		if p.window > 0 {
			if p.underWay >= p.window || l.now >= until {
				break
			}
			intended = l.now
		} else if intended > l.now || intended >= until {
			break
		}
		l.appendMessage(p, intended)
		l.stats.LateNanos = max(l.stats.LateNanos, l.now-intended)
	}
	if p.sent > before {
		l.stats.Published += uint64(p.sent - before)
		l.flush(p.carrier())
	}
}

// carrier is the connection that messages are sent on.
func (p *publisher) carrier() *conn {
	if p.via != nil {
		return p.via
	}
	return p.conn
}

func (l *loop) appendMessage(p *publisher, intended int64) {
	s := p.streams[p.turn]
	if p.turn++; p.turn == len(p.streams) {
		p.turn = 0
	}
	count := &l.plan.published[s.id]
	seq := count.Load() + 1 // nobody else writes it
	count.Store(seq)
	p.sent++
	p.underWay++

	prefix, c := l.prefixes[s.group], p.carrier()
	b := c.out
	if p.via == nil {
		b = beginFrame(b, opText, len(prefix)+stampBytes+len(l.padding)+len(l.suffix))
	}
	start := len(b)
	b = append(b, prefix...)
	at := len(b)
	b = append(b, blankStamp[:]...)
	stamp{uint32(s.group), p.id, seq, intended}.put(b[at:])
	b = append(b, l.padding...)
	b = append(b, l.suffix...)
	if p.via == nil {
		mask(b[start:])
	}
	c.out = b
}

var blankStamp [stampBytes]byte
