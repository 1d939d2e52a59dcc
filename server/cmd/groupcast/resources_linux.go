package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func rlimit(files uint64) unix.Rlimit { return unix.Rlimit{Cur: files, Max: files} }

// scheduling is this thread's nice value, and the CPUs that it may run on.
func scheduling() (nice int, cpus []int) {
	if raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil {
		nice = 20 - raw // as the kernel puts it, which cannot return what is negative
	}
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) == nil {
		for cpu := range 64 * len(set) {
			if set.IsSet(cpu) {
				cpus = append(cpus, cpu)
			}
		}
	}
	return nice, cpus
}

// takeScheduling gives them to this thread.
func takeScheduling(nice int, cpus []int) (warnings []error) {
	if here, _ := scheduling(); here != nice {
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, nice); err != nil {
			warnings = append(warnings, fmt.Errorf("warning: the old server's nice value was %d, and the new one's is %d: %w",
				nice, here, err))
		}
	}
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if len(cpus) > 0 {
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			warnings = append(warnings,
				fmt.Errorf("warning: the old server ran on %d CPUs, and the new one may not run on the same: %w", len(cpus), err))
		}
	}
	return warnings
}
