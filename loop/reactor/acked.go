package reactor

import "net"

// How far a peer has come, as its transport knows.

func (s *Session) position() position {
	return position{int64(s.bytesOut), int64(transports[s.via].unacked(s))}
}

// gained is how many bytes the other side has taken since from. A unix socket has no
// acknowledgements, and its kernel counts its own overhead, so that what waits in it
// may seem to grow while the peer reads; but it takes more only where the peer has
// read, so both what it takes and what falls count.
func (s *Session) gained(from, to position) int64 {
	if s.isUnix() {
		return to.out - from.out + max(0, from.unacked-to.unacked)
	}
	return to.acked() - from.acked()
}

func (s *Session) isUnix() bool {
	if s.conn == nil {
		return false
	}
	_, unix := s.conn.RemoteAddr().(*net.UnixAddr)
	return unix
}

// outstanding is how many bytes of what there is for s its side has not acknowledged.
func (s *Session) outstanding() int64 { return s.waiting() + int64(transports[s.via].unacked(s)) }
