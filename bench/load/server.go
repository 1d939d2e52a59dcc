package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"groupcast/bench/internal/process"
)

// server is one that this program has started, and will end.
type server struct {
	*process.Process
	addr string
}

const (
	listensWithin = 10 * time.Second
	stopGrace     = 5 * time.Second // then SIGKILL to it and its workers
)

// startServer runs the command by the shell, with {port} replaced by a free one, pinned from its first moment on, and
// returns when it accepts connections.
func startServer(ctx context.Context, command string, cpus *unix.CPUSet) (*server, error) {
	if !strings.Contains(command, "{port}") {
		return nil, errors.New("the server's command must say {port} where its port belongs")
	}
	addresses, err := process.FreeAddresses(1)
	if err != nil {
		return nil, err
	}
	s := &server{addr: addresses[0]}
	_, port, _ := net.SplitHostPort(s.addr)
	s.Process, err = process.Start(process.Command{
		Name: "the server",
		Args: []string{"/bin/sh", "-c", "exec " + strings.ReplaceAll(command, "{port}", port)},
		OnThread: func() error {
			if cpus == nil {
				return nil
			}
			if err := unix.SchedSetaffinity(0, cpus); err != nil {
				return fmt.Errorf("pin it: %w", err)
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	if err := s.AwaitListening(ctx, listensWithin, s.addr); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) stop() { s.Stop(stopGrace) }
