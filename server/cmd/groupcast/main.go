// Command groupcast is a WebSocket push server: clients join groups, and
// whatever is sent to a group reaches every member.
//
//	groupcast start [-d] [flags]
//	groupcast stop [-g] | restart [-g] [-d] | reload
//	groupcast status [-d] | connections | queues
//	groupcast publish [--user USER] [GROUP] MESSAGE
//	groupcast token --token-key-file FILE --sub USER
//	groupcast version | help [COMMAND]
//
// # Reading order
//
//   - main.go, cli.go, flags.go: what was asked for
//   - start.go, processors.go: the server's life; daemon.go: in the background
//   - connect.go: which running server is meant
//   - stop.go, restart.go, resources.go, reload.go, publish.go: telling it something
//   - token.go: a token to try things out with
//   - status.go, statusview.go, screen.go, connections.go, queues.go: looking at it
//   - table.go, text.go: how that is written
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"groupcast/protocol"
	"groupcast/server/control"
)

// What the process ends with; package server's documentation explains them.
const (
	exitStopped = 0
	exitRefused = 1
	exitFatal   = 2
	exitDenied  = 3
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
	if parsed.command == "start" {
		return start(parsed.Start, args, stdout, stderr)
	}
	err = parsed.run(stdout, stderr)
	if err == nil {
		return exitStopped
	}
	complain(stderr, err)
	if errors.Is(err, control.ErrDenied) {
		return exitDenied
	}
	return exitRefused
}

// run does what is not starting a server. It ends with SIGINT, SIGTERM or SIGQUIT.
func (c *cli) run(stdout, stderr io.Writer) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	defer cancel()
	switch c.command {
	case "stop":
		return stop(ctx, c.Stop, stdout)
	case "restart":
		return restart(ctx, c.Restart, stdout, stderr)
	case "reload":
		return reload(ctx, c.Reload, stdout)
	case "status":
		return status(ctx, c.Status, stdout)
	case "connections":
		return connections(ctx, c.Connections, stdout)
	case "queues":
		return queues(ctx, c.Queues, stdout)
	case "publish":
		return publish(ctx, c.Publish, os.Stdin, stdout)
	case "token":
		return makeToken(ctx, c.Token, stdout)
	case "version":
		return version(stdout)
	}
	return fmt.Errorf("no such command: %s", c.command)
}

// complain writes one line per error, each under the program's name: what a
// person, a log collector and a script can all read. What others wrote may be in
// it, so nothing that a terminal would obey gets through.
func complain(stderr io.Writer, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			complain(stderr, e)
		}
		return
	}
	fmt.Fprintf(stderr, "groupcast: %s\n", printable(oneLine(err.Error())))
}
