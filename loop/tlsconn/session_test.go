package tlsconn

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Many clients at a time echo 300 KiB over records that are cut into pieces both ways. What
// they send first leaves together with their Finished.
func TestShreddedRecords(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			var all sync.WaitGroup
			for range 8 {
				socket, raw := sockets(t)
				all.Go(func() {
					conn, err := handshake(socket, server)
					if err != nil {
						t.Error(err)
						return
					}
					l := &loop{s: conn.Session(), socket: socket}
					if err := l.run(l.seal); err != nil {
						t.Errorf("the loop ended with %v", err)
					}
					_ = socket.Close()
				})
				all.Go(func() {
					c := tls.Client(shredder{raw}, client)
					want := randomBytes(300 << 10)
					go func() {
						for rest := want; len(rest) > 0; {
							n := min(len(rest), 1+rand.IntN(20<<10))
							if _, err := c.Write(rest[:n]); err != nil {
								t.Error(err)
								return
							}
							rest = rest[n:]
						}
					}()
					got := make([]byte, len(want))
					if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
						t.Errorf("the echo: %v, equal %v", err, bytes.Equal(got, want))
					}
					if err := c.CloseWrite(); err != nil {
						t.Error(err)
					}
					_, _ = io.Copy(io.Discard, raw)
				})
			}
			all.Wait()
		})
	}
}

// One byte at a time, the ClientHello included.
func TestOneByteAtATime(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			socket, raw := sockets(t)
			done := make(chan error, 1)
			go func() {
				c := tls.Client(bytewise{raw}, client)
				_, err := io.WriteString(c, "hello")
				done <- errors.Join(err, c.CloseWrite())
			}()
			conn, err := handshake(socket, server)
			if err != nil {
				t.Fatal(err)
			}
			s, got, one := conn.Session(), "", make([]byte, 1)
			for err == nil {
				var n int
				if n, _, err = s.Read(one); n > 0 {
					got += string(one)
				} else if err == nil {
					if _, err := socket.Read(one); err != nil {
						t.Fatal(err)
					}
					s.Feed(bytes.Clone(one))
				}
			}
			if got != "hello" || !errors.Is(err, io.EOF) {
				t.Errorf("got %q, %v", got, err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

type bytewise struct{ net.Conn }

func (b bytewise) Write(p []byte) (int, error) {
	for i := range p {
		if n, err := b.Conn.Write(p[i : i+1]); err != nil {
			return i + n, err
		}
	}
	return len(p), nil
}

// What leaves together with the client's Finished, in one write, is not lost. (In TLS 1.2 no
// client may send before it has the server's Finished.)
func TestRecordBehindFinished(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	socket, raw := sockets(t)
	done := make(chan error, 1)
	go func() {
		held := &holder{Conn: raw}
		c := tls.Client(held, client)
		_, err := io.WriteString(c, "first")
		done <- errors.Join(err, held.release())
	}()
	conn, err := handshake(socket, server)
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, conn.Session()); string(got) != "first" {
		t.Errorf("before the first Feed: %q", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A peer that has ended the socket with and without close_notify, and in a record.
func TestEnds(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			for how, end := range map[string]struct {
				by   func(c *tls.Conn, raw *cutter) error
				want error
			}{
				"close_notify":         {func(c *tls.Conn, _ *cutter) error { return c.CloseWrite() }, nil},
				"without close_notify": {func(*tls.Conn, *cutter) error { return nil }, io.ErrUnexpectedEOF},
				"in a record": {func(c *tls.Conn, raw *cutter) error {
					raw.cut = true
					_, err := io.WriteString(c, "lost")
					return err
				}, io.ErrUnexpectedEOF},
				"in close_notify": {func(c *tls.Conn, raw *cutter) error {
					raw.cut = true
					return c.CloseWrite()
				}, io.ErrUnexpectedEOF},
			} {
				t.Run(how, func(t *testing.T) {
					socket, raw := sockets(t)
					done := make(chan error, 1)
					go func() {
						cut := &cutter{Conn: raw}
						c := tls.Client(cut, client)
						_, err := io.WriteString(c, "data")
						done <- errors.Join(err, end.by(c, cut), raw.(*net.TCPConn).CloseWrite())
					}()
					conn, err := handshake(socket, server)
					if err != nil {
						t.Fatal(err)
					}
					var got []byte
					l := &loop{s: conn.Session(), socket: socket}
					err = l.run(func(b []byte) error { got = append(got, b...); return nil })
					if !errors.Is(err, end.want) || string(got) != "data" {
						t.Errorf("got %q, %v, want %v", got, err, end.want)
					}
					if err := <-done; err != nil {
						t.Error(err)
					}
					// What comes behind the end is dropped, and it stays the end.
					l.s.Feed([]byte("GET / HTTP/1.1\r\n\r\n"))
					if n, more, err := l.s.Read(make([]byte, 10)); n != 0 || more || err == nil {
						t.Errorf("behind the end: %d, %v, %v", n, more, err)
					}
					if err := l.s.Ended(); !errors.Is(err, end.want) {
						t.Errorf("a second time: %v", err)
					}
				})
			}
		})
	}
}

// cutter is a connection that loses the last byte of each write once told to.
type cutter struct {
	net.Conn
	cut bool
}

func (c *cutter) Write(p []byte) (int, error) {
	if !c.cut {
		return c.Conn.Write(p)
	}
	n, err := c.Conn.Write(p[:len(p)-1])
	return n + 1, err
}

// After close_notify nothing more is sealed; the other way goes on.
func TestCloseNotifyOfOurs(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			s, socket, c := pair(t, server, client)
			end := s.CloseNotify([]byte("before"))
			if !bytes.HasPrefix(end, []byte("before")) {
				t.Errorf("CloseNotify does not append: %q", end)
			}
			if again := s.CloseNotify(nil); len(again) != 0 {
				t.Errorf("a second close_notify: %x", again)
			}
			if sealed, err := s.Seal(nil, []byte("more")); err == nil || len(sealed) != 0 {
				t.Errorf("sealed %x, %v", sealed, err)
			}
			if _, err := socket.Write(end[len("before"):]); err != nil {
				t.Fatal(err)
			}
			if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
				t.Errorf("the client read %d, %v", n, err)
			}
			if _, err := io.WriteString(c, "goodbye"); err != nil {
				t.Fatal(err)
			}
			buffer := make([]byte, 100)
			n, err := socket.Read(buffer)
			if err != nil {
				t.Fatal(err)
			}
			s.Feed(buffer[:n])
			if got := readAll(t, s); string(got) != "goodbye" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// Broken ciphertext ends the session, and the peer is told why.
func TestGarbageIsAnsweredWithAnAlert(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			s, socket, c := pair(t, server, client)
			s.Feed([]byte("\x17\x03\x03\x00\x20this is no record of any session"))
			_, more, err := s.Read(make([]byte, 100))
			if more || err == nil || errors.Is(err, io.EOF) {
				t.Fatalf("more %v, %v", more, err)
			}
			if s.Buffered() == 0 {
				t.Error("no alert")
			}
			if again := s.Ended(); again == nil || again.Error() != err.Error() {
				t.Errorf("Ended: %v", again)
			}
			alert := s.Flush(nil)
			if s.Buffered() != 0 || len(s.Flush(nil)) != 0 {
				t.Error("flushed twice")
			}
			if sealed, err := s.Seal(nil, []byte("x")); err == nil || len(sealed) != 0 {
				t.Errorf("sealed %x, %v", sealed, err)
			}
			if _, err := socket.Write(alert); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "bad record MAC") {
				t.Errorf("the client was told %v", err)
			}
		})
	}
}

