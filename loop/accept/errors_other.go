//go:build !linux

package accept

import "syscall"

// ofThisSystem are errors of accept that others do not have.
var ofThisSystem []syscall.Errno
