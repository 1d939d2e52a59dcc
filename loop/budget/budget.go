package budget

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"groupcast/loop/ration"
)

// Thresholds, in hundredths of the limit; doc.go says what happens at each.
const (
	CloseTo  = 70
	CloseAt  = 80
	RefuseAt = 90
	ResetAt  = 95
	// BusyAt is from where on the sum is looked at more often.
	BusyAt = 50
)

// Budget adds up what the parts of the process hold. A nil one has no limit, and counts
// nothing. Its methods may be called from any goroutine.
type Budget struct {
	limit atomic.Int64 // 0: none
	used  atomic.Int64 // when it was last added up
	last  atomic.Pointer[Bytes]
	grown chan struct{} // capacity one: something has grown
	log   *ration.Logger

	mu       sync.Mutex // guards what follows, and adding up
	measures []measure
	keepers  []Keeper
	beside   func(counted int64) int64 // heap.beside; tests put their own in its place
	ownLimit bool                      // Go's soft limit is ours to set

	count Counters
}

// measure is one part of which somebody knows.
type measure struct {
	part Part
	of   func() int64
}

// New makes a budget of limit bytes; 0 is none. log gets what had to be done, at times;
// nil is slog.Default.
func New(limit int64, log *slog.Logger) *Budget {
	if log == nil {
		log = slog.Default()
	}
	b := &Budget{grown: make(chan struct{}, 1), log: ration.New(log), beside: new(heap).beside}
	b.last.Store(new(Bytes))
	b.limit.Store(limit)
	return b
}

// SetLimit puts another limit in force, 0 is none.
func (b *Budget) SetLimit(limit int64) {
	b.limit.Store(limit)
	b.Grown()
}

// Limit is the limit in force, 0 if there is none.
func (b *Budget) Limit() int64 {
	if b == nil {
		return 0
	}
	return b.limit.Load()
}

// Account is a new account of a part.
func (b *Budget) Account(part Part) *Account {
	if b == nil {
		return nil
	}
	a := &Account{budget: b}
	b.Measure(part, a.Bytes)
	return a
}

// Measure has the budget ask of for what is held of a part. It must answer at once.
func (b *Budget) Measure(part Part, of func() int64) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.measures = append(b.measures, measure{part, of})
}

// Keep names somebody who can close what holds memory.
func (b *Budget) Keep(k Keeper) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keepers = append(b.keepers, k)
}

// Grown has the guard look. It does not wait.
func (b *Budget) Grown() {
	if b == nil {
		return
	}
	select {
	case b.grown <- struct{}{}:
	default:
	}
}

// Refuses reports whether nothing new is to be let in, as of when all was last added up.
func (b *Budget) Refuses() bool {
	if b == nil {
		return false
	}
	limit := b.limit.Load()
	return limit > 0 && b.used.Load() >= share(limit, RefuseAt)
}

// Look adds up all parts.
func (b *Budget) Look() Bytes {
	b.mu.Lock()
	defer b.mu.Unlock()
	var now Bytes
	for _, m := range b.measures {
		now.add(m.part, m.of())
	}
	now[Other] = uint64(b.beside(now.inGo()))
	b.last.Store(&now)
	b.used.Store(now.Sum())
	return now
}

// share is so many hundredths of limit.
func share(limit int64, hundredths int64) int64 { return limit / 100 * hundredths }
