package accept

import "golang.org/x/sys/unix"

// transient are the errors of accept(2) after which accepting may go on.
var transient = append(ofThisSystem,
	// The machine is out of something.
	unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM,
	// The call was disturbed.
	unix.EINTR, unix.EAGAIN,
	// One peer, and the way to it.
	unix.ECONNABORTED, unix.ECONNRESET, unix.EPERM, unix.EPROTO, unix.ENOPROTOOPT, unix.ENETDOWN, unix.ENETUNREACH,
	unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.EOPNOTSUPP, unix.ETIMEDOUT,
)
