package loop

import (
	"context"

	"groupcast/loop/budget"
	"groupcast/loop/reactor"
)

// The engine's part of the process's budget for memory.

// countMemory has b count what the engine holds, and guards b until the engine ends.
func (e *Engine) countMemory(b *budget.Budget) {
	if b == nil {
		return
	}
	all := func(of func(reactor.Memory) int64) func() int64 {
		return func() (n int64) {
			for _, r := range e.reactors {
				n += of(r.Memory())
			}
			return n
		}
	}
	b.Measure(budget.Backlogs, all(func(m reactor.Memory) int64 { return m.Backlogs }))
	b.Measure(budget.Halves, all(func(m reactor.Memory) int64 { return m.Halves }))
	b.Measure(budget.TLS, all(func(m reactor.Memory) int64 { return m.TLS }))
	b.Measure(budget.Kernel, all(func(m reactor.Memory) int64 { return m.Kernel }))
	b.Measure(budget.Rings, e.broker.Held)
	b.Measure(budget.Sessions, func() int64 { return e.shared.Conns.Load() * reactor.SessionBytes })
	b.Measure(budget.Kernel, func() int64 { return e.shared.Conns.Load() * reactor.SocketBytes })
	k := &memoryKeeper{e}
	b.Keep(k)
	e.workers.Go(func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() {
			select {
			case <-e.stopped:
				cancel()
			case <-ctx.Done():
			}
		}()
		b.Run(ctx)
	})
}

// memoryKeeper are the engine's sessions, as the budget's guard sees them.
type memoryKeeper struct{ e *Engine }

// Behind looks through all slots, a part at a time.
func (k *memoryKeeper) Behind(ctx context.Context, least int64) (all []budget.Holder) {
	for _, r := range k.e.reactors {
		for slot := 0; ; {
			part, err := askOne(ctx, k.e, r, func(r *reactor.Reactor) reactor.HoldersPart {
				return r.ListHolders(slot, least)
			})
			if err != nil {
				return all // a loop that does not answer has nobody closed
			}
			for _, one := range part.Holders {
				all = append(all, budget.Holder{Bytes: one.Bytes, Quiet: one.Quiet, Who: one.ID})
			}
			if slot = part.Next; slot == 0 {
				break
			}
		}
	}
	return all
}

func (k *memoryKeeper) Close(ctx context.Context, them []budget.Holder) (closed int) {
	ids := make([][]SessionID, len(k.e.reactors))
	for _, one := range them {
		id := one.Who.(SessionID)
		ids[id.Reactor()] = append(ids[id.Reactor()], id)
	}
	each := make([]int, len(k.e.reactors))
	_ = ask(ctx, k.e, func(r *reactor.Reactor) int { return r.Shed(ids[r.Index()]) }, each) // who answered, has closed
	for _, n := range each {
		closed += n
	}
	return closed
}

func (k *memoryKeeper) Leaving() (n int64) {
	for _, r := range k.e.reactors {
		n += r.Memory().Leaving
	}
	return n
}

func (k *memoryKeeper) Reset(ctx context.Context) {
	for _, r := range k.e.reactors {
		for slot := 0; ; {
			next, err := askOne(ctx, k.e, r, func(r *reactor.Reactor) int { return r.ResetShed(slot) })
			if slot = next; err != nil || slot == 0 {
				break
			}
		}
	}
}
