package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel who made the listening socket. A pidfd stands for that
// very process: its number may become another's, the descriptor may not.
func peerOf(conn *net.UnixConn) (*Peer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var credentials *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		credentials, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, fmt.Errorf("ask who listens: %w", failed)
	}
	p := &Peer{PID: int(credentials.Pid), UID: int(credentials.Uid)}
	if p.PID > 0 {
		// Where the kernel has none, or forbids it, Gone has another way.
		if fd, err := unix.PidfdOpen(p.PID, 0); err == nil {
			p.process = os.NewFile(uintptr(fd), "pidfd")
		}
	}
	return p, nil
}

// lookEvery is how often waitProcess looks at its context, in milliseconds.
const lookEvery = 100

// waitProcess waits for the pidfd, which becomes readable at the end of its
// process, whether or not its parent has taken note of that.
func (p *Peer) waitProcess(ctx context.Context) error {
	raw, err := p.process.SyscallConn()
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		var ended bool
		var failed error
		if err := raw.Control(func(fd uintptr) {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(fds, lookEvery)
			if err != nil && !errors.Is(err, unix.EINTR) {
				failed = err
			}
			ended = n > 0
		}); err != nil {
			return err
		}
		if ended || failed != nil {
			return failed
		}
	}
	return ctx.Err()
}
