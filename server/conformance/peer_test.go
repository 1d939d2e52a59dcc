package conformance

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second

// peer is a client that knows only bytes.
// Owner: the test; one more goroutine may write.
type peer struct {
	t  *testing.T
	c  net.Conn
	in *bufio.Reader
}

// received is a frame of the server's.
type received struct {
	op      ws.OpCode
	payload string
}

func (r received) String() string {
	return fmt.Sprintf("opcode %d %.100q (%d)", r.op, r.payload, len(r.payload))
}

// key is the RFC's example, whose answer it has, too.
const (
	key    = "dGhlIHNhbXBsZSBub25jZQ=="
	answer = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// connect connects, with TLS where secure says how, and upgrades. Headers are further lines.
func connect(t *testing.T, address string, secure *tls.Config, headers ...string) *peer {
	t.Helper()
	c, err := (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	if secure != nil {
		secured := tls.Client(c, secure)
		if err := secured.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		c = secured
	}
	p := &peer{t, c, bufio.NewReader(c)}
	head := "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + "\r\n"
	p.write([]byte(head + strings.Join(append(headers, ""), "\r\n") + "\r\n"))
	response, err := http.ReadResponse(p.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols || response.Header.Get("Sec-WebSocket-Accept") != answer {
		t.Fatalf("answered %s, %v", response.Status, response.Header)
	}
	if offered := response.Header["Sec-Websocket-Extensions"]; offered != nil {
		t.Fatalf("extensions are accepted: %q", offered)
	}
	return p
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.c.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// send sends one frame.
func (p *peer) send(s sending) {
	p.t.Helper()
	p.write(appendFrame(nil, s.first, s.payload, masks[0]))
}

// read reads one frame, which must be as a server's are: whole, not masked, without reserved
// bits, its length in as few bytes as possible. io.EOF is the orderly end.
func (p *peer) read() (received, error) {
	var head [2]byte
	if n, err := io.ReadFull(p.in, head[:]); err != nil {
		if n > 0 {
			err = fmt.Errorf("a frame of %d bytes", n)
		}
		return received{}, err
	}
	if head[0]&0xf0 != fin || head[1]&0x80 != 0 {
		return received{}, fmt.Errorf("frame header % x: not final, with reserved bits or masked", head)
	}
	n := uint64(head[1])
	if n >= 126 {
		size, least := 2, uint64(126)
		if n == 127 {
			size, least = 8, 1<<16
		}
		var long [8]byte
		if _, err := io.ReadFull(p.in, long[8-size:]); err != nil {
			return received{}, fmt.Errorf("in a length: %w", noEOF(err))
		}
		if n = binary.BigEndian.Uint64(long[:]); n < least {
			return received{}, fmt.Errorf("a length of %d in %d bytes", n, size)
		}
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(p.in, b); err != nil {
		return received{}, fmt.Errorf("in a payload: %w", noEOF(err))
	}
	return received{ws.OpCode(head[0] & 0xf), string(b)}, nil
}

// noEOF makes the end in the middle of a frame another error than the orderly end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// want reads one text message.
func (p *peer) want(payload string) {
	p.t.Helper()
	got, err := p.read()
	if err != nil || got.op != ws.OpText || got.payload != payload {
		p.t.Fatalf("received %v, %v; want %q", got, err, payload)
	}
}
