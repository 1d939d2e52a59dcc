package door

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"

	"groupcast/loop/accept"
	"groupcast/loop/tlsconn"
)

// TLSOptions are how a listener speaks TLS. The zero value of each field but Certificates
// and Issuer, one of which has to be there, is its default.
type TLSOptions struct {
	Certificates *Certificates
	Issuer       Issuer // certificates from an authority, for names that no file is for

	MinVersion uint16   // tls.VersionTLS12 (the default) or tls.VersionTLS13
	Protocols  []string // ALPN; the default is http/1.1 alone, which WebSocket needs

	// RefuseUnknownNames answers a client who asks for a name that no certificate is for with
	// an alert, unrecognized_name. Otherwise it gets the default one and sees for itself. A
	// client that names nobody always gets the default.
	RefuseUnknownNames bool

	// ClientCAFile, if not "", has the PEM certificates of the authorities that a client has
	// to have a certificate of. It is read once.
	ClientCAFile string
}

// Issuer has certificates that it gets from an authority: acme.Issuer.
type Issuer interface {
	// Certificate is the one for the client that says hello; nil if there is none (yet). It
	// never waits. To a client that speaks Protocol alone it is the answer to the
	// authority's question whether the name is ours, and to nobody else.
	Certificate(hello *tls.ClientHelloInfo) *tls.Certificate
	// Protocol is the authority's ALPN protocol for challenges.
	Protocol() string
}

// TLS shakes hands for one listener, or for several that are alike, and counts how that
// ends.
// Owner: the server; every method may be called by any goroutine.
type TLS struct {
	config   *tls.Config
	options  TLSOptions
	counters handshakeCounters
}

// NewTLS is TLS as o says. The errors are for the operator.
func NewTLS(o TLSOptions) (*TLS, error) {
	t := &TLS{options: o}
	switch o.MinVersion {
	case 0:
		t.options.MinVersion = tls.VersionTLS12
	case tls.VersionTLS12, tls.VersionTLS13:
	default:
		return nil, fmt.Errorf("wants TLS 1.2 or 1.3 as the lowest version, got %s", tls.VersionName(o.MinVersion))
	}
	if o.Certificates == nil && o.Issuer == nil {
		return nil, errors.New("TLS wants a certificate, got none")
	}
	if o.Protocols == nil {
		t.options.Protocols = []string{"http/1.1"}
	}
	// One configuration for ever: then Go makes a new ticket key every day by itself and
	// keeps the old ones for a week. (doc.go)
	t.config = &tls.Config{
		GetCertificate: t.certificate,
		MinVersion:     t.options.MinVersion,
		NextProtos:     slices.Clone(t.options.Protocols),
		// Of TLS 1.2, only what has forward secrecy and authenticates what it encrypts.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		// A batch of messages is one record, not many of a packet's size.
		DynamicRecordSizingDisabled: true,
	}
	if o.Issuer != nil {
		t.config.NextProtos = append(t.config.NextProtos, o.Issuer.Protocol())
	}
	if o.ClientCAFile != "" {
		authorities, err := ReadAuthorities(o.ClientCAFile)
		if err != nil {
			return nil, err
		}
		t.config.ClientAuth, t.config.ClientCAs = tls.RequireAndVerifyClientCert, authorities
	}
	return t, nil
}

// ReadAuthorities reads the PEM certificates of authorities in file. The error is a
// *CertificateError.
func ReadAuthorities(file string) (*x509.CertPool, error) {
	pem, err := readPEM(file)
	if err != nil {
		return nil, &CertificateError{file, err}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, &CertificateError{file, errors.New("wants PEM certificates of authorities, got none")}
	}
	return pool, nil
}

// certificate chooses: a file's for the very name, the issuer's, the default. A nil
// certificate without an error is how crypto/tls is told to answer unrecognized_name.
func (t *TLS) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	var byDefault *tls.Certificate
	wantsChallenge := t.options.Issuer != nil &&
		len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == t.options.Issuer.Protocol()
	if t.options.Certificates != nil && !wantsChallenge {
		cert, known := t.options.Certificates.Get(hello)
		if known {
			return cert, nil
		}
		byDefault = cert
	}
	if t.options.Issuer != nil {
		if cert := t.options.Issuer.Certificate(hello); cert != nil {
			return cert, nil
		}
	}
	if t.options.RefuseUnknownNames && hello.ServerName != "" {
		return nil, nil
	}
	return byDefault, nil
}

// ErrChallenge says that the client was the authority, which has its answer: the
// connection's purpose is fulfilled, and it is to be closed.
var ErrChallenge = errors.New("a certificate authority's challenge was answered")

// HandshakeError says why a handshake failed.
type HandshakeError struct {
	Reason FailureReason
	Err    error
}

func (e *HandshakeError) Error() string { return "TLS handshake: " + e.Err.Error() }

// Unwrap is the cause.
func (e *HandshakeError) Unwrap() error { return e.Err }

// Handshake shakes hands with the client on c until ctx ends at the latest. It blocks: not on
// a loop. For net/http, whose server wants a *tls.Conn, there is the result's Conn.
//
// The error is a *HandshakeError or ErrChallenge; c is then the caller's to close. A client
// that speaks plain HTTP has been answered.
func (t *TLS) Handshake(ctx context.Context, c net.Conn) (*tlsconn.Conn, error) {
	conn, err := tlsconn.Handshake(ctx, c, t.config)
	if err != nil {
		reason := reasonOf(err)
		t.counters.failed[reason].Add(1)
		if reason == PlainHTTP {
			accept.Answer(c, plainHTTPAnswer)
		}
		return nil, &HandshakeError{reason, err}
	}
	state := conn.ConnectionState()
	switch {
	case t.options.Issuer != nil && state.NegotiatedProtocol == t.options.Issuer.Protocol():
		t.counters.challenges.Add(1)
		return nil, ErrChallenge
	case state.DidResume:
		t.counters.resumed.Add(1)
	default:
		t.counters.full.Add(1)
	}
	return conn, nil
}

// The answer to plain HTTP, word for word net/http's.
var plainHTTPAnswer = []byte("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
