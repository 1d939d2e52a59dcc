package conformance

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"groupcast/loop"
	"groupcast/loop/tlsconn"
	"groupcast/loop/wait"
	"groupcast/server"
)

// maxMessageBytes leaves room around Autobahn's largest message for a command.
const maxMessageBytes = 16<<20 + 4<<10

// largeLimits make room for that, as an operator would who wants such messages.
func largeLimits(o *loop.Options) {
	o.MaxMessageBytes = maxMessageBytes
	o.MaxFragments = 1 << 17
	o.MaxBacklogBytes, o.RingBytes = 4*maxMessageBytes, 2*maxMessageBytes
}

// target is a server that cases are run against. Both kinds have a listener of each kind.
type target struct {
	name           string
	plain, secured string // addresses
	client         *tls.Config
	stats          func(context.Context) (loop.Stats, error)

	// echoes is set where messages come back as they were sent, at once. The product's come
	// back as text, by way of the broker, and behind the message of a command.
	echoes bool
}

// dialect is how a session's messages are dressed.
type dialect struct {
	echoes     bool
	head, tail string // around each message that is sent
}

// commandOverhead is what a command adds to its message.
const commandOverhead = len(`{"cmd":"send_to_group","group_id":"00000001","message":""}`)

// greet makes a session of t's ready for messages to itself.
func (t *target) greet(p *peer, number int) dialect {
	p.t.Helper()
	if t.echoes {
		return dialect{echoes: true}
	}
	group := fmt.Sprintf("%08d", number)
	p.send(text(`{"cmd":"add_group","group_id":"` + group + `","req_id":1}`))
	p.want(`{"cmd":"ack","req_id":1}`)
	return dialect{head: `{"cmd":"send_to_group","group_id":"` + group + `","message":"`, tail: `"}`}
}

// dress is the payload of a frame as it is sent.
func (d dialect) dress(s sending) string {
	payload := s.payload
	if begins(s.first) {
		payload = d.head + payload
	}
	if isData(s.first) && isFinal(s.first) {
		payload += d.tail
	}
	return payload
}

// inNoString is what a JSON string has only escaped.
var inNoString = each(0, 0x1f, "") + `"\`

// badJSON is how the product answers what is in no JSON string.
const badJSON = `{"cmd":"error","code":"bad_json",`

// comesBack is how a message of a case returns.
func (d dialect) comesBack(want received) received {
	if d.echoes || want.op == ws.OpPong {
		return want
	}
	if !utf8.ValidString(want.payload) || strings.ContainsAny(want.payload, inNoString) {
		return received{ws.OpText, badJSON}
	}
	return received{ws.OpText, want.payload}
}

// startProduct starts the server as its program does.
func startProduct(t *testing.T, change func(*loop.Options)) *target {
	t.Helper()
	file, client := writeCertificate(t)
	o := server.DefaultOptions()
	o.Listen, o.API, o.Control = []string{"127.0.0.1:0", "tls:127.0.0.1:0"}, []string{"none"}, "none"
	o.Loops, o.TLSCert = 2, []string{file}
	if change != nil {
		change(&o.Engine)
	}
	s, err := server.Start(o, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &target{
		name: "product", plain: s.Addresses()[0], secured: strings.TrimPrefix(s.Addresses()[1], "tls:"),
		client: client, stats: s.Stats,
	}
}

// startEcho starts an engine with an echo behind it, as loop/internal/echoserver does.
func startEcho(t *testing.T) *target {
	t.Helper()
	file, client := writeCertificate(t)
	certificate, err := tls.LoadX509KeyPair(file, file)
	if err != nil {
		t.Fatal(err)
	}
	o := loop.DefaultOptions()
	o.Loops = 2
	largeLimits(&o)
	o.OnMessage = func(s *loop.Session, op ws.OpCode, payload []byte) { s.Send(op, payload) }
	engine, err := loop.New(o)
	if err != nil {
		t.Fatal(err)
	}
	e := &target{name: "echo", echoes: true, client: client, stats: engine.Stats}
	var serving sync.WaitGroup
	listen := func(serve func(net.Listener) error) (address string) {
		ln, err := (&net.ListenConfig{KeepAlive: -1}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		serving.Go(func() {
			if err := serve(ln); err != nil {
				t.Errorf("serve: %v", err)
			}
		})
		t.Cleanup(func() { _ = ln.Close() })
		return ln.Addr().String()
	}
	t.Cleanup(func() {
		serving.Wait()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	e.plain = listen(engine.Serve)
	config := &tls.Config{
		Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}, DynamicRecordSizingDisabled: true,
	}
	e.secured = listen(func(ln net.Listener) error { return serveTLS(engine, ln, config) })
	return e
}

// serveTLS shakes hands and hands connections to the engine.
func serveTLS(engine *loop.Engine, ln net.Listener, config *tls.Config) error {
	if err := engine.Prepare(ln); err != nil {
		return err
	}
	var shaking sync.WaitGroup
	defer shaking.Wait()
	for {
		c, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		shaking.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			conn, err := tlsconn.Handshake(ctx, c, config)
			if err != nil {
				_ = c.Close()
				return
			}
			_ = engine.Admit(loop.Admission{Conn: c, TLS: conn.Session()}) // an engine that has ended closes it
		})
	}
}

// writeCertificate makes a certificate for localhost, in a file with its key, and what a
// client trusts it by. Clients resume.
func writeCertificate(t *testing.T) (file string, client *tls.Config) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	file = filepath.Join(t.TempDir(), "both.pem")
	both := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), certificate...)
	if err := os.WriteFile(file, both, 0o600); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	return file, &tls.Config{RootCAs: roots, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(8)}
}

// settles waits until no sessions are left but so many, each of the product's in a group of its
// own, and wants that none had to be reset and nothing panicked.
func (t *target) settles(tb testing.TB, sessions int) {
	tb.Helper()
	var sum loop.ReactorStats
	groups := sessions
	if t.echoes {
		groups = 0
	}
	wait.Until(tb, "the sessions are gone", func() bool {
		all, err := t.stats(context.Background())
		if err != nil {
			tb.Fatal(err)
		}
		sum = all.Sum()
		return sum.Sessions == sessions && sum.Groups == groups
	})
	if sum.Resets != 0 || sum.Panics != 0 {
		tb.Errorf("%d sessions were reset, %d panics", sum.Resets, sum.Panics)
	}
}
