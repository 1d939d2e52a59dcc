package monitor

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuSeconds is the CPU time that this process has used, in user and kernel
// mode together.
func cpuSeconds() float64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}