// A record is as large as it may be from the first message on.
func TestFewRecords(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			s, socket, c := pair(t, server, client)
			for _, n := range []int{1, 1500, recordBytes, recordBytes + 1, 100 << 10} {
				sealed, err := s.Seal(nil, make([]byte, n))
				if err != nil {
					t.Fatal(err)
				}
				records := 0
				for rest := sealed; len(rest) > 0; records++ {
					rest = rest[5+(int(rest[3])<<8|int(rest[4])):]
				}
				if want := (n + recordBytes - 1) / recordBytes; records != want {
					t.Errorf("%d bytes: %d records, want %d", n, records, want)
				}
				if most := SealedSize(n); len(sealed) > most {
					t.Errorf("%d bytes: sealed to %d, more than %d", n, len(sealed), most)
				}
				go func() { _, _ = socket.Write(sealed) }()
				if _, err := io.ReadFull(c, make([]byte, n)); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A second connection resumes the session of the first one, also if that was driven by a
// loop all along.
func TestResumption(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			for i := range 2 {
				socket, raw := sockets(t)
				done := make(chan error, 1)
				go func() {
					c := tls.Client(raw, client)
					_, err := io.WriteString(c, "x")
					_, more := io.ReadFull(c, make([]byte, 1)) // and the ticket in front of it
					done <- errors.Join(err, more, c.Close())
				}()
				conn, err := handshake(socket, server)
				if err != nil {
					t.Fatal(err)
				}
				if got := conn.ConnectionState().DidResume; got != (i == 1) {
					t.Errorf("connection %d: resumed %v", i, got)
				}
				l := &loop{s: conn.Session(), socket: socket}
				if err := l.run(l.seal); err != nil {
					t.Error(err)
				}
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// The blocking half: a head is read and answered before there is a loop, and nothing of it
// is lost to the loop.
func TestBlockingHalf(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			socket, raw := sockets(t)
			done := make(chan error, 1)
			go func() {
				c := tls.Client(raw, client)
				_, err := io.WriteString(c, "head")
				_, more := io.ReadFull(c, make([]byte, len("wait")))
				_, rest := io.WriteString(c, "body")
				done <- errors.Join(err, more, rest, c.CloseWrite())
			}()
			conn, err := handshake(socket, server)
			if err != nil {
				t.Fatal(err)
			}
			head := make([]byte, 2)
			if _, err := io.ReadFull(conn, head); err != nil || string(head) != "he" {
				t.Fatalf("got %q, %v", head, err)
			}
			if _, err := io.WriteString(conn, "wait"); err != nil {
				t.Fatal(err)
			}
			var got []byte
			l := &loop{s: conn.Session(), socket: socket}
			err = l.run(func(b []byte) error { got = append(got, b...); return nil })
			if string(got) != "adbody" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// A client that stops in the middle is let go of at the deadline, whether that is the
// context's or the context is cancelled.
func TestHandshakeEnds(t *testing.T) {
	server, _ := configs(t, tls.VersionTLS13)
	t.Run("deadline", func(t *testing.T) {
		socket, raw := sockets(t)
		if _, err := io.WriteString(raw, "\x16\x03\x01\x02\x00\x01"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := Handshake(ctx, socket, server)
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("got %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		socket, _ := sockets(t)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		if _, err := Handshake(ctx, socket, server); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// Fed twice without reading in between, nothing is lost and nothing of the caller's
// memory is changed.
func TestFedTwice(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			s, socket, c := pair(t, server, client)
			if _, err := io.WriteString(c, "abc"); err != nil {
				t.Fatal(err)
			}
			fed := make([]byte, 1000)
			n, err := socket.Read(fed)
			if err != nil {
				t.Fatal(err)
			}
			before := bytes.Clone(fed)
			for i := range n {
				s.Feed(fed[i : i+1])
			}
			if got := readAll(t, s); string(got) != "abc" {
				t.Errorf("got %q", got)
			}
			if !bytes.Equal(before, fed) {
				t.Error("what was fed has been changed")
			}
		})
	}
}

// No room for plaintext is no error and loses nothing.
func TestNoRoom(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			s, socket, c := pair(t, server, client)
			if _, err := io.WriteString(c, "abc"); err != nil {
				t.Fatal(err)
			}
			buffer := make([]byte, 1000)
			n, err := socket.Read(buffer)
			if err != nil {
				t.Fatal(err)
			}
			s.Feed(buffer[:n])
			if n, more, err := s.Read(nil); n != 0 || !more || err != nil {
				t.Errorf("got %d, %v, %v", n, more, err)
			}
			if got := readAll(t, s); string(got) != "abc" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// Data and close_notify that come together, the latter whole or in two pieces: what
// crypto/tls then returns has bytes and an error. (TLS 1.2: with 1.3 nobody can see that
// a record is an alert.)
func TestDataWithAnError(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			for _, held := range []int{0, 1, 10} {
				s, socket, c := pair(t, server, client)
				data := clientRecords(t, socket, c, 1, 100)
				if err := c.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				end := make([]byte, 100)
				n, err := socket.Read(end)
				if err != nil {
					t.Fatal(err)
				}
				s.Feed(append(data, end[:n-held]...))
				plain := make([]byte, 200)
				m, more, err := s.Read(plain)
				if m != 100 || more || (held == 0) != errors.Is(err, io.EOF) {
					t.Errorf("%d bytes held back: %d, %v, %v", held, m, more, err)
				}
				if s.Feed(end[n-held : n]); held > 0 {
					m, more, err = s.Read(plain)
					if m != 0 || more || !errors.Is(err, io.EOF) {
						t.Errorf("%d bytes held back, then: %d, %v, %v", held, m, more, err)
					}
				}
			}
		})
	}
}

// The context's deadline is the connection's, and stays for what comes before the loop.
func TestDeadlineStays(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	socket, raw := sockets(t)
	go func() { _ = tls.Client(raw, client).Handshake() }()
	watched := &deadlines{Conn: socket}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := Handshake(ctx, watched, server); err != nil {
		t.Fatal(err)
	}
	if want, _ := ctx.Deadline(); !watched.last.Equal(want) {
		t.Errorf("the deadline is %v, want %v", watched.last, want)
	}
}

// deadlines is a connection that knows its last deadline.
type deadlines struct {
	net.Conn
	last time.Time
}

func (d *deadlines) SetDeadline(t time.Time) error {
	d.last = t
	return d.Conn.SetDeadline(t)
}
