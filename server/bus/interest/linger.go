package interest

import "time"

// linger keeps a group without members for a while.
func (t *table) linger(slot uint32, wait time.Duration) {
	t.groups[slot].deadline = t.now.Sub(t.epoch) + wait
	t.lingering.push(t, slot)
}

// expire lets go of groups that have lingered. The loops are asked first about those that are
// covered; one question is under way at a time.
func (t *table) expire() {
	if len(t.uncovering) > 0 {
		return
	}
	now := t.now.Sub(t.epoch)
	for {
		slot, found := t.lingering.head()
		if !found || t.groups[slot].deadline > now || len(t.uncovering) == MaxCallGroups {
			return
		}
		t.lingering.remove(t, slot)
		if g := &t.groups[slot]; !g.covered {
			t.release(slot)
		} else {
			g.uncovering, g.coverDue = true, false
			t.uncovering = append(t.uncovering, slot)
			t.uncoverDue = true
		}
	}
}

// takeUncover is what the loops are to be asked about, to be taken whenever expire was called;
// uncovered takes the answer.
func (t *table) takeUncover() (names []string) {
	if !t.uncoverDue {
		return nil
	}
	t.uncoverDue = false
	for _, slot := range t.uncovering {
		names = append(names, t.groups[slot].name)
	}
	return names
}

// uncovered takes the loops' answer: which of the groups are covered still since they have
// members. A member that left again before it was told of is never told of, so that these
// linger once more. They are covered once more: the loops put back what they had noted as covered,
// and that they were to note may not have been told when they were asked. After an error nothing is
// known, and that holds for all.
func (t *table) uncovered(used []string, err error) {
	for _, name := range used {
		if slot, found := t.index[name]; found {
			t.groups[slot].member = true
		}
	}
	asked := t.uncovering
	t.uncovering = nil
	for _, slot := range asked {
		g := &t.groups[slot]
		isUsed := g.member || err != nil
		g.uncovering, g.member = false, false
		if isUsed {
			t.reused++
		}
		switch {
		case isUsed:
			t.tellCover(slot)
		default:
			g.covered = false
			t.covered--
		}
		switch {
		case g.members > 0 || g.in[inLingering]: // it had members meanwhile
			t.coverIfHeard(slot)
		case isUsed:
			t.linger(slot, max(t.opt.Linger, AskAgainWait))
		default:
			t.release(slot)
		}
	}
}

// release ends a group without members that is not covered.
func (t *table) release(slot uint32) {
	if g := &t.groups[slot]; g.sub {
		g.gone = true
		t.leaving++
		t.unsubscribe.push(t, slot)
	} else {
		t.drop(slot)
	}
}
