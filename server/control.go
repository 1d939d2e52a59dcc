package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"groupcast/server/control"
	"groupcast/server/door"
	"groupcast/server/settings"
)

// controlDoor is the control socket, and who serves it.
// Owner: the Server.
type controlDoor struct {
	door   *door.Door
	server *control.Server // nil before it is served
}

// controlMode lets nobody in but the server's own user.
const controlMode = 0o600

// openControl opens the control socket where --control says. Without it, no place
// for the socket is no reason not to start; another user's server in that place
// is one.
func (s *Server) openControl() error {
	path, err := s.controlPath()
	if err != nil && s.options.Control == "" {
		s.log.Warn("no control socket: groupcast status, stop and the others will not find this server; --control PATH "+
			"gives it one", "error", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("--control: %w", err)
	}
	if path == "" {
		return nil
	}
	if len(path) > door.MaxUnixPath {
		wants := fmt.Sprintf("a path of at most %d bytes", door.MaxUnixPath)
		return &settings.ValueError{Setting: "control", Wants: wants, Got: fmt.Sprintf("%d in %q", len(path), path)}
	}
	d, err := door.Open(door.Unix(path), controlMode)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	s.control = &controlDoor{door: d}
	s.control.server = control.Serve(d.Listener, control.Handler(s.process(), s.api.Handler(false)), s.log)
	return nil
}

// controlPath is where the socket is to be; "" for none.
func (s *Server) controlPath() (path string, err error) {
	wanted := s.options.Control
	name := control.FileName(strings.TrimPrefix(s.Addresses()[0], "tls:"))
	switch {
	case wanted == control.None:
		return "", nil
	case wanted == "":
		dir, err := control.Prepare(control.Dirs())
		if err != nil {
			return "", err
		}
		control.Sweep(dir)
		return filepath.Join(dir, name), nil
	case control.IsDir(wanted):
		if wanted, err = filepath.Abs(wanted); err != nil {
			return "", err
		}
		if err := os.Mkdir(wanted, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return "", err
		}
		control.Sweep(wanted)
		return filepath.Join(wanted, name), nil
	}
	return filepath.Abs(wanted)
}

// closeControl ends the control socket.
func (s *Server) closeControl() error {
	if s.control == nil {
		return nil
	}
	control.RemoveRecord(s.Control())
	// The file first: who looks for this server from now on finds none.
	return errors.Join(s.control.door.Shut(), s.control.server.Close())
}

// process is what the control socket is told.
func (s *Server) process() control.Process {
	return control.Process{
		Info:    s.info,
		Command: func() control.Command { return s.program.Command },
		Stop:    s.requestStop,
		Reload:  s.Reload,
		Channel: s.channelControl,
	}
}

func (s *Server) info() control.Info {
	o := s.Options()
	return control.Info{
		PID:             os.Getpid(),
		Version:         ReadBuild().Version,
		StartedAt:       s.startedAt,
		Daemon:          s.program.Daemon,
		Draining:        s.closing.Load(),
		DrainSeconds:    o.Drain.Seconds(),
		MaxMessageBytes: o.MaxMessageBytes,
		MaxGroupBytes:   o.MaxGroupBytes,
		Listeners:       s.listeners(),
		ConfigFile:      s.program.ConfigFile,
		LogFile:         o.LogFile,
	}
}

// requestStop hands a request to the program. One that is waiting to be looked at
// is replaced: the last word counts.
func (s *Server) requestStop(wanted control.Stop) error {
	for {
		select {
		case s.stops <- wanted:
			return nil
		default:
		}
		select {
		case <-s.stops:
		default:
		}
	}
}

// Control is the path of the control socket, "" without one.
func (s *Server) Control() string {
	if s.control == nil {
		return ""
	}
	return s.control.door.Bound().Text()
}
