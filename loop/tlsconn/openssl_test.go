package tlsconn

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// openssl is OpenSSL's client, connected to a loop that echoes.
type openssl struct {
	t    *testing.T
	in   io.WriteCloser // what is typed
	out  *bufio.Reader  // what it says and what it receives
	lazy bool           // as loop's
	loop chan error     // how the loop ended
}

// runOpenssl starts the client.
func runOpenssl(t *testing.T, lazy bool, arguments ...string) *openssl {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("NO OPENSSL: not run")
	}
	server, _ := configs(t, tls.VersionTLS12)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	command := exec.Command(path, append([]string{"s_client", "-connect", ln.Addr().String()}, arguments...)...)
	o := &openssl{t: t, lazy: lazy, loop: make(chan error, 1)}
	if o.in, err = command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = command.Stdout
	o.out = bufio.NewReader(out)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = o.in.Close(), command.Process.Kill()
		_ = command.Wait()
	})
	if err := ln.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	go func() { o.loop <- o.serve(ln, server) }()
	return o
}

func (o *openssl) serve(ln net.Listener, server *tls.Config) error {
	socket, err := ln.Accept()
	if err != nil {
		return err
	}
	defer func() { _ = socket.Close() }()
	conn, err := handshake(socket, server)
	if err != nil {
		return err
	}
	l := &loop{s: conn.Session(), socket: socket, lazy: o.lazy}
	return l.run(l.seal)
}

// say types a line.
func (o *openssl) say(line string) {
	o.t.Helper()
	if _, err := io.WriteString(o.in, line+"\n"); err != nil {
		o.t.Fatal(err)
	}
}

// await reads what the client prints until a line has text in it.
func (o *openssl) await(text string) {
	o.t.Helper()
	var all strings.Builder
	for {
		line, err := o.out.ReadString('\n')
		all.WriteString(line)
		if strings.Contains(line, text) {
			return
		}
		if err != nil {
			o.t.Fatalf("no %q, but %v behind\n%s", text, err, all.String())
		}
	}
}

// ended waits for the loop.
func (o *openssl) ended() error {
	select {
	case err := <-o.loop:
		return err
	case <-time.After(patience):
		return errors.New("the loop goes on")
	}
}

// New keys, asked for and not, several times; echoes before, between and behind. The answer
// goes out at once, or in front of the next message.
func TestKeyUpdate(t *testing.T) {
	for name, lazy := range map[string]bool{"flushed": false, "with the next message": true} {
		t.Run(name, func(t *testing.T) {
			o := runOpenssl(t, lazy, "-tls1_3")
			for _, line := range []string{"before", "K", "between 1", "k", "between 2", "K", "K", "k", "behind"} {
				o.say(line)
				if len(line) == 1 {
					o.await("KEYUPDATE")
				} else {
					o.await(line)
				}
			}
			o.say("Q")
			if err := o.ended(); err != nil {
				t.Errorf("the loop ended with %v", err)
			}
		})
	}
}

// Keys asked for again and again, with nothing in between, end the session.
func TestKeyUpdateFlood(t *testing.T) {
	o := runOpenssl(t, false, "-tls1_3")
	// A line at a time: the client takes what it reads at once for one command.
	for range 40 {
		_, err := io.WriteString(o.in, "K\n")
		for line := ""; err == nil && !strings.Contains(line, "KEYUPDATE"); {
			line, err = o.out.ReadString('\n')
		}
		if err != nil {
			break // it has ended
		}
	}
	if err := o.ended(); err == nil || !strings.Contains(err.Error(), "non-advancing") {
		t.Errorf("the loop ended with %v", err)
	}
}

// Renegotiation is refused with an alert.
func TestRenegotiation(t *testing.T) {
	o := runOpenssl(t, false, "-tls1_2")
	o.say("before")
	o.await("before")
	o.say("R")
	o.await("alert unexpected message")
	if err := o.ended(); err == nil || !strings.Contains(err.Error(), "unexpected") {
		t.Errorf("the loop ended with %v", err)
	}
}
