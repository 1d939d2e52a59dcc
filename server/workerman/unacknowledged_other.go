//go:build !linux

package workerman

import "net"

// unacknowledgedBytes is not known here: these systems have no such question that
// is the same everywhere.
func unacknowledgedBytes(net.Conn) (n int, known bool) { return 0, false }
