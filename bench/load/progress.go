package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// progress tells a person what is going on: one line, rewritten, on a terminal; a line every five seconds elsewhere.
type progress struct {
	out      *os.File
	quiet    bool
	terminal bool
	phase    string
	since    time.Time // the phase's beginning
	shown    time.Time
	before   stats // as shown
	written  bool
}

func newProgress(out *os.File, quiet bool) *progress {
	_, err := unix.IoctlGetTermios(int(out.Fd()), unix.TCGETS)
	return &progress{out: out, quiet: quiet, terminal: err == nil}
}

func (p *progress) show(phase string, s stats) {
	if p.quiet {
		return
	}
	every := 5 * time.Second
	if p.terminal {
		every = 200 * time.Millisecond
	}
	now := time.Now()
	if phase != p.phase {
		p.phase, p.since, p.shown, p.before = phase, now, now, s
		return
	}
	passed := now.Sub(p.shown)
	if passed < every {
		return
	}
	var line strings.Builder
	fmt.Fprintf(&line, "%s %5.1f s  connections %d", phase, now.Sub(p.since).Seconds(), s.Ready)
	if s.Delivered > 0 {
		rate := float64(s.Delivered-p.before.Delivered) / passed.Seconds()
		fmt.Fprintf(&line, "  published %d  delivered %d (%.0f/s)", s.Published, s.Delivered, rate)
	}
	for _, n := range []struct {
		what string
		n    uint64
	}{
		{"missing", s.Missing},
		{"duplicated", s.Duplicated},
		{"reordered", s.Reordered},
		{"misdelivered", s.Misdelivered},
		{"damaged", s.Damaged},
		{"closed", uint64(s.Closed)},
	} {
		if n.n > 0 {
			fmt.Fprintf(&line, "  %s %d", n.what, n.n)
		}
	}
	if p.terminal {
		fmt.Fprintf(p.out, "\r%s\x1b[K", line.String())
	} else {
		fmt.Fprintln(p.out, line.String())
	}
	p.shown, p.before, p.written = now, s, true
}

// end leaves the terminal's line empty for what follows.
func (p *progress) end() {
	if p.terminal && p.written {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
