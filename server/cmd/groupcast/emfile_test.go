package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// A server at the end of its descriptors goes on serving who is connected,
// answers the others with 503 where it knows its limit, and takes new sessions
// as soon as there is room.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flags  string
		polite bool
	}{
		// A quarter of 128 is its own limit: it knows when to refuse.
		"at its limit": {"", true},
		// Here accept itself fails, with EMFILE.
		"beyond the system's": {"--max-conns=5000", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := launchAs(t, nil, "/bin/sh", "-c",
				`ulimit -n 128 && exec "$0" start --listen=127.0.0.1:0 --loops=2 `+c.flags, os.Args[0])
			address := p.ready()[0]

			first := dial(t, address)
			if status := first.upgrade(); status != http.StatusSwitchingProtocols {
				t.Fatalf("the first: %d", status)
			}
			clients := []*raw{first}
			var refused []*raw
			for len(refused) < 5 {
				if len(clients) > 128 {
					t.Fatal("128 descriptors served more than 128 clients")
				}
				next := dial(t, address)
				next.ask()
				if !c.polite {
					p.until("an answer, or accept to fail", func() bool {
						return next.isAnswered() ||
							strings.Contains(p.err.String(), "accepting pauses")
					})
					if !next.isAnswered() {
						refused = append(refused, next) // it waits to be accepted
						continue
					}
				}
				switch status := next.status(); status {
				case http.StatusSwitchingProtocols:
					clients = append(clients, next)
				case http.StatusServiceUnavailable, 0: // 0: closed
					refused = append(refused, next)
					if c.polite && status == 0 {
						t.Error("refused without a 503")
					}
				default:
					t.Fatalf("status %d", status)
				}
			}
			if len(clients) < 20 {
				t.Errorf("only %d were served", len(clients))
			}
			for i, one := range clients {
				if err := one.ping(fmt.Sprint(i)); err != nil {
					t.Errorf("session %d: %v", i, err)
				}
			}
			// Room again: for as many as have left.
			for _, one := range append(refused, clients[len(clients)-10:]...) {
				_ = one.conn.Close()
			}
			p.until("a new session", func() bool {
				next := dial(t, address)
				return next.upgrade() == http.StatusSwitchingProtocols && next.ping("new") == nil
			})
			if err := first.ping("first"); err != nil {
				t.Errorf("the first session did not survive: %v", err)
			}
		})
	}
}

// raw is a WebSocket client of a few lines, which can be made by the hundred.
type raw struct {
	conn   net.Conn
	reader *bufio.Reader
}

func dial(t *testing.T, address string) *raw {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &raw{c, bufio.NewReader(c)}
}

const upgradeRequest = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// upgrade is the status that the server answers, or 0 if it answers nothing.
func (r *raw) upgrade() int {
	r.ask()
	return r.status()
}

// ask sends the request to upgrade; what became of it is said by status.
func (r *raw) ask() {
	_ = r.conn.SetWriteDeadline(time.Now().Add(patience))
	_, _ = r.conn.Write([]byte(upgradeRequest))
}

// isAnswered says whether something has come by now, if only the end.
func (r *raw) isAnswered() bool {
	_ = r.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := r.reader.Peek(1)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

func (r *raw) status() int {
	_ = r.conn.SetReadDeadline(time.Now().Add(patience))
	response, err := http.ReadResponse(r.reader, nil)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// ping sends a ping command and checks the ack.
func (r *raw) ping(id string) error {
	_ = r.conn.SetDeadline(time.Now().Add(patience))
	command := `{"cmd":"ping","req_id":"` + id + `"}`
	// Masked with zeros, which leaves the text as it is.
	frame := append([]byte{0x81, 0x80 | byte(len(command)), 0, 0, 0, 0}, command...)
	if _, err := r.conn.Write(frame); err != nil {
		return err
	}
	want := `{"cmd":"ack","req_id":"` + id + `"}`
	answer := make([]byte, 2+len(want))
	for n := 0; n < len(answer); {
		m, err := r.reader.Read(answer[n:])
		if err != nil {
			return err
		}
		n += m
	}
	if string(answer[2:]) != want {
		return fmt.Errorf("got %q", answer)
	}
	return nil
}

// join makes it a member of group, and waits for the ack.
func (r *raw) join(t *testing.T, group string) {
	t.Helper()
	command := `{"cmd":"add_group","group_id":"` + group + `","req_id":1}`
	if _, err := r.conn.Write(append([]byte{0x81, 0x80 | byte(len(command)), 0, 0, 0, 0}, command...)); err != nil {
		t.Fatal(err)
	}
	if got := r.message(t); got != `{"cmd":"ack","req_id":1}` {
		t.Fatalf("got %q", got)
	}
}

// message is the next short message that arrives.
func (r *raw) message(t *testing.T) string {
	t.Helper()
	_, payload, err := r.frame()
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}

// closing is the code of the close frame that it waits for, or what came instead.
func (r *raw) closing() string {
	op, payload, err := r.frame()
	if err != nil || op != 8 || len(payload) < 2 {
		return fmt.Sprintf("opcode %d, %q, %v", op, payload, err)
	}
	return fmt.Sprint(int(payload[0])<<8 | int(payload[1]))
}

// frame reads one frame of less than 126 bytes.
func (r *raw) frame() (op byte, payload []byte, err error) {
	_ = r.conn.SetDeadline(time.Now().Add(patience))
	var head [2]byte
	if _, err := io.ReadFull(r.reader, head[:]); err != nil {
		return 0, nil, err
	}
	payload = make([]byte, head[1])
	_, err = io.ReadFull(r.reader, payload)
	return head[0] & 0xf, payload, err
}

// freePort is a port that nobody had a moment ago, and that the kernel gives to
// nobody by itself.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := fmt.Sprint(10000 + rand.IntN(9000))
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}
