package main

import (
	"os"
	"os/signal"
	"syscall"
)

// SIGHUP has two meanings: "read your settings again", to a server, and "your
// terminal is gone", to whatever was started from one. A server that took the
// second for the first would live on unseen behind a window that was closed.

// terminal is the process's own one.
type terminal struct{ watched bool }

// findTerminal looks whether there is one that the process should end with: not
// under nohup, and not in the background.
func findTerminal() terminal {
	return terminal{!signal.Ignored(syscall.SIGHUP) && hasTerminal()}
}

// hungUp tells whether it was there and is not any more.
func (t terminal) hungUp() bool { return t.watched && !hasTerminal() }

func hasTerminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	_ = tty.Close()
	return true
}
