package interest

import (
	"time"

	"groupcast/loop"
)

// table is who has members here, and what follows from that: what is subscribed to, what is
// covered, what lingers. It is pure: events go in with their time, and what is to be done is
// asked for (batch, takeCoverage, takeCover, takeUncover, takeGaps), so that it is tested by
// itself.
//
// Owner: the goroutine of Run.
type table struct {
	opt    Options
	epoch  time.Time         // deadlines are counted from it: 8 bytes a group in place of 24
	now    time.Time         // of the event that is being worked on
	index  map[string]uint32 // a group's slot
	groups []group           // by slot
	counts []uint32          // memberships, by slot and reactor
	free   []uint32          // slots of no group

	batchGroups            int   // MaxBatchGroups
	subscribe, unsubscribe queue // not handed over yet
	lingering              list  // by deadline, the first first
	waiting                list  // SUB handed over, and no marker behind it answered yet; by marker
	covered                int   // groups that are
	singles                int   // groups that have sub
	leaving                int   // groups that are gone

	// The connection, and its markers.
	up, on               bool // on: since it is up, a marker behind all that is subscribed to was answered whole
	coverage             Coverage
	coverageDue          bool // the loops are to be told
	lastMarker, underway uint64
	paused               bool // until pausedTo
	pausedTo             time.Time
	markedAt             time.Time // when the last marker was handed over
	paced                bool      // until pacedTo no other one is
	pacedTo              time.Time

	// The wildcard.
	mode       mode
	wildcard   bool // handed over
	wildHeard  bool // a marker behind it was answered whole
	wildMarker uint64
	switching  bool // between what batches call Switching and Switched
	announced  bool // Switching was handed over
	fewSince   time.Time
	edge       uint64 // narrowing: the place in subscribe behind all that had no SUB of their own when it began
	settled    uint64 // narrowing: the marker behind all these; 0: not handed over

	// What the loops are told.
	cover      []string // may have some that are not to be covered any more
	coverAgain time.Time
	uncovering []uint32 // slots; asked about
	uncoverDue bool     // and that question is not taken yet
	gaps       []string // as cover
	telling    []string // of gaps that the loops are being told of
	gapsAgain  time.Time

	marks, marksInVain, switches, overflows, reused uint64
}

// group is what is known of a group; 72 bytes, and 4 for each reactor in table.counts.
type group struct {
	state
	queued   queued
	place    uint32 // in a queue
	name     string
	deadline time.Duration // lingering: since table.epoch
	marker   uint64        // waiting: the first one behind its SUB
	links    [lists]links
	members  uint32 // of all reactors
}

// state is what is true of a group.
type state struct {
	used       bool // there is such a group
	sub        bool // its SUB was handed over, and no UNSUB
	heard      bool // and a marker behind it was answered whole, on this connection or an earlier one
	covered    bool // the loops have noted it so, and believe it while coverage is On
	uncovering bool // and are asked to take it back
	gone       bool // it has lingered, is not covered, and its UNSUB is queued
	coverDue   bool // it stands in table.cover
	gapDue     bool // it stands in table.gaps
	member     bool // the loops say that it has members after all
	in         [lists]bool
}

func newTable(o Options, now time.Time) *table {
	if o.NarrowAfter == 0 {
		o.NarrowAfter = NarrowAfter
	}
	return &table{
		opt:         o,
		epoch:       now,
		now:         now,
		batchGroups: MaxBatchGroups,
		index:       make(map[string]uint32),
		subscribe:   queue{kind: inSubscribe},
		unsubscribe: queue{kind: inUnsubscribe},
		lingering:   list{which: inLingering},
		waiting:     list{which: inWaiting},
		coverage:    Away,
		coverageDue: true,
	}
}

// update takes in what has changed on a reactor.
func (t *table) update(u loop.MembersUpdate) {
	if u.Reactor < 0 || u.Reactor >= t.opt.Reactors {
		return
	}
	if u.Anew {
		t.forget(u.Reactor)
	}
	for i := range u.Changes {
		if c := &u.Changes[i]; c.Joined {
			t.join(u.Reactor, c.Group)
		} else {
			t.leave(u.Reactor, c.Group)
		}
	}
}

