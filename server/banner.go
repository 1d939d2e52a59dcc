package server

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"groupcast/server/door"
	"groupcast/server/monitor"
)

// Started is what an operator wants to read when the server is up.
type Started struct {
	Build      Build
	Pid        int
	CPUs       int // usable ones
	Loops      int
	MaxConns   int
	OpenFiles  int    // RLIMIT_NOFILE in force
	ConfigFile string // empty without one
	LogFile    string // likewise
	Daemon     bool
	Listeners  []monitor.Listener
	Access     string           // monitor.AccessOpen, say
	NoAPI      string           // why there is no HTTP API, if that was not asked for
	Cluster    *monitor.Cluster // nil without one
}

// Started gathers it.
func (s *Server) Started() Started {
	return Started{
		Build:      ReadBuild(),
		Pid:        os.Getpid(),
		CPUs:       runtime.GOMAXPROCS(0),
		Loops:      s.loops,
		MaxConns:   s.maxConnections(),
		OpenFiles:  s.maxFiles,
		ConfigFile: s.program.ConfigFile,
		LogFile:    s.Options().LogFile,
		Daemon:     s.program.Daemon,
		Listeners:  s.listeners(),
		Access:     s.access(),
		NoAPI:      s.noAPI,
		Cluster:    s.clusterStatus(),
	}
}

const bannerWidth = 78

// WriteBanner writes the start-up page: plain ASCII, with a little colour if
// the reader is a terminal.
func (st Started) WriteBanner(w io.Writer, colour bool) error {
	bold, green := func(s string) string { return s }, func(s string) string { return s }
	if colour {
		bold = func(s string) string { return "\x1b[1m" + s + "\x1b[0m" }
		green = func(s string) string { return "\x1b[32m" + s + "\x1b[0m" }
	}
	version := st.Build.Version
	if st.Build.Revision != "" {
		version += " (" + st.Build.Revision + ")"
	}
	config := cmp.Or(st.ConfigFile, "none")
	if st.LogFile != "" || st.Daemon {
		config += "    log file: " + cmp.Or(st.LogFile, "none (--log-file)")
	}
	// Column widths follow the longest address, as a socket's path may be long.
	width := len("address")
	for _, l := range st.Listeners {
		width = max(width, len(l.Address))
	}
	width += 2

	var b strings.Builder
	b.WriteString(bold(rule(" GROUPCAST ")) + "\n")
	fmt.Fprintf(&b, "groupcast version: %-20s go version: %s\n", version, st.Build.Go)
	fmt.Fprintf(&b, "pid: %-10d cpus: %-8d loops: %-8d open files: %s\n", st.Pid, st.CPUs, st.Loops, grouped(st.OpenFiles))
	fmt.Fprintf(&b, "config file: %s\n", config)
	b.WriteString(bold(rule(" LISTENERS ")) + "\n")
	fmt.Fprintf(&b, "%-11s%-*s%-11s%-7s%-13s%s\n", "proto", width, "address", "family", "loops", "connections", "state")
	for _, l := range st.Listeners {
		loops, conns := "-", "-"
		if l.Kind == monitor.KindWebSocket {
			loops, conns = strconv.Itoa(st.Loops), grouped(st.MaxConns)
		}
		fmt.Fprintf(&b, "%-11s%-*s%-11s%-7s%-13s%s\n", l.Kind, width, l.Address, door.Family(l.Address), loops, conns,
			green("[OK]"))
	}
	if !slices.ContainsFunc(st.Listeners, func(l monitor.Listener) bool { return l.Kind == monitor.KindAPI }) {
		b.WriteString("without HTTP API: " + cmp.Or(st.NoAPI, "--api none") + "\n")
	}
	if words := monitor.ExplainAccess(st.Access); words != "" {
		b.WriteString("clients: " + words + "\n")
	}
	if c := st.Cluster; c != nil {
		state := c.State
		if words := monitor.ExplainCluster(state); words != "" {
			state += ", " + words
		}
		fmt.Fprintf(&b, "cluster: node %s by %s: %s\n", c.Node, strings.Join(c.Servers, ", "), state)
	}
	b.WriteString(bold(rule("")) + "\n")
	if st.Daemon {
		b.WriteString("Runs in the background: groupcast stop ends it. Start success.\n")
	} else {
		b.WriteString("Press Ctrl+C to stop. Start success.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Log writes the same as one record, for readers that are programs.
func (st Started) Log(log *slog.Logger) {
	addresses := make(map[string][]string)
	for _, l := range st.Listeners {
		addresses[l.Kind] = append(addresses[l.Kind], l.Address)
	}
	if c := st.Cluster; c != nil {
		log = log.With("node", c.Node, "nats", c.Servers, "bus", c.State)
	}
	log.Info("start success",
		"version", st.Build.Version, "revision", st.Build.Revision, "go", st.Build.Go,
		"pid", st.Pid, "cpus", st.CPUs, "loops", st.Loops,
		"max_conns", st.MaxConns, "open_files", st.OpenFiles,
		"config", st.ConfigFile, "log_file", st.LogFile, "daemon", st.Daemon, "listeners", addresses[monitor.KindWebSocket],
		"api", addresses[monitor.KindAPI], "channel", addresses[monitor.KindChannel], "control",
		addresses[monitor.KindControl], "access", st.Access, "no_api", st.NoAPI)
}

// rule is a line of dashes with title in its middle.
func rule(title string) string {
	left := (bannerWidth - len(title)) / 2
	return strings.Repeat("-", left) + title + strings.Repeat("-", bannerWidth-len(title)-left)
}

// grouped writes 19488 as 19,488: nobody counts the digits of a million.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
