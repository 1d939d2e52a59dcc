package server

import (
	"io"
	"log/slog"

	"groupcast/server/control"
)

// Program is what a server has to know of the program around it: the control
// socket shows it, and reload and restart need it.
type Program struct {
	// ConfigFile is the file that the options came from, if any.
	ConfigFile string
	// Daemon is whether it runs in the background.
	Daemon bool
	// Command is how the program was started.
	Command control.Command
	// Log is the program's log; required.
	Log *Log
	// Load reads the settings again, as a new start would. nil: they cannot be
	// read again.
	Load func() (Options, error)

	// For tests.
	more    func(*Server) []service // services besides
	apiWish string                  // in place of defaultAPI
}

// Start starts a server inside of some other program, without a program of its own
// around it: it can be asked and told to stop, but not to reload. See
// Program.Start.
func Start(o Options, log *slog.Logger) (*Server, error) {
	if log == nil {
		log = slog.Default()
	}
	return Program{Log: &Log{Logger: log, out: &logWriter{fallback: io.Discard}}}.Start(o)
}
