// Package leak finds goroutines and descriptors that tests leave behind. It is for
// tests of packages that start engines.
package leak

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long what has been ended may take to be gone.
const patience = 30 * time.Second

// Main runs a package's tests and returns the exit code for its TestMain: not 0
// either if they left something behind. What has to be done first, once in the
// process, comes before.
func Main(m *testing.M, first ...func() error) int {
	for _, prepare := range first {
		if err := prepare(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	// What Go itself keeps once it is used, its poller above all, is no leak.
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		_ = ln.Close()
	}
	left := Watch()
	code := m.Run()
	if fuzzing := flag.Lookup("test.fuzz"); code != 0 || fuzzing != nil && fuzzing.Value.String() != "" {
		return code // the fuzzer has goroutines and files of its own
	}
	if err := left(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Watch notes what is there now. The result waits until no more than that is
// left, and returns an error that names the rest if it waits in vain.
func Watch() (left func() error) {
	there, files := goleak.IgnoreCurrent(), OpenFiles()
	return func() error {
		http.DefaultClient.CloseIdleConnections()
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for deadline := time.Now().Add(patience); ; <-ticker.C {
			err := goleak.Find(there, idlePool)
			if n := OpenFiles(); n > files {
				err = errors.Join(err, fmt.Errorf("%d open files, were %d", n, files))
			}
			if err == nil || time.Now().After(deadline) {
				return err
			}
		}
	}
}

// idlePool are the workers of gnet's goroutine pool that have nothing to do. The
// pool is the process's and not an engine's; they end after ten seconds.
var idlePool = goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1")

// OpenFiles counts this process's descriptors; 0 where that cannot be asked.
func OpenFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
