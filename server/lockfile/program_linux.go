package lockfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sameProgram reports whether a process runs the program that this one runs, in
// this version or another. One that has ended, and that its parent has not taken
// note of, runs nothing.
func sameProgram(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// The name before it, in brackets, may have brackets in it.
	if _, state, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]),
		" "); strings.HasPrefix(state, "Z") {
		return false
	}
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err == nil {
		own, err := os.Executable()
		if err != nil {
			return true // better refused than two of them
		}
		return programName(theirs) == programName(own)
	}
	// Another user's process: its name is all that is shown.
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	own, unknown := os.ReadFile("/proc/self/comm")
	return err == nil && unknown == nil && string(name) == string(own)
}

// programName is the name of a program's file, which may have been replaced.
func programName(path string) string {
	return filepath.Base(strings.TrimSuffix(path, " (deleted)"))
}
