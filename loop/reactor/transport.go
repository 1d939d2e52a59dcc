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
	// pending reports whether the transport has bytes that it took and the socket has not:
	// ready comes once they are gone. nil: never.
	pending func(s *Session) bool
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

// resetSocket has the kernel drop what it holds for the peer, and say so.
func resetSocket(s *Session) {
	_ = unix.SetsockoptLinger(int(s.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}
