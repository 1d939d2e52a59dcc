package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// spareFiles is what a process needs beside its connections.
const spareFiles = 64

// raiseFiles raises the soft limit of open files to the hard one and checks that it is enough.
func raiseFiles(connections int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read RLIMIT_NOFILE: %w", err)
	}
	need := uint64(connections + spareFiles)
	if limit.Max < need {
		return fmt.Errorf("%d connections need %d open files, and the hard limit (ulimit -Hn) is %d",
			connections, need, limit.Max)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise RLIMIT_NOFILE: %w", err)
	}
	return nil
}

// checkServerFiles says beforehand that the server cannot hold so many. A server may raise its soft limit, so the hard
// one counts.
func checkServerFiles(pid, connections int) error {
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return nil //nolint:nilerr // not ours to read: the server will tell
	}
	for line := range strings.Lines(string(limits)) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			if fields := strings.Fields(rest); len(fields) > 1 {
				if hard, err := strconv.Atoi(fields[1]); err == nil && hard < connections {
					return fmt.Errorf("%d connections, and the server (pid %d) may open %d files", connections, pid, hard)
				}
			}
		}
	}
	return nil
}
