package door

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"groupcast/loop/tlsconn"
)

// served is a listener of TLS whose every connection is echoed, after its handshake.
type served struct {
	tls     *TLS
	address string
	errors  chan error // of handshakes that failed
}

// serve serves o on loopback until the test ends.
func serve(t *testing.T, o TLSOptions) *served {
	t.Helper()
	secure, err := NewTLS(o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &served{tls: secure, address: ln.Addr().String(), errors: make(chan error, 100)}
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = ln.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.one(c) })
		}
	})
	return s
}

func (s *served) one(c net.Conn) {
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := s.tls.Handshake(ctx, c)
	if err != nil {
		s.errors <- err
		return
	}
	_, _ = io.Copy(conn, conn)
	_ = conn.Close()
}

// dial shakes hands as config says and echoes a byte, behind which TLS 1.3's tickets are.
func (s *served) dial(config *tls.Config) (*tls.Conn, error) {
	dialer := net.Dialer{Timeout: patience}
	c, err := tls.DialWithDialer(&dialer, "tcp", s.address, config)
	if err != nil {
		return nil, err
	}
	err = errors.Join(c.SetDeadline(time.Now().Add(patience)))
	if _, failed := c.Write([]byte("x")); failed != nil {
		err = errors.Join(err, failed)
	}
	if _, failed := io.ReadFull(c, make([]byte, 1)); failed != nil {
		err = errors.Join(err, failed)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// counted waits for the handshakes that were made to be counted as want says: "full",
// "resumed" or a reason, and how many.
func (s *served) counted(t *testing.T, want map[string]uint64) {
	t.Helper()
	var got map[string]uint64
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		c := s.tls.Counters()
		got = maps.Clone(c.Failed)
		got["full"], got["resumed"], got["challenges"] = c.Full, c.Resumed, c.Challenges
		maps.DeleteFunc(got, func(_ string, n uint64) bool { return n == 0 })
		if maps.Equal(got, want) {
			return
		}
		<-time.After(time.Millisecond)
	}
	t.Errorf("counted %v, want %v", got, want)
}

func TestHandshakesAreCounted(t *testing.T) {
	a := newAuthority(t)
	options := TLSOptions{Certificates: load(t, a.write("default", "a.test")), RefuseUnknownNames: true}
	withClients := options
	withClients.ClientCAFile = a.file()
	only13 := options
	only13.MinVersion = tls.VersionTLS13
	good := func() *tls.Config { return &tls.Config{RootCAs: a.Pool, ServerName: "a.test"} }
	client := func(change func(*tls.Config)) *tls.Config {
		config := good()
		change(config)
		return config
	}
	for name, c := range map[string]struct {
		options TLSOptions
		config  *tls.Config
		want    string
	}{
		"good":    {options, good(), "full"},
		"TLS 1.2": {options, client(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), "full"},
		"TLS 1.1": {options, client(func(c *tls.Config) {
			c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		}), "version"},
		"TLS 1.0": {options, client(func(c *tls.Config) {
			c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
		}), "version"},
		"TLS 1.2 where 1.3 is wanted": {only13, client(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), "version"},
		"no common cipher": {options, client(func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		}), "cipher"},
		"no RSA key exchange": {options, client(func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
		}), "cipher"},
		"another protocol":      {options, client(func(c *tls.Config) { c.NextProtos = []string{"smtp"} }), "protocol"},
		"unknown name":          {options, client(func(c *tls.Config) { c.ServerName = "unknown.test" }), "unknown_name"},
		"no name":               {options, client(func(c *tls.Config) { c.ServerName = "127.0.0.1" }), "full"},
		"it does not trust us":  {options, client(func(c *tls.Config) { c.RootCAs = nil }), "refused_by_client"},
		"no client certificate": {withClients, good(), "client_certificate"},
		"another's client certificate": {withClients, client(func(c *tls.Config) {
			b := newAuthority(t)
			p := b.write("client", "client")
			cert, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile)
			if err != nil {
				t.Fatal(err)
			}
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
		}), "client_certificate"},
		"a client certificate": {withClients, client(func(c *tls.Config) {
			p := a.write("client", "client")
			cert, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile)
			if err != nil {
				t.Fatal(err)
			}
			c.Certificates = []tls.Certificate{cert}
		}), "full"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, c.options)
			conn, err := s.dial(c.config)
			if (err == nil) != (c.want == "full") {
				t.Errorf("the client: %v", err)
			}
			if conn != nil {
				_ = conn.Close()
			}
			s.counted(t, map[string]uint64{c.want: 1})
		})
	}
}

