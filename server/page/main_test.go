package page

import (
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"

	"groupcast/protocol"
)

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

// TestMain checks that the tests leave no goroutine and no descriptor behind.
func TestMain(m *testing.M) {
	if err := protocol.Pretouch(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// What Go itself keeps once it is used, its poller above all, is no leak.
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		_ = ln.Close()
	}
	// The page asks once a second, and the tests wait for that far longer than they
	// compute. A -parallel on the command line still counts.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	goroutines, descriptors := runtime.NumGoroutine(), openFiles()
	code := m.Run()
	if fuzzing := flag.Lookup("test.fuzz"); fuzzing != nil && fuzzing.Value.String() != "" {
		os.Exit(code) // the fuzzer has goroutines and files of its own
	}
	if code == 0 && !wait(func() bool { return runtime.NumGoroutine() <= goroutines && openFiles() <= descriptors }) {
		fmt.Fprintf(os.Stderr, "leak: %d goroutines, were %d; %d open files, were %d\n",
			runtime.NumGoroutine(), goroutines, openFiles(), descriptors)
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		code = 1
	}
	os.Exit(code)
}

// openFiles counts this process's descriptors; 0 where that cannot be asked.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
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
