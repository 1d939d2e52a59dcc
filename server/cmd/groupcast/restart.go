package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"groupcast/server"
	"groupcast/server/control"
)

// restart stops a server and becomes a new one, with the arguments, environment,
// directory and resources that the old one was started with: in the background if
// that was, or -d says so, else in the foreground of this terminal. The program is
// this one: that may be a newer version. Its settings are checked first, since a
// server that cannot start again should not be stopped.
func restart(ctx context.Context, flags restartFlags, stdout, stderr io.Writer) error {
	if err := checkTimeout(flags.Timeout); err != nil {
		return err
	}
	client, info, err := flags.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	peer, err := client.Peer(ctx)
	if err != nil {
		return err
	}
	defer peer.Close()
	if !peer.Ours() {
		return notOwnError{peer.UID}
	}
	command, err := commandOf(ctx, client, peer)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if len(command.Args) < 2 || command.Args[1] != "start" {
		return errors.New("the server was not started by this command, but inside of another program")
	}
	if flags.Daemon && !info.Daemon {
		command.Args = slices.Insert(command.Args, 2, "--daemon")
	}
	// The priority is a thread's: the check and the new server are started by this one.
	runtime.LockOSThread()
	for _, warning := range takeResources(command.Resources) {
		complain(stderr, warning)
	}
	if err := checkAgain(ctx, self, command, info); err != nil {
		return err
	}
	began := time.Now()
	if err := end(ctx, client, peer, control.Stop{Graceful: flags.Graceful, Code: restartCode},
		flags.Timeout); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stdout, "Stopped: pid %d, in %s. Starting again.\n", info.PID,
		time.Since(began).Round(10*time.Millisecond)); err != nil {
		return err
	}
	if err := os.Chdir(command.Dir); err != nil {
		return fmt.Errorf("start again: %w", err)
	}
	return fmt.Errorf("start again: %w", syscall.Exec(self, command.Args, command.Env))
}

// notOwnError is about a server of another user. Not even root runs what that says.
type notOwnError struct{ uid int }

func (e notOwnError) Error() string {
	return fmt.Sprintf("the server belongs to user %d: only that user can restart it", e.uid)
}

// Is makes it an error of permission.
func (notOwnError) Is(target error) bool { return target == control.ErrDenied }

// commandOf is how a server was started, as it says itself; if it has given up this
// user's rights since (--user), what it says is not for this user to run, and what
// was written down before that counts.
func commandOf(ctx context.Context, client *control.Client, peer *control.Peer) (control.Command, error) {
	now := peer.RunsAs()
	if now < 0 || now == peer.UID {
		return client.Command(ctx)
	}
	command, err := control.ReadRecord(client.Path, peer.PID)
	if err != nil {
		return command, fmt.Errorf("the server runs as user %d by now (--user), and there is no record of how user %d "+
			"has started it: %w", now, peer.UID, err)
	}
	return command, nil
}

// checkAgain runs the new command with --check. What the old server has, the new
// one can have.
func checkAgain(ctx context.Context, self string, command control.Command, old control.Info) error {
	running := server.Running{PID: old.PID}
	for _, l := range old.Listeners {
		running.Addresses = append(running.Addresses, l.Address)
	}
	text, err := json.Marshal(running)
	if err != nil {
		return err
	}
	checking := exec.CommandContext(ctx, self, slices.Insert(slices.Clone(command.Args[1:]), 1, "--check")...)
	checking.Env, checking.Dir = append(slices.Clone(command.Env), runningVariable+"="+string(text)), command.Dir
	var complaints bytes.Buffer
	checking.Stderr = &complaints
	err = checking.Run()
	if err == nil {
		return nil
	}
	errs := []error{}
	if _, refused := errors.AsType[*exec.ExitError](err); !refused {
		errs = append(errs, err) // its directory is gone, say
	}
	for line := range strings.Lines(complaints.String()) {
		errs = append(errs, errors.New(strings.TrimPrefix(strings.TrimSpace(line), "groupcast: ")))
	}
	return errors.Join(append(errs, errors.New("not restarted: the server runs on as it is"))...)
}
