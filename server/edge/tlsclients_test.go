package edge

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"groupcast/loop/wait"
	"groupcast/server/launch"
)

// secured is a groupcast with TLS for hostName.
type secured struct {
	port int
	cert string // the file that it is trusted by
}

func startSecured(t *testing.T) *secured {
	t.Helper()
	dir := launch.ShortDir(t)
	s := &secured{port: launch.FreePort(t), cert: filepath.Join(dir, "push.pem")}
	key := filepath.Join(dir, "push.key")
	launch.WriteCertificate(t, hostName, s.cert, key)
	launch.Run(t, launch.Groupcast(t), []string{
		"start", "--listen", fmt.Sprintf("127.0.0.1:%d", s.port), "--tls-cert", s.cert, "--tls-key", key,
		"--api", "none", "--control", filepath.Join(dir, "control.sock"), "--log-level", "warn",
	})
	launch.Listening(t, s.port)
	return s
}

// TestCurl: what curl makes of it, with each version of TLS, HTTP/2 offered and not, without
// trust, and with plain HTTP on the TLS port.
func TestCurl(t *testing.T) {
	curl, s := launch.Find(t, "curl"), startSecured(t)
	run := func(scheme string, args ...string) string {
		t.Helper()
		args = append([]string{
			"--silent", "--show-error", "--max-time", fmt.Sprint(wait.Patience.Seconds()), "--noproxy", "*",
			"--resolve", fmt.Sprintf("%s:%d:127.0.0.1", hostName, s.port), "--write-out", "%{http_code} HTTP/%{http_version}",
		}, args...)
		args = append(args, fmt.Sprintf("%s://%s:%d/healthz", scheme, hostName, s.port))
		out, err := exec.CommandContext(t.Context(), curl, args...).CombinedOutput()
		if err != nil {
			return fmt.Sprintf("%v: %s", err, out)
		}
		return string(out)
	}
	for _, test := range []struct {
		scheme string
		args   []string
		want   string // a part of it
	}{
		{"https", []string{"--cacert", s.cert, "--tls-max", "1.2"}, "ok\n200 HTTP/1.1"},
		{"https", []string{"--cacert", s.cert, "--tlsv1.3"}, "ok\n200 HTTP/1.1"},
		{"https", []string{"--cacert", s.cert, "--http2"}, "ok\n200 HTTP/1.1"},
		{"https", []string{"--cacert", s.cert, "--no-alpn"}, "ok\n200 HTTP/1.1"},
		{"https", []string{"--cacert", s.cert, "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"}, "protocol version"},
		{"https", nil, "self-signed certificate"},
		{"http", nil, "400 HTTP/1"},
	} {
		if got := run(test.scheme, test.args...); !strings.Contains(got, test.want) {
			t.Errorf("%s %q: %s; want %s", test.scheme, test.args, got, test.want)
		}
	}
}

// client is OpenSSL's s_client.
type client struct {
	t   *testing.T
	in  io.WriteCloser // what is typed
	out *bufio.Reader  // what it says, and what it receives
	all strings.Builder
}

// connect starts it. It trusts the server, and ends where it would not.
func (s *secured) connect(t *testing.T, args ...string) *client {
	t.Helper()
	command := exec.CommandContext(t.Context(), launch.Find(t, "openssl"), append([]string{
		"s_client", "-connect", fmt.Sprintf("127.0.0.1:%d", s.port), "-servername", hostName, "-CAfile", s.cert,
		"-verify_return_error", "-verify_hostname", hostName,
	}, args...)...)
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = command.Stdout
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ends := time.AfterFunc(wait.Patience, func() { _ = command.Process.Kill() })
	c := &client{t: t, in: in, out: bufio.NewReader(out)}
	t.Cleanup(func() {
		ends.Stop()
		_, _ = in.Close(), command.Process.Kill()
		_ = command.Wait()
	})
	return c
}

func (c *client) write(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, text); err != nil {
		c.t.Fatal(err)
	}
}

// await reads until there is text.
func (c *client) await(text string) {
	c.t.Helper()
	var read strings.Builder
	for !strings.HasSuffix(read.String(), text) {
		b, err := c.out.ReadByte()
		if err != nil {
			c.t.Fatalf("no %q, but %v behind\n%s%s", text, err, c.all.String(), read.String())
		}
		read.WriteByte(b)
	}
	c.all.WriteString(read.String())
}

// upgrade makes it a WebSocket. The head is typed at once: s_client takes what it reads at
// once for a command where it begins with the letter of one.
func (c *client) upgrade() {
	c.t.Helper()
	c.write("GET / HTTP/1.1\r\nHost: " + hostName + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	c.await("HTTP/1.1 101 ")
	c.await("\r\n\r\n")
}

// ask sends a command and awaits its ack.
func (c *client) ask(id int) {
	c.t.Helper()
	command := fmt.Sprintf(`{"cmd":"ping","req_id":%d}`, id)
	c.write(string([]byte{0x81, 0x80 | byte(len(command)), 0, 0, 0, 0}) + command)
	c.await(fmt.Sprintf(`{"cmd":"ack","req_id":%d}`, id))
}

// TestOpenSSL: a WebSocket by s_client in each version, with new keys in between, asked for
// and not; renegotiation, and what is older than TLS 1.2, is refused.
func TestOpenSSL(t *testing.T) {
	s := startSecured(t)
	t.Run("1.3", func(t *testing.T) {
		c := s.connect(t, "-tls1_3")
		c.upgrade()
		id := 0
		for _, key := range []string{"k", "K", "K", "k"} {
			id++
			c.ask(id)
			c.write(key + "\n")
			c.await("KEYUPDATE")
		}
		c.ask(id + 1)
	})
	t.Run("1.2", func(t *testing.T) {
		c := s.connect(t, "-tls1_2")
		c.upgrade()
		c.ask(1)
		c.write("R\n")
		c.await("alert unexpected message")
	})
	for _, old := range []string{"-tls1", "-tls1_1"} {
		t.Run(old, func(t *testing.T) {
			s.connect(t, old, "-cipher", "DEFAULT@SECLEVEL=0").await("alert protocol version")
		})
	}
	t.Run("another ALPN", func(t *testing.T) {
		s.connect(t, "-alpn", "h2").await("alert no application protocol")
	})
}

// TestOpenSSLResumes: by the ticket that came with the first session, in both versions.
func TestOpenSSLResumes(t *testing.T) {
	s := startSecured(t)
	for _, version := range []string{"-tls1_3", "-tls1_2"} {
		t.Run(version, func(t *testing.T) {
			session := filepath.Join(t.TempDir(), "session")
			first := s.connect(t, version, "-sess_out", session)
			first.upgrade()
			first.ask(1)
			if text := first.all.String(); !strings.Contains(text, "New, TLSv1") {
				t.Errorf("the first session is not new:\n%s", text)
			}
			first.write("Q\n") // and it writes the session
			_, _ = io.Copy(io.Discard, first.out)
			for range 3 { // a ticket may be used again
				again := s.connect(t, version, "-sess_in", session)
				again.upgrade()
				again.ask(2)
				if text := again.all.String(); !strings.Contains(text, "Reused, TLSv1") {
					t.Errorf("not resumed:\n%s", text)
				}
			}
		})
	}
	t.Run("-reconnect", func(t *testing.T) {
		c := s.connect(t, "-tls1_2", "-reconnect")
		for range 5 {
			c.await("Reused, TLSv1.2")
		}
	})
}
