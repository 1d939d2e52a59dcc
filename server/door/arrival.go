package door

import (
	"errors"
	"net"
	"time"

	"groupcast/loop/accept"
	"groupcast/loop/tlsconn"
	"groupcast/protocol"
)

// Arrival is a connection at the end of the road. Its deadline is the road's.
// Owner: Then.
type Arrival struct {
	Conn net.Conn // as it was accepted: what a loop is given
	Peer Peer
	// Began is when it was accepted.
	Began time.Time
	// TLS is the connection to be read from, with TLS; nil without. Its Session is for a
	// loop, its own Conn for net/http.
	TLS *tlsconn.Conn
	// Read is what has been read behind the PROXY header, with TLS what it has decrypted.
	// Head, if one was to be read, is the beginning of it.
	Read, Head []byte
	// Verdict is what Head will be answered, and aliases it. Zero without.
	Verdict protocol.HandshakeResult
}

// Stream is the connection as it is read from and written to: of what has been read nothing
// is missing, and its address is the client's.
func (a *Arrival) Stream() net.Conn {
	below := a.Conn
	if a.TLS != nil {
		below = a.TLS
	}
	if len(a.Read) == 0 && a.Peer.Client == AddrPort(below.RemoteAddr()) {
		return below
	}
	return &readAhead{Conn: below, read: a.Read, client: a.Peer.Addr()}
}

// Refuse answers and closes. It blocks up to a second.
func (a *Arrival) Refuse(answer []byte) {
	if a.TLS != nil {
		accept.Answer(a.TLS, answer)
	}
	accept.Answer(a.Conn, answer) // which is closed by now, with TLS
}

// readAhead is a connection of which something has been read: that comes first. A proxy may
// have told who its client is.
type readAhead struct {
	net.Conn
	read   []byte
	client net.Addr // nil: Conn's
}

// NetConn is the connection below.
func (c *readAhead) NetConn() net.Conn { return c.Conn }

// RemoteAddr is the client's address.
func (c *readAhead) RemoteAddr() net.Addr {
	if c.client != nil {
		return c.client
	}
	return c.Conn.RemoteAddr()
}

func (c *readAhead) Read(p []byte) (int, error) {
	if len(c.read) > 0 {
		n := copy(p, c.read)
		c.read = c.read[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite ends the writing half, where the connection has one.
func (c *readAhead) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
