package channel

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"

	"groupcast/protocol"
)

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
	goroutines, files := runtime.NumGoroutine(), openFiles()
	code := m.Run()
	if code == 0 && !wait(func() bool { return runtime.NumGoroutine() <= goroutines && openFiles() <= files }) {
		fmt.Fprintf(os.Stderr, "leak: %d goroutines, were %d; %d open files, were %d\n",
			runtime.NumGoroutine(), goroutines, openFiles(), files)
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
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); !done(); <-ticker.C {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
