package reactor

import "golang.org/x/sys/unix"

// transport is how the bytes of a session get out and in. There is one for each kind
// of session, so that sessions of one reactor may differ. Bytes are plain ones: those of
// the session's queue, whatever becomes of them on the way.
//
// All of it is called on the session's loop, and never waits.
type transport struct {
	// send hands b, which is not empty, to the peer and returns how many bytes were
	// taken; errno is 0 or EAGAIN in good times. Where fewer were taken, await follows. A
	// transport that has taken bytes which the socket has not, asks for room by itself.
	send func(s *Session, b []byte) (n int, errno unix.Errno)
	// await asks for news: of room in the socket, or that it is broken.
	await func(s *Session) error
	// ready takes the news and reports whether send is to be tried again; if not, it has
	// asked for more. A socket that is broken is tried, which says so. nil: always.
	ready func(s *Session) bool
	// unacked is how many of the bytes that were taken the peer's side has not acknowledged.
	unacked func(s *Session) int
	// receive returns what the peer meant by the bytes that came; nil: just these.
	receive func(s *Session, b []byte) []byte
	// halfClose says that nothing more will be sent, behind all that was.
	halfClose func(s *Session) error
	// reset has the connection end without ceremony once it is closed.
	reset func(s *Session)
	// release gives back what is held for a session that is gone. nil: nothing.
	release func(s *Session)
}

const viaPlain via = iota // the socket itself

var transports = [...]transport{
	viaPlain: {
		send:      func(s *Session, b []byte) (int, unix.Errno) { return s.r.write(s.fd, b) },
		await:     func(s *Session) error { return s.r.watch(s) },
		unacked:   func(s *Session) int { return s.r.unacked(s.fd) },
		halfClose: func(s *Session) error { return unix.Shutdown(int(s.fd), unix.SHUT_WR) },
		reset: func(s *Session) {
			_ = unix.SetsockoptLinger(int(s.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		},
	},
}

// ready reports whether what is queued for s is to be sent, now that there is news of its
// socket.
func (s *Session) ready() bool {
	f := transports[s.via].ready
	return f == nil || f(s)
}

// receive is what the peer meant by the bytes that gnet has read.
func (s *Session) receive(b []byte) []byte {
	if f := transports[s.via].receive; f != nil {
		return f(s, b)
	}
	return b
}
