package server

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"

	"groupcast/protocol"
)

// TestMain checks that the tests leave nothing running and nothing open: what a
// server starts it must also stop.
func TestMain(m *testing.M) {
	if err := protocol.Pretouch(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goroutines, files := runtime.NumGoroutine(), openFiles()
	code := m.Run()
	if fuzzing := flag.Lookup("test.fuzz"); fuzzing != nil && fuzzing.Value.String() != "" {
		os.Exit(code) // the fuzzer has goroutines and files of its own
	}
	if code == 0 && !wait(func() bool { return runtime.NumGoroutine() <= goroutines }) {
		fmt.Fprintf(os.Stderr, "goroutines: %d before, %d after\n", goroutines, runtime.NumGoroutine())
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		code = 1
	}
	// One is the poller's, which is made once and stays.
	if code == 0 && !wait(func() bool { return openFiles() <= files+spareFiles }) {
		fmt.Fprintf(os.Stderr, "open files: %d before, %d after\n", files, openFiles())
		code = 1
	}
	os.Exit(code)
}

// spareFiles are the runtime's own: the network poller's epoll and its eventfd,
// made at the first use.
const spareFiles = 2

func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	return len(entries) - 1 // the directory itself
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

// eventually is wait for a test.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	if !wait(done) {
		t.Fatalf("in vain waited for: %s", what)
	}
}
