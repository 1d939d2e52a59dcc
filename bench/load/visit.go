package main

// visit is the life of a visitor: it joins, leaves and reconnects, one step at a time, as the loop's schedule has it.
// What it may and must see meanwhile is checked like everything else: nothing after the ack of a leave, no gap in
// between, and the first message after the ack of a join is not a later one than the first that was published after it.
//
// Owner: its loop's goroutine.
type visit struct {
	inside   bool
	busy     bool // a command has not been acknowledged yet
	steps    int
	mustSee  []uint32 // by lane: the latest sequence number to begin with
	checking bool     // mustSee counts: the join is acknowledged, and nothing has come since
}

// reconnectEvery is how many steps a visitor takes on one connection.
const reconnectEvery = 20

// stepVisitors lets visitors take the steps that are due.
func (l *loop) stepVisitors(from, until int64) {
	for len(l.visitors) > 0 && l.now < until && from != never && l.now >= from+int64(float64(l.steps)*l.stepInterval) {
		c := l.visitors[l.steps%int64(len(l.visitors))]
		l.steps++
		if c.stage != ready || c.visit.busy {
			continue // it is slower than the schedule: it takes its step another time
		}
		l.step(c)
	}
}

func (l *loop) step(c *conn) {
	v := c.visit
	v.steps++
	l.stats.Visits++
	switch {
	case v.steps%reconnectEvery == 0:
		l.expect(c, absent)
		l.hangUp(c)
		*v = visit{steps: v.steps, mustSee: v.mustSee}
		l.expect(c, adopting)
		if err := l.dial(l.index(c)); err != nil {
			l.fail(err)
		}
		return
	case v.inside:
		c.out = l.appendCommand(c.out, "leave_group", c.group)
	default:
		l.expect(c, adopting)
		c.out = l.appendCommand(c.out, "add_group", c.group)
	}
	v.busy = true
	l.flush(c)
}

// visitJoined: the way in of a new connection ends with a join.
func (l *loop) visitJoined(c *conn) {
	c.visit.inside = true
	l.noteWhatMustCome(c)
}

func (l *loop) visitAcknowledged(c *conn) {
	v := c.visit
	v.busy = false
	v.inside = !v.inside
	if v.inside {
		l.noteWhatMustCome(c)
	} else {
		v.checking = false
		l.expect(c, absent)
	}
}

func (l *loop) noteWhatMustCome(c *conn) {
	v := c.visit
	first := l.plan.firstStream[c.group]
	for lane := range v.mustSee {
		v.mustSee[lane] = l.plan.published[first+int32(lane)].Load() + 1
	}
	v.checking = true
}

// expect sets what all lanes of the visitor's group expect.
func (l *loop) expect(c *conn, next uint32) {
	for lane := range c.visit.mustSee {
		l.ledger.reset(c.base+uint32(lane), next)
	}
}

// visited checks a visitor's first message of a lane.
func (l *loop) visited(c *conn, lane int, seq uint32) {
	if first := c.visit.mustSee[lane]; c.visit.checking && seq > first {
		l.ledger.dig(c.base+uint32(lane), span{first, seq})
	}
}
