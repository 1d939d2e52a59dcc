package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime is the CPU time of all threads of any process, those that have ended included. Its clock is named by the id,
// as clock_getcpuclockid(3) does it. Summing up /proc/PID/task/*/schedstat gives the same figure, but loses the threads
// that end in between.
func CPUTime(pid int) (time.Duration, error) {
	const schedulerClock = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedulerClock), &t); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// CPUTime is what the program has used so far, or had when it ended.
func (p *Process) CPUTime() time.Duration {
	if !p.Alive() {
		return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	}
	t, _ := CPUTime(p.PID()) // 0 at the moment of its end, which Done tells
	return t
}

// StatusBytes is a size from /proc/PID/status in bytes, such as VmRSS, what is resident, or RssAnon, that without pages
// of files, which the kernel takes back when it likes. It is 0 if there is no such process.
func StatusBytes(pid int, field string) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}
