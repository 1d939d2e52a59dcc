// Package memory finds out how much memory this process may use: what its operator told
// Go's runtime (GOMEMLIMIT), what its container allows, and what the machine has.
package memory

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// MachineShare is the part of the machine's memory that counts as a limit, in hundredths.
const MachineShare = 80

// goLimit is GOMEMLIMIT, as the process was started with.
var goLimit = debug.SetMemoryLimit(-1)

// Limit is the least of GOMEMLIMIT, the limits of the process's cgroup and all around it, and
// MachineShare of the machine. from says which; 0 and "" where none is known.
func Limit() (bytes int64, from string) { return limit("/", goLimit) }

// limit is Limit of a machine whose files are below root.
func limit(root string, inGo int64) (least int64, from string) {
	least = math.MaxInt64
	take := func(bytes int64, name string) {
		if bytes > 0 && bytes < least {
			least, from = bytes, name
		}
	}
	take(inGo, "GOMEMLIMIT")
	take(total(root)/100*MachineShare, "machine")
	for _, bytes := range cgroups(root) {
		take(bytes, "cgroup")
	}
	if from == "" {
		return 0, ""
	}
	return least, from
}

// total is what the machine has, 0 where that is not known.
func total(root string) int64 {
	b, err := os.ReadFile(filepath.Join(root, "proc/meminfo"))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("MemTotal:")); ok {
			fields := strings.Fields(string(rest))
			if len(fields) != 2 || fields[1] != "kB" {
				return 0
			}
			n, _ := strconv.ParseInt(fields[0], 10, 53)
			return n << 10
		}
	}
	return 0
}

// hierarchy is one of the trees that cgroups are in.
type hierarchy struct {
	mount string   // where it is to be seen
	root  string   // what of it is to be seen there
	files []string // that have a group's limit
}

// cgroups are all limits of the process's own cgroup and of those around it, in both
// versions; there may be both at once.
func cgroups(root string) (limits []int64) {
	own, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return nil
	}
	trees := hierarchies(root)
	for line := range bytes.Lines(own) {
		// ID:CONTROLLERS:PATH; version 2 has 0 and none.
		parts := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(parts) != 3 {
			continue
		}
		name := ""
		switch {
		case parts[0] == "0" && parts[1] == "":
			name = "cgroup2"
		case strings.Contains(","+parts[1]+",", ",memory,"):
			name = "cgroup"
		default:
			continue
		}
		if tree, ok := trees[name]; ok {
			limits = append(limits, tree.limits(root, parts[2])...)
		}
	}
	return limits
}

// hierarchies are the trees with memory's limits, by the name of their file system.
func hierarchies(root string) map[string]hierarchy {
	trees := make(map[string]hierarchy)
	file, err := os.Open(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return nil
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		// ID PARENT DEVICE ROOT MOUNT OPTIONS... - TYPE SOURCE SUPER-OPTIONS
		front, back, ok := strings.Cut(lines.Text(), " - ")
		before, behind := strings.Fields(front), strings.Fields(back)
		if !ok || len(before) < 5 || len(behind) < 3 {
			continue
		}
		tree := hierarchy{root: before[3], mount: before[4]}
		switch {
		case behind[0] == "cgroup2":
			tree.files = []string{"memory.max", "memory.high"}
		case behind[0] == "cgroup" && strings.Contains(","+behind[2]+",", ",memory,"):
			tree.files = []string{"memory.limit_in_bytes"}
		default:
			continue
		}
		if _, known := trees[behind[0]]; !known {
			trees[behind[0]] = tree
		}
	}
	return trees
}

// limits are those of a group and of all around it that can be seen.
func (h hierarchy) limits(root, group string) (limits []int64) {
	// Without a namespace of its own, a container sees the path that its host knows, and of the
	// tree only its own part.
	if h.root != "/" {
		rest, inside := strings.CutPrefix(group, h.root)
		if !inside {
			rest = ""
		}
		group = rest
	}
	for at := path.Join("/", group); ; at = path.Dir(at) {
		for _, name := range h.files {
			text, err := os.ReadFile(filepath.Join(root, h.mount, at, name))
			if err != nil {
				continue
			}
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil { // else "max"
				limits = append(limits, n)
			}
		}
		if at == "/" {
			return limits
		}
	}
}
