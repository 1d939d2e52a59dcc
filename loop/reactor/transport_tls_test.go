package reactor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"groupcast/loop/tlsconn"
)

// shaken is a TLS session after its handshake, and the client's side of it.
func shaken(t *testing.T) (*tlsconn.Session, *tls.Conn) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	client := tls.Client(theirs, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a test's own certificate
	failed := make(chan error, 1)
	go func() { failed <- client.HandshakeContext(t.Context()) }()
	server, err := tlsconn.Handshake(t.Context(), ours, &tls.Config{
		Certificates:           []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		SessionTicketsDisabled: true, // they would want a reader
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	return server.Session(), client
}

// securedSession is a session over TLS on a simulated loop, whose socket takes room bytes.
func securedSession(t *testing.T, r *Reactor, room *int) *Session {
	t.Helper()
	session, _ := shaken(t)
	s := &Session{r: r, fd: simFD, state: stateOpen, via: viaTLS}
	r.secured[s] = &secured{tls: session}
	r.write = func(_ int32, b []byte) (int, unix.Errno) {
		n := min(*room, len(b))
		if *room -= n; n == 0 {
			return 0, unix.EAGAIN
		}
		return n, 0
	}
	r.watch = func(*Session) error { return nil }
	return s
}

// TestSealedIsOneWrite: what the kernel does not take of a write waits, all of it counts as
// sent, and nothing more is sealed until it is gone.
func TestSealedIsOneWrite(t *testing.T) {
	r := startSim(t, func(o *Options) { o.Loops = 1 }).reactors[0]
	room := 1000
	onLoop(t, r, func() {
		s := securedSession(t, r, &room)
		plain := make([]byte, 50_000)
		if n, errno := sendSealed(s, plain); n != len(plain) || errno != 0 {
			t.Errorf("%d, %v", n, errno)
		}
		waits := len(r.secured[s].sealed)
		if waits <= len(plain)-1000 || waits > tlsconn.SealedSize(len(plain)) || !s.pending() {
			t.Errorf("%d bytes wait", waits)
		}
		if n, errno := sendSealed(s, plain); n != 0 || errno != unix.EAGAIN || len(r.secured[s].sealed) != waits {
			t.Errorf("the next one: %d, %v", n, errno)
		}
		if room = 100; s.ready() {
			t.Error("ready, with 100 bytes of room")
		}
		if room = 1 << 20; !s.ready() || s.pending() {
			t.Error("not ready, with room")
		}
		delete(r.secured, s)
		if !s.ready() { // news that was under way when it went
			t.Error("one that is gone")
		}
	})
}

// TestSealedAnswersAreBounded: a peer that makes TLS answer and reads nothing is ended.
func TestSealedAnswersAreBounded(t *testing.T) {
	r := startSim(t, func(o *Options) { o.Loops = 1 }).reactors[0]
	room := 0
	onLoop(t, r, func() {
		s := securedSession(t, r, &room)
		secured := r.secured[s]
		secured.sealed = make([]byte, maxSealedBytes)
		r.answerSealed(s, secured)
		if r.endSecured(s); s.state == stateDead {
			t.Error("ended at the limit")
		}
		secured.sealed = make([]byte, maxSealedBytes+1)
		r.answerSealed(s, secured)
		if r.endSecured(s); s.state != stateDead {
			t.Error("not ended beyond the limit")
		}
		r.doomed = nil
		delete(r.secured, s)
	})
}
