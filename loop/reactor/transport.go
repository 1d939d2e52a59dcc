package reactor

import "golang.org/x/sys/unix"

// transport is how the bytes of a session get out and in. There is one for each kind
// of session, so that sessions of one reactor may differ.
//
// All of it is called on the session's loop, and never waits.
type transport struct {
	// send hands b, which is not empty, to the peer and returns how many bytes were
	// taken; errno is 0 or EAGAIN in good times.
	send func(s *Session, b []byte) (n int, errno unix.Errno)
	// receive returns what the peer meant by the bytes that came; nil: just these.
	receive func(s *Session, b []byte) []byte
	// halfClose says that nothing more will be sent.
	halfClose func(s *Session) error
}

// via is a session's kind of transport, an index into transports.
type via uint8

const viaPlain via = iota // the socket itself

var transports = [...]transport{
	viaPlain: {
		send:      func(s *Session, b []byte) (int, unix.Errno) { return s.r.write(s.fd, b) },
		halfClose: func(s *Session) error { return unix.Shutdown(int(s.fd), unix.SHUT_WR) },
	},
}

// receive is what the peer meant by the bytes that gnet has read.
func (s *Session) receive(b []byte) []byte {
	if f := transports[s.via].receive; f != nil {
		return f(s, b)
	}
	return b
}
