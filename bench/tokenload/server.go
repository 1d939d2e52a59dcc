package main

import (
	"context"
	"time"

	"groupcast/bench/internal/process"
)

// server is the groupcast that is looked at.
// Owner: the run.
type server struct {
	*process.Process
	address string
}

// patience is how long anything may take that is no figure.
const patience = 30 * time.Second

// startServer starts the program on a free port, and returns when it listens.
func startServer(ctx context.Context, program string, flags ...string) (*server, error) {
	addresses, err := process.FreeAddresses(1)
	if err != nil {
		return nil, err
	}
	s := &server{address: addresses[0]}
	s.Process, err = process.Start(process.Command{Name: "the server", Args: append([]string{
		program, "start", "--listen", s.address, "--api", "none", "--control", "none", "--log-level", "warn",
	}, flags...)})
	if err != nil {
		return nil, err
	}
	if err := s.AwaitListening(ctx, patience, s.address); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) stop() { s.Stop(patience) }