// What is not TLS at all, or stops in the middle.
func TestStrangersAreCounted(t *testing.T) {
	a := newAuthority(t)
	options := TLSOptions{Certificates: load(t, a.write("default", "a.test"))}
	for name, c := range map[string]struct {
		sends string
		half  bool // the client ends its side then
		want  string
		got   string // what it is answered
	}{
		"plain HTTP": {"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", false, "plain_http", string(plainHTTPAnswer)},
		"plain HTTP, large": {
			"POST /x HTTP/1.1\r\n\r\n" + strings.Repeat("x", 100_000), true,
			"plain_http", string(plainHTTPAnswer),
		},
		"garbage":       {"\x00\x01\x02\x03\x04garbage", false, "not_tls", ""},
		"SSH":           {"SSH-2.0-OpenSSH_9.2\r\n", false, "not_tls", ""},
		"SSLv2":         {"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", false, "version", "*"},
		"nothing":       {"", true, "closed", ""},
		"half a hello":  {"\x16\x03\x01\x02\x00\x01\x00", true, "closed", ""},
		"a huge record": {"\x16\x03\x01\xff\xff" + strings.Repeat("x", 100), false, "other", "*"},
		"a torn hello":  {"\x16\x03\x01\x00\x04\x01\x00\x00\x00", false, "other", "*"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, options)
			conn, err := net.Dial("tcp", s.address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				_, _ = io.WriteString(conn, c.sends)
				if c.half {
					_ = conn.(*net.TCPConn).CloseWrite()
				}
			}()
			got, err := io.ReadAll(conn)
			<-sent
			if c.want == "plain_http" && err != nil {
				t.Errorf("behind the answer: %v", err)
			}
			if c.got != "*" && string(got) != c.got {
				t.Errorf("answered %q", got)
			}
			s.counted(t, map[string]uint64{c.want: 1})
		})
	}
}

// A client that says nothing is a timeout, and so is one that stops in its hello.
func TestHandshakeTimeouts(t *testing.T) {
	a := newAuthority(t)
	secure, err := NewTLS(TLSOptions{Certificates: load(t, a.write("default", "a.test"))})
	if err != nil {
		t.Fatal(err)
	}
	for _, sends := range []string{"", "\x16\x03\x01\x02\x00\x01"} {
		client, server := tcpPair(t)
		if _, err := io.WriteString(client, sends); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := secure.Handshake(ctx, server)
		cancel()
		if e, ok := errors.AsType[*HandshakeError](err); !ok || e.Reason != TimedOut {
			t.Errorf("%q: %v", sends, err)
		}
	}
	if got := secure.Counters().Failed["timeout"]; got != 2 {
		t.Errorf("counted %d", got)
	}
}

// tcpPair is a connection over the kernel, both of its ends.
func tcpPair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	for _, c := range []net.Conn{client, server} {
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
	}
	return client, server
}

// Sessions are resumed in both versions, also after the certificate has been replaced: the
// ticket's key is not the certificate's.
func TestResumptionIsCounted(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t)
			certificates := load(t, a.write("default", "a.test"))
			s := serve(t, TLSOptions{Certificates: certificates})
			config := &tls.Config{
				RootCAs: a.Pool, ServerName: "a.test", MinVersion: version, MaxVersion: version,
				ClientSessionCache: tls.NewLRUClientSessionCache(1),
			}
			for i := range 3 {
				if i == 2 {
					a.write("default", "a.test")
					if err := certificates.Reload(); err != nil {
						t.Fatal(err)
					}
				}
				c, err := s.dial(config)
				if err != nil {
					t.Fatal(err)
				}
				state := c.ConnectionState()
				if state.DidResume != (i > 0) || state.Version != version {
					t.Errorf("connection %d: resumed %v, %s", i, state.DidResume, tls.VersionName(state.Version))
				}
				_ = c.Close()
			}
			s.counted(t, map[string]uint64{"full": 1, "resumed": 2})
		})
	}
}

