package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"groupcast/bench/internal/process"
)

// meter reads what a server has used so far: its process and all that descend from it (a PHP server is a family).
type meter struct{ pid int }

// reading is a meter's state at one moment.
type reading struct {
	at        int64         // clock()
	cpu       time.Duration // of all threads, those that have ended too
	ticks     time.Duration // the same by /proc/PID/stat, in steps of 10 ms: a cross check
	rss, peak int64         // bytes
	own       int64         // of rss, without pages of files, which the kernel takes back when it likes
	processes int
	machine   time.Duration // CPU time that everybody has used, by /proc/stat
}

// newMeter refuses a pid that is not there.
func newMeter(pid int) (*meter, error) {
	m := &meter{pid}
	if _, err := m.read(); err != nil {
		return nil, err
	}
	return m, nil
}

// read takes a reading. The CPU clocks come first and close together, since a message may be due any moment.
func (m *meter) read() (reading, error) { return m.readAll(family(m.pid)) }

func (m *meter) readAll(pids []int) (reading, error) {
	r := reading{at: clock()}
	for _, pid := range pids {
		if cpu, err := process.CPUTime(pid); err == nil {
			r.processes++
			r.cpu += cpu
		}
	}
	r.machine = machineTime()
	if !alive(m.pid) {
		return r, fmt.Errorf("there is no process %d", m.pid)
	}
	for _, pid := range pids {
		r.ticks += processTicks(pid)
		r.rss += process.StatusBytes(pid, "VmRSS")
		r.own += process.StatusBytes(pid, "RssAnon") + process.StatusBytes(pid, "RssShmem")
		r.peak += process.StatusBytes(pid, "VmHWM")
	}
	if r.processes == 0 {
		return r, fmt.Errorf("process %d cannot be measured", m.pid)
	}
	return r, nil
}

// statFields returns the fields of /proc/PID/stat after the command's name, which may hold anything: state is field 0.
func statFields(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
}

func processTicks(pid int) time.Duration {
	f := statFields(pid)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100 on every architecture Go knows
}

// machineTime is the CPU time that all processes and the kernel have used together. What is neither the server's nor
// ours is a neighbour, and makes a run worth less.
func machineTime() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	var ticks int
	for i, f := range strings.Fields(line) {
		if n, err := strconv.Atoi(f); err == nil && i != 4 && i != 5 && i < 9 { // without idle and iowait; guests are in user
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func alive(pid int) bool {
	f := statFields(pid)
	return len(f) > 0 && f[0] != "Z" && f[0] != "X"
}

// family is the process and its descendants.
func family(pid int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return []int{pid}
	}
	children := map[int][]int{}
	for _, e := range entries {
		if id, err := strconv.Atoi(e.Name()); err == nil {
			if f := statFields(id); len(f) > 1 {
				parent, _ := strconv.Atoi(f[1])
				children[parent] = append(children[parent], id)
			}
		}
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// listens tells whether the process or a descendant listens on the port; an error means it cannot be told (the process
// is another process's).
func (m *meter) listens(port int) (bool, error) {
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) > 9 && f[3] == "0A" && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				sockets["socket:["+f[9]+"]"] = true
			}
		}
	}
	if len(sockets) == 0 {
		return false, errors.New("no listener found")
	}
	for _, pid := range family(m.pid) {
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		files, err := os.ReadDir(dir)
		if err != nil {
			return false, fmt.Errorf("look at process %d: %w", pid, err)
		}
		for _, f := range files {
			if link, err := os.Readlink(dir + "/" + f.Name()); err == nil && sockets[link] {
				return true, nil
			}
		}
	}
	return false, nil
}
