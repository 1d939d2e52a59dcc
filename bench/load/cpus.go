package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// parseCPUs reads a list as taskset has it: "0", "0,2", "0-3,6". Empty means all: nil.
func parseCPUs(list string) (*unix.CPUSet, error) {
	if list == "" {
		return nil, nil //nolint:nilnil // no list, no set
	}
	var set unix.CPUSet
	for part := range strings.SplitSeq(list, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || from < 0 || to < from || to >= 1024 {
			return nil, fmt.Errorf("%q is not a list of CPUs such as 0,2-3", list)
		}
		for cpu := from; cpu <= to; cpu++ {
			if !online(cpu) {
				return nil, fmt.Errorf("there is no CPU %d here (%d in all)", cpu, runtime.NumCPU())
			}
			set.Set(cpu)
		}
	}
	return &set, nil
}

func online(cpu int) bool {
	_, err := os.Stat("/sys/devices/system/cpu/cpu" + strconv.Itoa(cpu))
	return err == nil
}

// pinSelf pins every thread of this process; those started later inherit it. Two passes, since a thread may be born
// during the first.
func pinSelf(set *unix.CPUSet) error {
	for range 2 {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("pin: %w", err)
		}
		for _, task := range tasks {
			tid, _ := strconv.Atoi(task.Name())
			if err := unix.SchedSetaffinity(tid, set); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("pin: %w", err)
			}
		}
	}
	return nil
}
