package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gobwas/ws"

	"groupcast/protocol"
	"groupcast/server/control"
)

// stop ends a server and waits until its process is gone.
func stop(ctx context.Context, flags stopFlags, stdout io.Writer) error {
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
	began := time.Now()
	if err := end(ctx, client, peer, control.Stop{Graceful: flags.Graceful, Code: ws.StatusGoingAway},
		flags.Timeout); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "Stopped: pid %d, in %s.\n", info.PID, time.Since(began).Round(10*time.Millisecond))
	return err
}

// endSlack is how much longer than its --drain a server may take to be gone. It
// gives up on hanging loops five seconds after it.
const endSlack = 10 * time.Second

// end has a server stop, and waits until its process is gone: for timeout, or if
// that is 0 for as long as the server itself allows.
func end(ctx context.Context, client *control.Client, peer *control.Peer, how control.Stop,
	timeout time.Duration,
) error {
	stopping, err := client.Stop(ctx, how)
	if err != nil {
		return err
	}
	if timeout == 0 && !how.Graceful {
		timeout = time.Duration(stopping.DrainSeconds*float64(time.Second)) + endSlack
	}
	waiting := ctx
	if timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		waiting = limited
	}
	err = peer.Gone(waiting, client.Path)
	switch {
	case err == nil:
		// A server that has given up its rights may not remove what root has made.
		control.SweepSocket(client.Path)
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("not waiting any longer: pid %d goes on stopping", stopping.PID)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("pid %d was told to stop, and is still there after %s", stopping.PID, timeout)
	}
	return fmt.Errorf("wait for pid %d: %w", stopping.PID, err)
}

// restartCode tells sessions that they may come back.
const restartCode = protocol.StatusServiceRestart

func checkTimeout(timeout time.Duration) error {
	if timeout < 0 {
		return fmt.Errorf("--timeout: wants 0s or more, got %s", timeout)
	}
	return nil
}
