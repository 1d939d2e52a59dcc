package main

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"groupcast/server/control"
)

// ownResources is what this process was given by the one that started it.
func ownResources() *control.Resources {
	r := &control.Resources{Umask: syscall.Umask(0)}
	syscall.Umask(r.Umask)
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		r.OpenFiles = uint64(files.Max) //nolint:unconvert // signed on some systems
	}
	r.Nice, r.CPUs = scheduling()
	return r
}

// takeResources gives this process, and whatever it becomes, what another one had.
// The result says what it may not have. nil, from an older server, is nothing known.
func takeResources(r *control.Resources) (warnings []error) {
	if r == nil {
		return nil
	}
	syscall.Umask(r.Umask)
	if r.OpenFiles > 0 {
		if err := takeOpenFiles(r.OpenFiles); err != nil {
			warnings = append(warnings, err)
		}
	}
	return append(warnings, takeScheduling(r.Nice, r.CPUs)...)
}

func takeOpenFiles(wanted uint64) error {
	var here unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &here); err != nil {
		return fmt.Errorf("read the open-files limit: %w", err)
	}
	limit := rlimit(wanted)
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		return nil
	}
	return fmt.Errorf("warning: the old server could have %d files open, and the new one only %d: this shell's limit "+
		"(ulimit -n) is lower, and only root may raise it",
		wanted, here.Max)
}
