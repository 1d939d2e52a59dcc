package page

import (
	"flag"
	"os"
	"testing"
	"time"

	"groupcast/loop/leak"
	"groupcast/protocol"
)

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

// TestMain checks that the tests leave no goroutine and no descriptor behind.
func TestMain(m *testing.M) {
	// The page asks once a second, and the tests wait for that far longer than they
	// compute. A -parallel on the command line still counts.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(leak.Main(m, protocol.Pretouch))
}

// wait asks until done says yes, or patience is over.
func wait(done func() bool) bool {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); !done(); <-ticker.C {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
