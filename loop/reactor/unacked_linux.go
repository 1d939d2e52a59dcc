package reactor

import "golang.org/x/sys/unix"

// unackedBytes is how many bytes the kernel holds of what it took for fd: not
// sent yet, or not acknowledged. 0 where that cannot be asked, of a socket that
// is broken say.
func unackedBytes(fd int32) int {
	n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}
