package main

import (
	"os"
	"runtime"
)

// spareProcessors is how many goroutines besides the loops may run at once.
const spareProcessors = 2

// addProcessors lets more goroutines run at once than there are loops. A loop
// that comes back from waiting in the kernel needs one of Go's processors, and
// with as many of those as CPUs it waits for the goroutine that has them, the broker or
// another loop: with two loops at half load that was half of the 99th
// percentile of the latency. A single loop has nobody to wait for. Who sets
// GOMAXPROCS has decided. (From here on Go no longer follows changes of a
// container's CPU quota by itself.)
func addProcessors(loops int) {
	if loops > 1 && os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), loops+spareProcessors))
	}
}
