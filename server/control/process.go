package control

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"groupcast/server/monitor"
)

// Process is the server's process as its control socket sees it. The functions
// are called from any goroutine.
type Process struct {
	Info    func() Info
	Command func() Command
	// Stop begins the end and returns at once.
	Stop func(Stop) error
	// Reload reads the settings again. An error that wraps ErrSettings is theirs.
	Reload func(context.Context) (Reloaded, error)
	// Channel is the Channel server; nil, or a function that returns nil, without one.
	Channel func() Channel
}

// Info says which server this is.
type Info struct {
	PID             int                `json:"pid"`
	Version         string             `json:"version"`
	StartedAt       time.Time          `json:"started_at"`
	Daemon          bool               `json:"daemon"` // it was started with -d
	Draining        bool               `json:"draining"`
	DrainSeconds    float64            `json:"drain_seconds"` // what a plain stop takes at most
	MaxMessageBytes int                `json:"max_message_bytes"`
	MaxGroupBytes   int                `json:"max_group_bytes"` // of a group's name
	Listeners       []monitor.Listener `json:"listeners"`
	ConfigFile      string             `json:"config_file,omitempty"`
	LogFile         string             `json:"log_file,omitempty"`
}

// WebSockets are the addresses of the listeners that clients come through, as
// they are shown: 0.0.0.0:1234, unix:/run/groupcast.sock.
func (i Info) WebSockets() string {
	var addresses []string
	for _, l := range i.Listeners {
		if l.Kind == monitor.KindWebSocket {
			addresses = append(addresses, l.Address)
		}
	}
	return strings.Join(addresses, " ")
}

// Command is how a process was started.
type Command struct {
	Args []string `json:"args"` // with the program's name in front
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`
	// Resources is nil from a server that does not know them.
	Resources *Resources `json:"resources,omitempty"`
}

// Resources is what a process has by inheritance.
type Resources struct {
	OpenFiles uint64 `json:"open_files"` // the hard limit; 0 is not known
	Umask     int    `json:"umask"`
	Nice      int    `json:"nice"`
	CPUs      []int  `json:"cpus,omitempty"` // those that it may run on; none is not known
}

// Stop is how a server is to end.
type Stop struct {
	// Graceful waits for the sessions to leave by themselves, however long that
	// takes; otherwise they are closed within --drain.
	Graceful bool `json:"graceful"`
	// Code is what sessions are closed with: 1001, the server goes away (0 means
	// that too), or 1012, it restarts.
	Code ws.StatusCode `json:"code"`
}

// Stopping is the answer to Stop.
type Stopping struct {
	PID          int     `json:"pid"`
	DrainSeconds float64 `json:"drain_seconds"`
}

// Reloaded is what came of reading the settings again.
type Reloaded struct {
	// Changed is in force now.
	Changed []Change `json:"changed"`
	// NeedRestart is as it was.
	NeedRestart []Change `json:"need_restart"`
	// Problems are what did not work out, beside these: a log file that cannot be
	// opened, say.
	Problems []string `json:"problems"`
}

// Change is one setting that is written otherwise than it was.
type Change struct {
	Flag string `json:"flag"` // --max-message
	From string `json:"from"`
	To   string `json:"to"`
	// Why a restart is needed, where one is.
	Why string `json:"why,omitempty"`
}

// Errors of Process. They may be compared with errors.Is.
var (
	ErrSettings = errors.New("nothing was changed")
	ErrStopping = errors.New("the server is on its way out")
	ErrNoReload = errors.New("this server cannot read its settings again")
)
