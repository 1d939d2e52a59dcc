package bus

import (
	"context"
	"errors"

	"groupcast/loop"
	"groupcast/server/bus/interest"
	"groupcast/server/bus/wire"
)

// loops is the engine as the interest needs it.
type loops struct{ *loop.Engine }

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

// lostGroups has the members of groups told that they have missed something.
func (b *Bus) lostGroups(why cause, groups []string) {
	hashes := make(map[uint64]struct{}, len(groups))
	for _, name := range groups {
		hashes[wire.Hash(name)] = struct{}{}
	}
	b.lost(why, hashes, false)
}
