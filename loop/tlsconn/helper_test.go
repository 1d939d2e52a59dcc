package tlsconn

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"groupcast/loop/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Main(m)) }

const patience = 20 * time.Second

var versions = map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}

var certificate = sync.OnceValues(func() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(crand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
})

// configs are a server's configuration and that of a client who speaks version alone.
func configs(tb testing.TB, version uint16) (server, client *tls.Config) {
	tb.Helper()
	c, err := certificate()
	if err != nil {
		tb.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c.Leaf)
	server = &tls.Config{Certificates: []tls.Certificate{c}, DynamicRecordSizingDisabled: true}
	client = &tls.Config{RootCAs: roots, ServerName: "localhost", DynamicRecordSizingDisabled: true}
	client.MinVersion, client.MaxVersion = version, version
	return server, client
}

// sockets is a connection over the kernel, both of its ends.
func sockets(tb testing.TB) (server, client net.Conn) {
	tb.Helper()
	server, client = connect(tb)
	tb.Cleanup(func() { _, _ = server.Close(), client.Close() })
	return server, client
}

// connect is as sockets; the caller closes them.
func connect(tb testing.TB) (server, client net.Conn) {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		tb.Fatal(err)
	}
	if server, err = ln.Accept(); err != nil {
		tb.Fatal(err)
	}
	for _, c := range []net.Conn{server, client} {
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			tb.Fatal(err)
		}
	}
	return server, client
}

// shredder is a connection that is written to and read from in pieces of 1 to 700 bytes.
type shredder struct{ net.Conn }

func (s shredder) Write(p []byte) (n int, err error) {
	for err == nil && n < len(p) {
		var m int
		m, err = s.Conn.Write(p[n:min(len(p), n+1+rand.IntN(700))])
		n += m
	}
	return n, err
}

func (s shredder) Read(p []byte) (int, error) {
	return s.Conn.Read(p[:min(len(p), 1+rand.IntN(700))])
}

// holder is a connection whose writes wait for release, but for the first one, the
// ClientHello. So a Finished and what follows leave in one write.
type holder struct {
	net.Conn
	sent bool
	held []byte
}

func (h *holder) Write(p []byte) (int, error) {
	if !h.sent {
		h.sent = true
		return h.Conn.Write(p)
	}
	h.held = append(h.held, p...)
	return len(p), nil
}

func (h *holder) release() error {
	_, err := h.Conn.Write(h.held)
	h.held = nil
	return err
}

// handshake shakes hands on the server's side, within the patience of a test.
func handshake(c net.Conn, config *tls.Config) (*Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return Handshake(ctx, c, config)
}

// pair is a session and a client that have shaken hands.
func pair(tb testing.TB, server, client *tls.Config) (s *Session, socket net.Conn, c *tls.Conn) {
	tb.Helper()
	s, socket, c = shaken(tb, server, client)
	tb.Cleanup(func() { _, _ = socket.Close(), c.NetConn().Close() })
	return s, socket, c
}

// shaken is as pair; the caller closes the sockets.
func shaken(tb testing.TB, server, client *tls.Config) (s *Session, socket net.Conn, c *tls.Conn) {
	tb.Helper()
	socket, raw := connect(tb)
	c = tls.Client(raw, client)
	failed := make(chan error, 1)
	go func() {
		failed <- c.Handshake()
	}()
	conn, err := handshake(socket, server)
	if err = errors.Join(err, <-failed); err != nil {
		tb.Fatal(err)
	}
	return conn.Session(), socket, c
}

// loop is what an event loop does for a session, on a goroutine of the test: it feeds what
// the socket brings in pieces, calls got with the plaintext, and writes what the session
// says, in pieces. It ends as the session does.
type loop struct {
	s      *Session
	socket net.Conn
	lazy   bool   // what Read left to be sent goes with the next Seal
	out    []byte // the buffer that an event loop has for all its sessions
}

func (l *loop) run(got func(plain []byte) error) error {
	buffer, plain := make([]byte, 64<<10), make([]byte, 1+rand.IntN(9000))
	fed := 0
	for {
		for more := true; more; {
			var n int
			var err error
			n, more, err = l.s.Read(plain)
			if n > 0 {
				if err := got(plain[:n]); err != nil {
					return err
				}
			}
			if l.s.Buffered() > 0 && (!l.lazy || err != nil) {
				if err := l.write(l.s.Flush(l.out[:0])); err != nil {
					return err
				}
			}
			if err != nil {
				return l.s.Ended()
			}
		}
		// What was fed must not be needed any more.
		for i := range buffer[:fed] {
			buffer[i] = 0xee
		}
		n, err := l.socket.Read(buffer[:1+rand.IntN(len(buffer))])
		if n == 0 && errors.Is(err, io.EOF) {
			return l.s.Ended()
		}
		if err != nil {
			return err
		}
		l.s.Feed(buffer[:n])
		fed = n
	}
}

// seal sends plain.
func (l *loop) seal(plain []byte) error {
	sealed, err := l.s.Seal(l.out[:0], plain)
	l.out = sealed
	return errors.Join(err, l.write(sealed))
}

func (l *loop) write(b []byte) error {
	_, err := shredder{l.socket}.Write(b)
	return err
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// readAll reads from s what was fed.
func readAll(tb testing.TB, s *Session) []byte {
	tb.Helper()
	var all bytes.Buffer
	plain := make([]byte, 4096)
	for {
		n, more, err := s.Read(plain)
		if err != nil {
			tb.Fatal(err)
		}
		all.Write(plain[:n])
		if !more {
			return all.Bytes()
		}
	}
}
