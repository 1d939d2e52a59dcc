//go:build linux && (amd64 || arm64)

package reactor

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawWrite hands b to the socket without waiting and says how many bytes the
// kernel took; errno is 0 or EAGAIN in good times. b is not empty.
//
// It is the one place where a loop writes. The call does not tell Go's
// scheduler: told of each of ten thousand short sends, its monitor thread keeps
// taking the processor away from the loop. In exchange the thread cannot be
// preempted while it is in the kernel, so callers keep b small (maxWriteBytes).
func rawWrite(fd int32, b []byte) (n int, errno unix.Errno) {
	for {
		r, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))),
			uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		if e == 0 {
			return int(r), 0
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}
