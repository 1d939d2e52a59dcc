package tlsconn

import (
	"context"
	"crypto/tls"
	"net"
)

// Conn is the blocking half of a connection's life: after the handshake, before the loop.
// It is a net.Conn with crypto/tls's deadlines, on which a request's head can be read and a
// refusal be written.
// Owner: the goroutine that shook hands.
type Conn struct {
	*tls.Conn
	session *Session
}

// Handshake shakes hands with a client on c, as the server that config describes. It blocks
// until ctx ends at the latest; a deadline of ctx becomes c's, and stays in force
// afterwards. config should have DynamicRecordSizingDisabled: Seal cuts small records
// otherwise.
//
// An error comes from crypto/tls (or is ctx's); c is then the caller's to close. Where ctx
// ended, c is closed already.
func Handshake(ctx context.Context, c net.Conn, config *tls.Config) (*Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	s := &Session{wire: wire{conn: c}}
	s.tls = tls.Server(&s.wire, config)
	if err := s.tls.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return &Conn{Conn: s.tls, session: s}, nil
}

// Session ends the blocking half: from now on the session belongs to the caller's loop, and
// c must not be used any more. The socket below is the caller's; the session has let go
// of it. Deadlines that were set on the socket stay.
//
// What the client sent behind its Finished may be in the session already: Read before the
// first Feed.
func (c *Conn) Session() *Session {
	c.session.wire.conn = nil
	return c.session
}
