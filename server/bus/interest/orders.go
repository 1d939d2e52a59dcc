package interest

import (
	"time"

	"groupcast/server/bus/wire"
)

// takeCoverage is the coverage to tell the loops, before takeCover.
func (t *table) takeCoverage() (c Coverage, due bool) {
	due, t.coverageDue = t.coverageDue, false
	return t.coverage, due
}

// takeCover is the next groups to be covered; none if there are none, or it failed just now.
func (t *table) takeCover() (names []string) {
	if !t.coverAgain.Equal(never) {
		return nil
	}
	for len(t.cover) > 0 && len(names) < MaxCallGroups {
		name := t.cover[0]
		t.cover = t.cover[1:]
		if slot, found := t.index[name]; found && t.groups[slot].coverDue {
			t.groups[slot].coverDue = false
			names = append(names, name)
		}
	}
	if len(t.cover) == 0 {
		t.cover = nil
	}
	return names
}

// coverFailed has groups covered once more, later.
func (t *table) coverFailed(names []string) {
	t.coverAgain = t.now.Add(MarkerPause)
	for _, name := range names {
		if slot, found := t.index[name]; found && t.groups[slot].covered && !t.groups[slot].uncovering {
			t.tellCover(slot)
		}
	}
}

// lost has the members of the groups told that they may have missed messages. In one look for
// all matches, since that costs a hash a group.
func (t *table) lost(matches []func(hash uint64) bool, all bool) {
	for i := range t.groups {
		if g := &t.groups[i]; g.used && !g.gapDue && (all || matchesAny(matches, wire.Hash(g.name))) {
			g.gapDue = true
			t.gaps = append(t.gaps, g.name)
		}
	}
}

func matchesAny(matches []func(hash uint64) bool, hash uint64) bool {
	for _, match := range matches {
		if match(hash) {
			return true
		}
	}
	return false
}

// takeGaps is the next groups to be told of a gap, nil if there are none; gapped takes the
// answer, and until then there are none.
func (t *table) takeGaps() []string {
	if len(t.telling) > 0 || !t.gapsAgain.Equal(never) {
		return nil
	}
	for len(t.gaps) > 0 && len(t.telling) < MaxCallGroups {
		name := t.gaps[0]
		t.gaps = t.gaps[1:]
		if slot, found := t.index[name]; found {
			t.groups[slot].gapDue = false
		}
		t.telling = append(t.telling, name) // even if it is gone: it may be so only while a reactor is read anew
	}
	if len(t.gaps) == 0 {
		t.gaps = nil
	}
	return t.telling
}

// gapped is told whether the loops have taken the gaps. If not they are told once more, later:
// two notices of one gap do no harm.
func (t *table) gapped(err error) {
	if err != nil {
		t.gapsAgain = t.now.Add(MarkerPause)
		for _, name := range t.telling {
			slot, found := t.index[name]
			if found && t.groups[slot].gapDue {
				continue
			}
			if found {
				t.groups[slot].gapDue = true
			}
			t.gaps = append(t.gaps, name)
		}
	}
	t.telling = nil
}

// never is the time of what is not going to be.
var never time.Time

// at sets the clock: each event has its time, and comes behind that.
func (t *table) at(now time.Time) { t.now = now }

// advance does what is due by now, after each event.
func (t *table) advance() {
	if t.paused && !t.now.Before(t.pausedTo) {
		t.paused = false
	}
	if t.paced && !t.now.Before(t.pacedTo) {
		t.paced = false
	}
	for _, again := range []*time.Time{&t.coverAgain, &t.gapsAgain} {
		if !again.Equal(never) && !t.now.Before(*again) {
			*again = never
		}
	}
	t.expire()
	t.narrowIfFew()
}

// next is when something is due by time alone, never if nothing is.
func (t *table) next() (at time.Time) {
	earlier := func(other time.Time) {
		if !other.Equal(never) && (at.Equal(never) || other.Before(at)) {
			at = other
		}
	}
	if t.paused {
		earlier(t.pausedTo)
	}
	if t.paced {
		earlier(t.pacedTo)
	}
	earlier(t.coverAgain)
	earlier(t.gapsAgain)
	if slot, found := t.lingering.head(); found && len(t.uncovering) == 0 {
		earlier(t.epoch.Add(t.groups[slot].deadline))
	}
	if !t.fewSince.Equal(never) && t.mayNarrow() {
		earlier(t.fewSince.Add(t.opt.NarrowAfter))
	}
	return at
}
