package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"groupcast/server/control"
)

// restart stops a server and becomes a new one, with the arguments, environment
// and directory that the old one was started with: in the background if that was,
// else in the foreground of this terminal. The program is this one: that may be a
// newer version. Its settings are checked first, since a server that cannot
// start again should not be stopped.
func restart(ctx context.Context, flags restartFlags, stdout io.Writer) error {
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
		return fmt.Errorf("the server belongs to user %d: only that user can restart it", peer.UID)
	}
	command, err := client.Command(ctx)
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
	if err := checkAgain(ctx, self, command); err != nil {
		return err
	}
	began := time.Now()
	if err := end(ctx, client, peer, control.Stop{Graceful: flags.Graceful, Code: restartCode}, flags.Timeout); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stdout, "Stopped: pid %d, in %s. Starting again.\n", info.PID, time.Since(began).Round(10*time.Millisecond)); err != nil {
		return err
	}
	if err := os.Chdir(command.Dir); err != nil {
		return fmt.Errorf("start again: %w", err)
	}
	return fmt.Errorf("start again: %w", syscall.Exec(self, command.Args, command.Env))
}

// checkAgain runs the new command with --check.
func checkAgain(ctx context.Context, self string, command control.Command) error {
	checking := exec.CommandContext(ctx, self, append(slices.Clone(command.Args[1:]), "--check")...)
	checking.Env, checking.Dir = command.Env, command.Dir
	var complaints bytes.Buffer
	checking.Stderr = &complaints
	err := checking.Run()
	if _, refused := errors.AsType[*exec.ExitError](err); !refused {
		return err
	}
	errs := []error{}
	for line := range strings.Lines(complaints.String()) {
		errs = append(errs, errors.New(strings.TrimPrefix(strings.TrimSpace(line), "groupcast: ")))
	}
	return errors.Join(append(errs, errors.New("not restarted: the server runs on as it is"))...)
}
