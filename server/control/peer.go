package control

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// Peer is the process at the other end of a control socket, as the kernel knows it.
type Peer struct {
	PID int // 0: not known, or not to be seen from here
	UID int // -1: not known

	process *os.File // its pidfd, where there is such a thing
}

// credentials are what the kernel says of who listens on a socket.
type credentials struct {
	pid int // 0: not known
	uid int // -1: not known
}

// Peer finds out who listens on the socket.
func (c *Client) Peer(ctx context.Context) (*Peer, error) {
	conn, who, err := dial(ctx, c.Path)
	if err != nil {
		return nil, c.explain(err)
	}
	defer conn.Close()
	return peerOf(who), nil
}

// Ours tells whether it runs as the same user as this process.
func (p *Peer) Ours() bool { return p.UID == os.Geteuid() }

// goneEvery is how often Gone looks where it cannot be told.
const goneEvery = 20 * time.Millisecond

// Gone waits until the process behind path has ended, or ctx has.
func (p *Peer) Gone(ctx context.Context, path string) error {
	if p.process != nil {
		return p.waitProcess(ctx)
	}
	ticker := time.NewTicker(goneEvery)
	defer ticker.Stop()
	for {
		conn, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			_ = conn.Close()
		}
		ended := p.PID == 0 || errors.Is(syscall.Kill(p.PID, 0), syscall.ESRCH)
		if (errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED)) && ended {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close lets go of the process.
func (p *Peer) Close() {
	if p.process != nil {
		_ = p.process.Close()
	}
}
