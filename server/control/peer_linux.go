package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// credentialsOf asks the kernel who made the listening socket.
func credentialsOf(conn *net.UnixConn) (credentials, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return credentials{}, err
	}
	var of *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		of, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return credentials{}, err
	}
	if failed != nil {
		return credentials{}, fmt.Errorf("ask who listens: %w", failed)
	}
	return credentials{int(of.Pid), int(of.Uid)}, nil
}

// peerOf finds the process. A pidfd stands for that very one: its number may
// become another's, the descriptor may not.
func peerOf(who credentials) *Peer {
	p := &Peer{PID: who.pid, UID: who.uid}
	if p.PID > 0 {
		// Where the kernel has none, or forbids it, Gone has another way.
		if fd, err := unix.PidfdOpen(p.PID, 0); err == nil {
			p.process = os.NewFile(uintptr(fd), "pidfd")
		}
	}
	return p
}

// RunsAs is the user that the process runs as by now, which may not be the one who
// made the socket; -1 if that is not known.
func (p *Peer) RunsAs() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID))
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(text)) {
		if ids, found := strings.CutPrefix(line, "Uid:"); found {
			var real, effective int
			if _, err := fmt.Sscan(ids, &real, &effective); err == nil {
				return effective
			}
		}
	}
	return -1
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
