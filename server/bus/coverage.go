package bus

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"groupcast/loop"
	"groupcast/server/bus/interest"
	"groupcast/server/bus/wire"
)

// loops is the engine as the interest needs it.
type loops struct {
	*loop.Engine

	bus *Bus
}

// Cover implements interest.Loops.
func (l loops) Cover(groups []string) error {
	if groups = l.bus.forbidden.allowed(groups); len(groups) == 0 {
		return nil
	}
	return l.Engine.Cover(groups)
}

// Uncover implements interest.Loops.
func (l loops) Uncover(ctx context.Context, groups []string) (used []string, err error) {
	l.bus.asked.begin(groups)
	defer l.bus.asked.end()
	return l.Engine.Uncover(ctx, groups)
}

// asked are the groups that the loops are asked about. While they are, the engine's table does not have
// them, and they may have members, some of whom were told that they get everything.
type asked struct {
	groups  atomic.Pointer[map[string]struct{}]
	changes atomic.Uint64 // of groups: noted behind a beginning, and in front of an end
}

func (a *asked) begin(groups []string) {
	set := make(map[string]struct{}, len(groups))
	for _, name := range groups {
		set[name] = struct{}{}
	}
	a.groups.Store(&set)
	a.changes.Add(1)
}

func (a *asked) end() {
	a.changes.Add(1)
	a.groups.Store(nil)
}

func (a *asked) has(group string) bool {
	set := a.groups.Load()
	if set == nil {
		return false
	}
	_, is := (*set)[group]
	return is
}

// wanted reports whether a message that came by the wildcard may be for members here.
func (b *Bus) wanted(group string) bool {
	for {
		before := b.asked.changes.Load()
		if b.engine.Covered(group) || b.asked.has(group) {
			return true
		}
		// The group may have been put back between the two looks.
		if b.asked.changes.Load() == before {
			return false
		}
	}
}

// SetCoverage implements interest.Loops.
func (l loops) SetCoverage(c interest.Coverage) {
	l.Engine.SetCoverage(map[interest.Coverage]loop.Coverage{
		interest.Away: loop.CoverageAway, interest.Pending: loop.CoveragePending, interest.On: loop.CoverageOn,
	}[c])
}

// Gap implements interest.Loops. A node that drains has said goodbye to its members.
func (l loops) Gap(ctx context.Context, groups []string) error {
	err := l.Engine.Gap(ctx, groups)
	if errors.Is(err, loop.ErrDraining) || errors.Is(err, loop.ErrClosed) {
		return nil
	}
	return err
}

// markerCost is what each of the other nodes adds to the pace: a node then reads and answers 2,500 markers a
// second at most, some 10 us each, however many nodes there are. With 100 a join waits 40 ms at most for
// its turn.
const markerCost = 400 * time.Microsecond

// pace is how long after a marker the next one may come. Each is answered by all nodes, so that what
// markers cost a node grows with their number.
func (b *Bus) pace() time.Duration { return time.Duration(b.alive.Load()) * markerCost }

// lostGroups has the members of groups told that they have missed something.
func (b *Bus) lostGroups(why cause, groups []string) {
	hashes := make(map[uint64]struct{}, len(groups))
	for _, name := range groups {
		hashes[wire.Hash(name)] = struct{}{}
	}
	b.lost(why, hashes, false)
}
