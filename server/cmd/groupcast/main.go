// Command groupcast is a WebSocket push server: clients join groups, and
// whatever is sent to a group reaches every member.
//
//	groupcast start [flags]
//	groupcast version
package main

import (
	"fmt"
	"io"
	"os"

	"groupcast/protocol"
	"groupcast/server"
)

// What the process ends with; package server's documentation explains them.
const (
	exitStopped = 0
	exitRefused = 1
	exitFatal   = 2
	exitSignal  = 128 // plus the signal's number
)

func main() {
	// Before any goroutine is started: the JSON decoder compiles itself at its
	// first use, which several loops should not do at the same time.
	if err := protocol.Pretouch(); err != nil {
		complain(os.Stderr, fmt.Errorf("prepare the JSON decoder: %w", err))
		os.Exit(exitRefused)
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process around it: the result is the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	parsed, err := parse(args, stdout, stderr)
	if err != nil {
		complain(stderr, err)
		return exitRefused
	}
	if parsed.helped {
		return exitStopped
	}
	switch parsed.command {
	case "start":
		return start(server.Options(parsed.Start.Options), string(parsed.Start.Config), stdout, stderr)
	case "version":
		return version(stdout, stderr)
	}
	complain(stderr, fmt.Errorf("no such command: %s", parsed.command))
	return exitRefused
}

// complain writes one line per error, each under the program's name: what a
// person, a log collector and a script can all read.
func complain(stderr io.Writer, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			complain(stderr, e)
		}
		return
	}
	fmt.Fprintf(stderr, "groupcast: %s\n", oneLine(err.Error()))
}
