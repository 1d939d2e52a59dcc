package interest

// isDown is told that the connection is gone: no marker comes back. What was heard, and what the
// loops have noted as covered, stays so, and is believed again once a marker was answered on the
// next connection: that stands behind all that nats.go has subscribed to again.
func (t *table) isDown() {
	t.tellCoverage(Away)
	t.up, t.on, t.underway, t.paused, t.paced = false, false, 0, false, false
}

// isUp is told that there is a connection: what was handed over is subscribed to, but not known
// everywhere before a marker was answered.
func (t *table) isUp() {
	if !t.up {
		t.up = true
		t.tellCoverage(Pending)
	}
}

func (t *table) tellCoverage(c Coverage) { t.coverage, t.coverageDue = c, true }

// marked is told that a marker was answered: by all nodes, or not. Any other than the one
// under way is from before the connection was gone, and means nothing.
func (t *table) marked(number uint64, whole bool) {
	if number == 0 || number != t.underway {
		return
	}
	if !whole {
		t.marksInVain++
		t.underway, t.paused, t.pausedTo = 0, true, t.now.Add(MarkerPause)
		return
	}
	t.marks++
	t.underway, t.paused = 0, false
	if t.opt.Pace != nil {
		t.pacedTo = t.markedAt.Add(t.opt.Pace())
		t.paced = t.now.Before(t.pacedTo)
	}
	if !t.on {
		t.on = true
		t.tellCoverage(On)
	}
	if t.wildcard && !t.wildHeard && t.wildMarker <= number {
		t.wildHeard = true
		if t.mode == widening || t.mode == wide {
			t.widen()
		}
	}
	for {
		slot, found := t.waiting.head()
		if !found || t.groups[slot].marker > number {
			break
		}
		t.waiting.remove(t, slot)
		t.groups[slot].heard = true
		t.coverIfHeard(slot)
	}
	if t.mode == narrowing && t.settled != 0 && t.settled <= number {
		t.mode = single
	}
}
