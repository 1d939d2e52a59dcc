// Package wait is for tests: it waits for the thing itself, and never for a time.
package wait

import (
	"testing"
	"time"
)

// Patience is how long a test waits for what should come at once: a machine that
// others use as well is slow at times.
const Patience = 30 * time.Second

// Until returns when done reports true, and ends the test if it does not.
func Until(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(Patience); !done(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("in vain waited for: %s", what)
		}
	}
}
