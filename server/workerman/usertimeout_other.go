//go:build !linux

package workerman

import (
	"syscall"
	"time"
)

// userTimeout: these systems have no such thing that is the same everywhere.
func userTimeout(time.Duration) func(network, address string, c syscall.RawConn) error { return nil }
