package budget

import "sync/atomic"

// TellBytes is how much the memory of one part may change before the budget is told.
const TellBytes = 64 << 10

// Account is what goroutines outside the loops hold of one part. A nil one counts nothing.
// Its methods may be called from any goroutine.
type Account struct {
	budget *Budget
	bytes  atomic.Int64
	told   atomic.Int64
}

// Add counts n bytes more; less, if n is negative.
func (a *Account) Add(n int64) {
	if a == nil {
		return
	}
	now := a.bytes.Add(n)
	if told := a.told.Load(); now-told >= TellBytes || told-now >= TellBytes {
		a.told.Store(now)
		a.budget.Grown()
	}
}

// Bytes is what is held.
func (a *Account) Bytes() int64 {
	if a == nil {
		return 0
	}
	return a.bytes.Load()
}
