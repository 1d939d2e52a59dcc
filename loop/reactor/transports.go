package reactor

import "golang.org/x/sys/unix"

// The kinds of transport there are, and what a session asks of its own.

const (
	viaPlain via = iota // the socket itself
	viaTLS              // secured.go
)

var transports = [...]transport{
	viaPlain: {
		send:      func(s *Session, b []byte) (int, unix.Errno) { return s.r.write(s.fd, b) },
		await:     func(s *Session) error { return s.r.watch(s) },
		unacked:   func(s *Session) int { return s.r.unacked(s.fd) },
		halfClose: func(s *Session) error { return unix.Shutdown(int(s.fd), unix.SHUT_WR) },
		reset:     resetSocket,
	},
	viaTLS: viaTLSTransport,
}

// ready reports whether what is queued for s is to be sent, now that there is news of its
// socket.
func (s *Session) ready() bool {
	f := transports[s.via].ready
	return f == nil || f(s)
}

// pending reports whether bytes that were sent are not in the socket yet.
func (s *Session) pending() bool {
	f := transports[s.via].pending
	return f != nil && f(s)
}

// receive is what the peer meant by the bytes that gnet has read.
func (s *Session) receive(b []byte) []byte {
	if f := transports[s.via].receive; f != nil {
		return f(s, b)
	}
	return b
}
