package loop

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"groupcast/loop/tlsconn"
)

// overTLS has all tests with a listener run over TLS instead: `make secured`. What the
// contract says of a connection holds there as well.
var overTLS = os.Getenv("GROUPCAST_TEST_TLS") != ""

// serverTLS and trusting are the two sides of one certificate, made once.
var serverTLS, trusting = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{
		Certificates:                []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:                  []string{"http/1.1"},
		DynamicRecordSizingDisabled: true,
	}
}), func() *tls.Config {
	certificate, err := x509.ParseCertificate(serverTLS().Certificates[0].Certificate[0])
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: []string{"http/1.1"}}
}

// clientTLS is TLS on a connection to a test's server.
func clientTLS(tb testing.TB, c net.Conn) *tls.Conn {
	tb.Helper()
	secured := tls.Client(c, trusting())
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	if err := secured.HandshakeContext(ctx); err != nil {
		tb.Fatal(err)
	}
	return secured
}

// serveOn is Serve; over TLS it shakes hands before it hands a connection to the engine, as
// the server does.
func serveOn(e *Engine, ln net.Listener) error {
	if !overTLS {
		return e.Serve(ln)
	}
	return serveTLS(e, ln, serverTLS())
}

func serveTLS(e *Engine, ln net.Listener, config *tls.Config) error {
	if err := e.Prepare(ln); err != nil {
		return err
	}
	var shaking sync.WaitGroup
	defer shaking.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for {
		c, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		shaking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			conn, err := tlsconn.Handshake(ctx, c, config)
			if err != nil {
				_ = c.Close()
				return
			}
			_ = e.Admit(Admission{Conn: c, TLS: conn.Session()}) // an engine that has ended closes it
		})
	}
}
