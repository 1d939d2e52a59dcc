package loop

import (
	"net"
	"time"

	"groupcast/loop/tlsconn"
)

// Admission is a connection that was accepted elsewhere, and what is known of it.
type Admission struct {
	// Conn must be a *net.TCPConn or a *net.UnixConn.
	Conn net.Conn
	// Began is when the connection was accepted: its HandshakeTimeout runs from then. The
	// zero value is now.
	Began time.Time
	// Read is what has been read of it already (behind a PROXY header, or the request's
	// head): the loop takes it for the connection's first bytes, and keeps it. With TLS it
	// is what TLS has decrypted.
	Read []byte
	// TLS is the connection's after its handshake, nil where there is none. The loop
	// decrypts and encrypts from here on.
	TLS *tlsconn.Session
	// Remote is the client's address where Conn's own is a proxy's: limits count it, and
	// listings show it. nil: Conn's.
	Remote net.Addr
	// Who is who its peer is known to be, nil for the anonymous; see Identify.
	Who *Identity
}

func (a *Admission) remote() net.Addr {
	if a.Remote != nil {
		return a.Remote
	}
	return a.Conn.RemoteAddr()
}
