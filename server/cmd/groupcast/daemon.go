package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"groupcast/server"
)

// A server in the background is a second process, in a session of its own. It
// keeps the first one's standard error until it is up, so that whatever goes
// wrong is seen; then it says so through a pipe, and the first one ends. If the
// first one is not there any more to hear that, the server ends, too: a caller who
// was told nothing must not have started anything.

// reportVariable tells the second process which descriptor the pipe is.
const reportVariable = "GROUPCAST_INTERNAL_REPORT"

// upWithin is how long a start may take: names may have to be looked up.
const upWithin = time.Minute

// startInBackground is the first process. args are those of this one.
func startInBackground(args []string, o server.Options, stdout, stderr io.Writer) int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)
	defer signal.Stop(signals)
	command, reports, err := launchServer(args, stderr)
	if err != nil {
		complain(stderr, fmt.Errorf("start in the background: %w", err))
		return exitRefused
	}
	defer reports.Close()
	up := make(chan server.Started, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var started server.Started
		if json.NewDecoder(reports).Decode(&started) == nil {
			up <- started
			return
		}
		_ = command.Wait() // its result is in ProcessState
	}()
	patience := time.NewTimer(upWithin)
	defer patience.Stop()
	code := exitRefused
	select {
	case <-ended:
		select {
		case started := <-up:
			announce(started, o, stdout, server.NewLogger(stderr, o))
			return exitStopped
		default:
		}
		if own := command.ProcessState.ExitCode(); own > 0 {
			return own // it has said why
		}
		complain(stderr, fmt.Errorf("the server ended while it started: %s", command.ProcessState))
		return exitRefused
	case got := <-signals:
		if number, ok := got.(syscall.Signal); ok {
			code = exitSignal + int(number)
		}
	case <-patience.C:
		complain(stderr, fmt.Errorf("the server was not up within %s", upWithin))
	}
	_ = command.Process.Kill() // what is to be done if there is nothing to kill?
	<-ended
	return code
}

// launchServer starts the second process. What it reports can be read from reports.
func launchServer(args []string, stderr io.Writer) (command *exec.Cmd, reports *os.File, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	if err := keepInherited(); err != nil {
		return nil, nil, err
	}
	reports, report, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer report.Close()
	command = exec.Command(self, args...)
	command.Args[0] = os.Args[0]
	command.Env = append(os.Environ(), reportVariable+"=3")
	command.ExtraFiles = []*os.File{report}
	command.Stderr = stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return nil, nil, errors.Join(err, reports.Close())
	}
	return command, reports, nil
}

// keepInherited keeps the descriptors that this process was given, beside the
// standard ones, from the second process: a lock of the caller's (flock) would be
// held, and a pipe of his kept open, for as long as the server runs.
func keepInherited() error {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return fmt.Errorf("look for inherited descriptors: %w", err)
	}
	for _, entry := range entries {
		// Those of this process have it anyway.
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// report is the way back to the process that started this one.
type report struct{ pipe *os.File }

// takeReport is nil in a process that was not started to run in the background.
// Nobody who is started by this process finds the variable again.
func takeReport() *report {
	if os.Getenv(reportVariable) != "3" {
		return nil
	}
	_ = os.Unsetenv(reportVariable)
	unix.CloseOnExec(3)
	return &report{os.NewFile(3, "report")}
}

// send says that the server is up. From then on, standard error leads nowhere.
func (r *report) send(started server.Started) error {
	defer r.pipe.Close()
	nowhere, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer nowhere.Close()
	if err := unix.Dup2(int(nowhere.Fd()), 2); err != nil {
		return fmt.Errorf("leave standard error: %w", err)
	}
	return json.NewEncoder(r.pipe).Encode(started)
}
