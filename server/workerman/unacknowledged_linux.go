package workerman

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"groupcast/server/door"
)

// unacknowledgedBytes is how many bytes that were written the peer's kernel has
// not acknowledged, the end of the connection included.
func unacknowledgedBytes(c net.Conn) (n int, known bool) {
	socket, ok := door.Socket(c).(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, false
	}
	failed := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	return n, failed == nil && err == nil
}
