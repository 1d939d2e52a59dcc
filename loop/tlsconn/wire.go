package tlsconn

import (
	"net"
	"slices"
	"time"
)

// wire is what crypto/tls reads from and writes to: a connection during the handshake, two
// buffers afterwards.
// Owner: the Session; in the blocking half also the goroutines of the Conn's user.
type wire struct {
	conn net.Conn // nil once the loop drives it
	in   []byte   // fed, not yet read by crypto/tls; the caller's memory
	out  []byte   // written by crypto/tls, not yet taken by the caller
}

// errNothing is what Read says when all that was fed is used up.
var errNothing net.Error = nothing{}

// nothing is a temporary net.Error, the only kind that crypto/tls goes on after.
type nothing struct{}

func (nothing) Error() string   { return "no more ciphertext for now" }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

func (w *wire) Read(p []byte) (int, error) {
	if w.conn != nil {
		return w.conn.Read(p)
	}
	if len(w.in) == 0 {
		w.in = nil // lets go of the caller's memory
		return 0, errNothing
	}
	n := copy(p, w.in)
	w.in = w.in[n:]
	return n, nil
}

func (w *wire) Write(p []byte) (int, error) {
	if w.conn != nil {
		return w.conn.Write(p)
	}
	w.out = append(w.out, p...)
	return len(p), nil
}

// NetConn is the connection below; nil once the loop drives it.
func (w *wire) NetConn() net.Conn { return w.conn }

// feed puts b behind what is left. Only where something is left does it copy.
func (w *wire) feed(b []byte) {
	if len(w.in) == 0 {
		w.in = b
		return
	}
	w.in = slices.Concat(w.in, b)
}

// Close closes the connection; a loop's sockets are closed by the loop.
func (w *wire) Close() error {
	if w.conn != nil {
		return w.conn.Close()
	}
	return nil
}

// SetDeadline is for the blocking half. Afterwards deadlines are none of TLS's business,
// but crypto/tls sets one when it writes close_notify.
func (w *wire) SetDeadline(t time.Time) error {
	if w.conn != nil {
		return w.conn.SetDeadline(t)
	}
	return nil
}

// SetReadDeadline is as SetDeadline.
func (w *wire) SetReadDeadline(t time.Time) error {
	if w.conn != nil {
		return w.conn.SetReadDeadline(t)
	}
	return nil
}

// SetWriteDeadline is as SetDeadline.
func (w *wire) SetWriteDeadline(t time.Time) error {
	if w.conn != nil {
		return w.conn.SetWriteDeadline(t)
	}
	return nil
}

// LocalAddr is nil once the loop drives the session: the socket is the loop's.
func (w *wire) LocalAddr() net.Addr {
	if w.conn != nil {
		return w.conn.LocalAddr()
	}
	return nil
}

// RemoteAddr is as LocalAddr.
func (w *wire) RemoteAddr() net.Addr {
	if w.conn != nil {
		return w.conn.RemoteAddr()
	}
	return nil
}
