package budget

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Keeper knows who holds memory and can close them.
type Keeper interface {
	// Behind are those that could be closed and hold at least so many bytes.
	Behind(ctx context.Context, least int64) []Holder
	// Close closes some of those, and reports how many. What they hold is let go of when it
	// returns, but for what is in Leaving.
	Close(ctx context.Context, them []Holder) (closed int)
	// Leaving is what those still hold that were closed.
	Leaving() int64
	// Reset ends those at once.
	Reset(ctx context.Context)
}

// Holder is one that holds memory.
type Holder struct {
	Bytes int64
	Quiet time.Duration // since it last said anything
	Who   any           // its Keeper's
}

const (
	// leastHeld is what is worth closing anybody for.
	leastHeld = 4 << 10
	// maxHolders bounds those that are looked at in one round: the largest.
	maxHolders = 1 << 16
	// pointless is the part of what is too much that closing must bring at least.
	pointless = 64
	// maxRounds bounds the rounds before the sum is looked at by the clock again.
	maxRounds = 32
	// answerWithin bounds one round.
	answerWithin = 5 * time.Second

	lookOften  = 100 * time.Millisecond
	lookSeldom = time.Second
)

// Run guards the limit until ctx ends. It is for one goroutine.
func (b *Budget) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var looked time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-b.grown:
			// What grows by TellBytes at a time need not be added up for each of them.
			if limit := b.limit.Load(); limit == 0 ||
				time.Since(looked) < lookOften && b.used.Load() < share(limit, BusyAt) {
				continue
			}
		}
		b.Check(ctx)
		looked = time.Now()
		wait := lookSeldom
		if limit := b.limit.Load(); limit > 0 && b.used.Load() >= share(limit, BusyAt) {
			wait = lookOften
		}
		timer.Reset(wait)
	}
}

// Check looks once, and does what has to be done. It is for the goroutine of Run.
func (b *Budget) Check(ctx context.Context) {
	now := b.Look()
	limit := b.limit.Load()
	b.setGoLimit(limit, int64(now[Kernel]))
	if limit == 0 {
		return
	}
	b.mu.Lock()
	keepers := slices.Clone(b.keepers)
	b.mu.Unlock()
	closed := 0
	for range maxRounds {
		excess := now.Sum() - leaving(keepers) - share(limit, CloseTo)
		if closed == 0 && excess < share(limit, CloseAt-CloseTo) || excess <= 0 {
			break
		}
		n := closeLargest(ctx, keepers, excess)
		if n == 0 {
			break
		}
		closed += n
		now = b.Look()
	}
	if closed > 0 {
		b.count.Closed.Add(uint64(closed))
		b.log.Warn("short of memory: those that held most were closed", "closed", closed, "used", now.Sum(), "limit", limit)
	}
	if now.Sum() >= share(limit, RefuseAt) {
		b.log.Warn("short of memory: nothing new is let in", "used", now.Sum(), "limit", limit)
	}
	if now.Sum() >= share(limit, ResetAt) {
		for _, k := range keepers {
			k.Reset(ctx)
		}
		b.Look()
	}
}

func leaving(keepers []Keeper) (n int64) {
	for _, k := range keepers {
		n += k.Leaving()
	}
	return n
}

// closeLargest closes those that hold most, so many that they hold excess together, and
// reports how many. What they hold may be held by others as well: then it is for the next
// round to close these. Nobody is closed where that would change nothing, since it is not they
// who use the memory.
func closeLargest(ctx context.Context, keepers []Keeper, excess int64) (closed int) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	type held struct {
		Holder
		by int
	}
	var all []held
	for i, k := range keepers {
		for _, one := range k.Behind(ctx, leastHeld) {
			if all = append(all, held{one, i}); len(all) == 2*maxHolders {
				slices.SortFunc(all, func(a, b held) int { return cmp.Compare(b.Bytes, a.Bytes) })
				all = all[:maxHolders]
			}
		}
	}
	slices.SortFunc(all, func(a, b held) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Quiet, a.Quiet))
	})
	left := int64(0)
	for _, one := range all {
		left += one.Bytes
	}
	chosen := make([][]Holder, len(keepers))
	for _, one := range all {
		if excess <= 0 || left < excess/pointless {
			break
		}
		excess -= one.Bytes
		left -= one.Bytes
		chosen[one.by] = append(chosen[one.by], one.Holder)
	}
	for i, k := range keepers {
		if len(chosen[i]) > 0 {
			closed += k.Close(ctx, chosen[i])
		}
	}
	return closed
}