// forget takes back all that was counted of a reactor.
func (t *table) forget(reactor int) {
	for slot := range t.groups {
		count := &t.counts[slot*t.opt.Reactors+reactor]
		if *count == 0 {
			continue
		}
		g := &t.groups[slot]
		g.members -= *count
		*count = 0
		if g.members == 0 {
			t.vanished(uint32(slot))
		}
	}
}

func (t *table) join(reactor int, name string) {
	slot, found := t.index[name]
	if !found {
		slot = t.add(name)
	}
	g := &t.groups[slot]
	t.counts[int(slot)*t.opt.Reactors+reactor]++
	if g.members++; g.members > 1 {
		return
	}
	if !found {
		t.appeared(slot)
	} else {
		t.returned(slot)
	}
}

// leave takes off one member. One that was never counted is what came between an overflow and
// the reading anew; that sets it right.
func (t *table) leave(reactor int, name string) {
	slot, found := t.index[name]
	if !found {
		return
	}
	count := &t.counts[int(slot)*t.opt.Reactors+reactor]
	if *count == 0 {
		return
	}
	*count--
	g := &t.groups[slot]
	if g.members--; g.members == 0 {
		t.vanished(slot)
	}
}

// add gives a new group a slot.
func (t *table) add(name string) (slot uint32) {
	if n := len(t.free); n > 0 {
		slot, t.free = t.free[n-1], t.free[:n-1]
	} else {
		slot = uint32(len(t.groups))
		t.groups = append(t.groups, group{})
		t.counts = append(t.counts, make([]uint32, t.opt.Reactors)...)
	}
	g := &t.groups[slot]
	g.name, g.used = name, true
	t.index[name] = slot
	return slot
}

// drop forgets a group that has no members, no SUB, and is not covered.
func (t *table) drop(slot uint32) {
	t.subscribe.remove(t, slot)
	t.lingering.remove(t, slot)
	t.waiting.remove(t, slot)
	if t.groups[slot].gone {
		t.leaving--
	}
	delete(t.index, t.groups[slot].name)
	t.groups[slot] = group{}
	t.free = append(t.free, slot)
}

// appeared is told of a group's first member.
func (t *table) appeared(slot uint32) {
	if t.mode == single || t.mode == narrowing {
		t.subscribe.push(t, slot)
	}
	t.coverIfHeard(slot)
	if len(t.index) > t.opt.Subjects {
		t.overflowed()
	}
}

// returned is told of the first member of a group that is still here: it lingers, or the loops
// are asked about it, or its UNSUB is not handed over.
func (t *table) returned(slot uint32) {
	g := &t.groups[slot]
	t.lingering.remove(t, slot)
	if g.gone {
		g.gone = false
		t.leaving--
		if t.mode != wide { // there no group keeps a SUB of its own
			t.unsubscribe.remove(t, slot)
		}
	}
	t.coverIfHeard(slot)
}

// vanished is told that a group has no members any more. One that was never subscribed to is
// forgotten.
func (t *table) vanished(slot uint32) {
	if g := &t.groups[slot]; g.sub || g.covered {
		t.linger(slot, t.opt.Linger)
	} else {
		t.drop(slot)
	}
}

// coverIfHeard covers a group if messages for it reach this node for certain: by a SUB that a
// whole marker stands behind, or the wildcard. While that is being given up, only by its own.
func (t *table) coverIfHeard(slot uint32) {
	g := &t.groups[slot]
	if g.covered || g.uncovering || g.gone || !g.heard && (t.mode != wide || !t.wildHeard) {
		return
	}
	g.covered = true
	t.covered++
	t.tellCover(slot)
}

// tellCover has the loops told that a group is covered.
func (t *table) tellCover(slot uint32) {
	if g := &t.groups[slot]; !g.coverDue {
		g.coverDue = true
		t.cover = append(t.cover, g.name)
	}
}
