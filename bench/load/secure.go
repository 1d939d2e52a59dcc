package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// handshakePatience is how long a TLS handshake, or the connection before it, may take.
const handshakePatience = 30 * time.Second

// tlsOptions are what --tls and --tls-resume make: the certificate is not looked at, since it is the server's CPU that
// is measured and not trust. Nil without TLS.
func (o *options) tlsConfig() *tls.Config {
	if !o.TLS {
		return nil
	}
	config := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", DynamicRecordSizingDisabled: true}
	if o.TLSResume {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	return config
}

// secure is TLS on a connection: crypto/tls on the loop's own, non-blocking socket. A handshake cannot be interrupted,
// so a goroutine does that on a blocking one before.
// Owner: the handshake's goroutine, then the loop's.
type secure struct {
	conn *tls.Conn
	wire wire
}

// wire is what a tls.Conn reads from and writes to.
type wire struct {
	net.Conn        // during the handshake; nil then
	fd       int32  // then
	out      []byte // what is sealed
}

// errLater is temporary, as crypto/tls understands it: the next Read goes on where this one has stopped.
var errLater error = &later{}

type later struct{}

func (*later) Error() string   { return "nothing has come yet" }
func (*later) Timeout() bool   { return true }
func (*later) Temporary() bool { return true }

func (w *wire) Read(b []byte) (int, error) {
	if w.Conn != nil {
		return w.Conn.Read(b)
	}
	n, err := unix.Read(int(w.fd), b)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0, errLater
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (w *wire) Write(b []byte) (int, error) {
	if w.Conn != nil {
		return w.Conn.Write(b)
	}
	w.out = append(w.out, b...)
	return len(b), nil
}

// SetWriteDeadline is for the alert that CloseWrite sends.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// arrival is a connection behind its handshake.
type arrival struct {
	index  int32
	fd     int32
	secure *secure
	err    error
}

// handshakes are those of a loop.
// Owner: the loop; arrivals come from goroutines.
type handshakes struct {
	config   *tls.Config // nil: no TLS
	resume   bool
	under    sync.WaitGroup
	arrivals chan arrival
}

// begin connects and shakes hands on a goroutine.
func (l *loop) shakeHands(i int32) {
	c := &l.conns[i]
	c.stage, c.since = connecting, clock()
	l.dialing++
	dialer := &net.Dialer{Timeout: handshakePatience}
	if l.sources > 1 {
		l.dialed++
		dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+l.dialed%l.sources))}
	}
	small := c.role == sleeper
	dialer.Control = func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
			if small {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 16<<10)
			}
		})
	}
	l.shaking.under.Go(func() {
		a := arrival{index: i}
		a.fd, a.secure, a.err = l.shaking.one(dialer, l.addr)
		l.shaking.arrivals <- a
	})
}

func (h *handshakes) one(dialer *net.Dialer, address string) (int32, *secure, error) {
	socket, err := dialer.Dial("tcp", address)
	if err != nil {
		return -1, nil, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = socket.Close() }() // its descriptor lives on as another
	s := &secure{wire: wire{Conn: socket, fd: -1}}
	s.conn = tls.Client(&s.wire, h.config)
	ctx, cancel := context.WithTimeout(context.Background(), handshakePatience)
	defer cancel()
	if err := s.conn.HandshakeContext(ctx); err != nil {
		return -1, nil, fmt.Errorf("TLS handshake: %w", err)
	}
	if h.resume && !s.conn.ConnectionState().DidResume {
		return -1, nil, errors.New("TLS handshake: the server does not resume the session")
	}
	raw, err := socket.(*net.TCPConn).SyscallConn()
	if err != nil {
		return -1, nil, err
	}
	fd, failed := -1, error(nil)
	err = raw.Control(func(old uintptr) { fd, failed = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, failed); err != nil {
		return -1, nil, fmt.Errorf("take over a socket: %w", err)
	}
	s.wire.Conn, s.wire.fd = nil, int32(fd)
	return int32(fd), s, nil
}

// prime gets the ticket that all handshakes of the loop resume by.
func (h *handshakes) prime(address string) error {
	socket, err := tls.DialWithDialer(&net.Dialer{Timeout: handshakePatience}, "tcp", address, h.config)
	if err != nil {
		return fmt.Errorf("first TLS handshake: %w", err)
	}
	defer func() { _ = socket.Close() }()
	// TLS 1.3 sends tickets behind the handshake: they are read on the way to an answer.
	_ = socket.SetDeadline(time.Now().Add(handshakePatience))
	if _, err := io.WriteString(socket, healthRequest); err != nil {
		return fmt.Errorf("first TLS connection: %w", err)
	}
	if _, err := socket.Read(make([]byte, 1)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("first TLS connection: %w", err)
	}
	return nil
}

// arrive takes in the connections whose handshake is done.
func (l *loop) arrive() {
	for {
		select {
		case a := <-l.shaking.arrivals:
			if a.err != nil {
				l.fail(a.err)
				return
			}
			c := &l.conns[a.index]
			c.fd, c.secure = a.fd, a.secure
			if err := l.watch(c, a.index, unix.EPOLL_CTL_ADD, unix.EPOLLIN); err != nil {
				l.fail(err)
				return
			}
			l.upgrade(c)
		default:
			return
		}
	}
}

// abandon closes what is still on its way.
func (h *handshakes) abandon() {
	go func() { h.under.Wait(); close(h.arrivals) }()
	for a := range h.arrivals {
		if a.fd >= 0 {
			_ = unix.Close(int(a.fd))
		}
	}
}

// seal encrypts what is to be written. What the caller then sends is wire.out.
func (s *secure) seal(plain []byte) {
	_, _ = s.conn.Write(plain) // into memory: it cannot fail but for keys used up
}

// receiveSecured reads all that has come: what TLS has read ahead, epoll does not know of.
func (l *loop) receiveSecured(c *conn) {
	for c.stage != closed {
		had := copy(l.buffer, c.partial)
		n, err := c.secure.conn.Read(l.buffer[had : len(l.buffer)-16])
		if n == 0 {
			switch {
			case errors.Is(err, errLater):
			case errors.Is(err, io.EOF):
				l.lost(c, 0)
			case err != nil:
				l.lost(c, unix.ECONNRESET)
			}
			return
		}
		l.now = clock()
		rest := l.take(c, l.buffer[:had+n])
		if c.stage != closed {
			c.partial = append(c.partial[:0], rest...)
		}
	}
}
