package accept

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// ofThisSystem are errors of accept that others do not have.
var ofThisSystem = []syscall.Errno{unix.ENONET}
