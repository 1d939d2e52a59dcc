package bus

import "groupcast/loop/budget"

// inboundOverhead is what a message that has come counts beside its payload: nats.go's struct, its
// header, its subject.
const inboundOverhead = 512

// waiting is what the messages that wait for the reader hold. They are not looked at for that: each
// is taken for as large as the last ones were in the mean.
//
// Owner: the reader's goroutine.
type waiting struct {
	account *budget.Account
	mean    float64 // bytes
	told    int64
}

// note is for a message that has come.
func (w *waiting) note(bytes int) { w.mean += (float64(bytes) - w.mean) / 64 }

// tell counts n that wait.
func (w *waiting) tell(n int) {
	now := int64(float64(n) * (w.mean + inboundOverhead))
	w.account.Add(now - w.told)
	w.told = now
}
