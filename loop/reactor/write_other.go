//go:build unix && !(linux && (amd64 || arm64))

package reactor

import (
	"errors"

	"golang.org/x/sys/unix"
)

// rawWrite hands b to the non-blocking socket and says how many bytes the
// kernel took; errno is 0 or EAGAIN in good times. b is not empty.
func rawWrite(fd int32, b []byte) (n int, errno unix.Errno) {
	for {
		n, err := unix.Write(int(fd), b)
		if err == nil {
			return n, 0
		}
		if !errors.As(err, &errno) {
			return 0, unix.EIO
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}
