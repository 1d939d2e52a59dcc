package interest

// mode is how the groups are subscribed to.
type mode uint8

const (
	single    mode = iota // each by itself. If there is a wildcard, it is about to be given up
	widening              // the wildcard is subscribed to, but not known everywhere
	wide                  // all by the wildcard. Those that have a SUB still are about to lose it
	narrowing             // each is being subscribed to by itself, below the wildcard
)

// overflowed is told of more groups than there may be subjects.
func (t *table) overflowed() {
	switch {
	case t.mode == single && !t.wildcard:
		t.mode = widening
		t.overflows++
		t.switching = true
		t.subscribe.clear(t)
	case t.mode == single, t.mode == narrowing:
		t.overflows++
		t.widen() // the wildcard is still there
	}
}

// widen leaves the single subjects, since the wildcard is there.
func (t *table) widen() {
	t.mode, t.settled = wide, 0
	t.subscribe.clear(t)
	for i := range t.groups {
		slot, g := uint32(i), &t.groups[i]
		if !g.used {
			continue
		}
		t.waiting.remove(t, slot)
		g.heard = false
		if g.sub {
			t.unsubscribe.push(t, slot)
		}
		t.coverIfHeard(slot)
	}
}

// narrow begins to go back to single subjects. What is covered stays so by the wildcard, and
// new groups wait for their own SUB, so that the change ends while groups keep coming: once
// all that were here when it began have theirs.
func (t *table) narrow() {
	t.mode, t.switching, t.settled = narrowing, true, 0
	for slot := range t.groups {
		if t.groups[slot].used {
			t.subscribe.push(t, uint32(slot))
		}
	}
	t.edge = t.subscribe.end()
}

// narrowIfFew narrows where there have been few groups for long.
func (t *table) narrowIfFew() {
	switch {
	case t.mode != wide || len(t.index) >= t.opt.narrowBelow():
		t.fewSince = never
	case t.fewSince.Equal(never):
		t.fewSince = t.now
	case t.mayNarrow() && t.now.Sub(t.fewSince) >= t.opt.NarrowAfter:
		t.fewSince = never
		t.narrow()
	}
}

// mayNarrow reports whether no other change is under way.
func (t *table) mayNarrow() bool { return t.on && !t.switching }