// A certificate that is replaced by garbage while clients come does them no harm.
func TestReplacedUnderLoad(t *testing.T) {
	a := newAuthority(t)
	p, first := a.issue("one", ecdsaKey(t), time.Now().Add(time.Hour), "a.test")
	certificates := load(t, p)
	s := serve(t, TLSOptions{Certificates: certificates})
	config := &tls.Config{RootCAs: a.Pool, ServerName: "a.test"}
	shake := func() *tls.Conn {
		t.Helper()
		c, err := s.dial(config)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	old := shake()
	defer func() { _ = old.Close() }()
	replace(t, p.CertFile, []byte("garbage"))
	if certificates.Reload() == nil {
		t.Error("garbage is taken")
	}
	c := shake()
	if got := c.ConnectionState().PeerCertificates[0].SerialNumber; got.Cmp(first) != 0 {
		t.Errorf("got %v", got)
	}
	_ = c.Close()
	_, second := a.issue("one", ecdsaKey(t), time.Now().Add(time.Hour), "a.test")
	if err := certificates.Reload(); err != nil {
		t.Fatal(err)
	}
	c = shake()
	if got := c.ConnectionState().PeerCertificates[0].SerialNumber; got.Cmp(second) != 0 {
		t.Errorf("got %v", got)
	}
	_ = c.Close()
	// The one that was there all along goes on.
	if _, err := old.Write([]byte("y")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(old, make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

// RSA and ECDSA for one name: each client gets what it can check.
func TestTwoKindsOfKey(t *testing.T) {
	a := newAuthority(t)
	rsa, _ := a.issue("rsa", rsaKey(t), time.Now().Add(time.Hour), "a.test")
	s := serve(t, TLSOptions{Certificates: load(t, a.write("ecdsa", "a.test"), rsa)})
	for suite, want := range map[uint16]string{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDSA", tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "RSA",
	} {
		c, err := s.dial(&tls.Config{
			RootCAs: a.Pool, ServerName: "a.test", MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite},
		})
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		if got := c.ConnectionState().PeerCertificates[0].PublicKeyAlgorithm.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		_ = c.Close()
	}
}

// Without RefuseUnknownNames the default certificate is there for everybody.
func TestDefaultCertificate(t *testing.T) {
	a := newAuthority(t)
	s := serve(t, TLSOptions{Certificates: load(t, a.write("default", "a.test"), a.write("other", "b.test"))})
	for _, name := range []string{"a.test", "unknown.test", ""} {
		c, err := s.dial(&tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().PeerCertificates[0].DNSNames[0]; got != "a.test" {
			t.Errorf("%q: got %s", name, got)
		}
		_ = c.Close()
	}
}

// ALPN: HTTP/1.1 by default, whatever else the client likes better; h2 where it is given.
func TestProtocols(t *testing.T) {
	a := newAuthority(t)
	for name, c := range map[string]struct {
		server, client []string
		want           string
	}{
		"browser":      {nil, []string{"h2", "http/1.1"}, "http/1.1"},
		"no ALPN":      {nil, nil, ""},
		"API":          {[]string{"h2", "http/1.1"}, []string{"http/1.1", "h2"}, "h2"},
		"none offered": {[]string{}, []string{"h2"}, ""},
	} {
		s := serve(t, TLSOptions{Certificates: load(t, a.write("default", "a.test")), Protocols: c.server})
		conn, err := s.dial(&tls.Config{RootCAs: a.Pool, ServerName: "a.test", NextProtos: c.client})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := conn.ConnectionState().NegotiatedProtocol; got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		_ = conn.Close()
	}
}

// net/http serves what has shaken hands here, HTTP/2 included.
func TestHTTPBehindHandshake(t *testing.T) {
	a := newAuthority(t)
	secure, err := NewTLS(TLSOptions{
		Certificates: load(t, a.write("default", "a.test")), Protocols: []string{"h2", "http/1.1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	client, raw := tcpPair(t)
	ready := make(chan *tlsconn.Conn, 1)
	go func() {
		c, err := secure.Handshake(t.Context(), raw)
		if err != nil {
			t.Error(err)
		}
		ready <- c
	}()
	transport := &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: a.Pool, ServerName: "a.test"},
		DialContext: func(context.Context, string, string) (net.Conn, error) { return client, nil },
	}
	defer transport.CloseIdleConnections()
	listener := &oneConn{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	server := &http.Server{ReadHeaderTimeout: patience}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto+" "+r.TLS.ServerName)
	})
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	go func() {
		if c := <-ready; c != nil {
			listener.conns <- c.Conn
		}
	}()
	answer, err := (&http.Client{Transport: transport, Timeout: patience}).Get("https://a.test/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if string(body) != "HTTP/2.0 a.test" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
}

// oneConn is a listener that hands out what it is given.
type oneConn struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// fakeIssuer has a certificate and an answer to challenges.
type fakeIssuer struct{ cert, answer *tls.Certificate }

func (f *fakeIssuer) Protocol() string { return "acme-tls/1" }

func (f *fakeIssuer) Certificate(hello *tls.ClientHelloInfo) *tls.Certificate {
	if len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == f.Protocol() {
		return f.answer
	}
	return f.cert
}

// An authority gets its answer, also for a name that a file is for, and nothing behind it. A
// client gets the file's certificate, else the issuer's, and never the answer.
func TestIssuer(t *testing.T) {
	a := newAuthority(t)
	pair := func(name string, names ...string) *tls.Certificate {
		return load(t, a.write(name, names...)).table.Load().certs[0]
	}
	issuer := &fakeIssuer{pair("issued", "issued.test"), pair("answer", "answer.test")}
	s := serve(t, TLSOptions{Certificates: load(t, a.write("file", "file.test")), Issuer: issuer})
	for _, c := range []struct {
		name      string
		protocols []string
		want      string
	}{
		{"file.test", nil, "file.test"},
		{"issued.test", []string{"h2", "http/1.1"}, "issued.test"},
		{"issued.test", []string{"http/1.1", "acme-tls/1"}, "issued.test"},
		{"file.test", []string{"acme-tls/1"}, "answer.test"},
		{"issued.test", []string{"acme-tls/1"}, "answer.test"},
	} {
		raw, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		conn := tls.Client(raw, &tls.Config{ServerName: c.name, NextProtos: c.protocols, InsecureSkipVerify: true})
		err = errors.Join(conn.SetDeadline(time.Now().Add(patience)), conn.Handshake())
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectionState().PeerCertificates[0].DNSNames[0]; got != c.want {
			t.Errorf("%s %v: got %s", c.name, c.protocols, got)
		}
		if c.want == "answer.test" {
			if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("behind the answer: %d, %v", n, err)
			}
			if err := next(t, s.errors); !errors.Is(err, ErrChallenge) {
				t.Errorf("the handshake: %v", err)
			}
		}
		_ = conn.Close()
	}
	issuer.cert, issuer.answer = nil, nil
	s = serve(t, TLSOptions{Issuer: issuer})
	if _, err := s.dial(&tls.Config{ServerName: "file.test", InsecureSkipVerify: true}); err == nil {
		t.Error("without any certificate")
	}
	s.counted(t, map[string]uint64{"unknown_name": 1})
}

func TestTLSOptionErrors(t *testing.T) {
	a := newAuthority(t)
	certificates := load(t, a.write("default", "a.test"))
	for name, c := range map[string]struct {
		options TLSOptions
		want    string
	}{
		"nothing":         {TLSOptions{}, "wants a certificate, got none"},
		"TLS 1.1":         {TLSOptions{Certificates: certificates, MinVersion: tls.VersionTLS11}, "wants TLS 1.2 or 1.3"},
		"no client CA":    {TLSOptions{Certificates: certificates, ClientCAFile: "/nowhere"}, "/nowhere: no such file"},
		"empty client CA": {TLSOptions{Certificates: certificates, ClientCAFile: "/dev/null"}, "/dev/null: wants PEM"},
	} {
		if _, err := NewTLS(c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
