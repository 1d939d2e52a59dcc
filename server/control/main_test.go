package control

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

// TestMain checks that the tests leave nothing running and nothing open.
func TestMain(m *testing.M) {
	goroutines, files := runtime.NumGoroutine(), openFiles()
	code := m.Run()
	if code == 0 && !wait(func() bool { return runtime.NumGoroutine() <= goroutines }) {
		fmt.Fprintf(os.Stderr, "goroutines: %d before, %d after\n", goroutines, runtime.NumGoroutine())
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		code = 1
	}
	// Two are the runtime's own: the poller's epoll and its eventfd.
	if code == 0 && !wait(func() bool { return openFiles() <= files+2 }) {
		fmt.Fprintf(os.Stderr, "open files: %d before, %d after\n", files, openFiles())
		code = 1
	}
	os.Exit(code)
}

func openFiles() int {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		panic(err)
	}
	return len(entries) - 1
}

// wait asks until done says yes, or patience is over.
func wait(done func() bool) bool {
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); !done(); <-ticker.C {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second
