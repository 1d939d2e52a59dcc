package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"groupcast/bench/internal/process"
)

// token is what backends show to the API. Attackers do not know it.
const token = "siege-0123456789abcdef"

// target is where a server's doors are: all that an attacker is told.
type target struct {
	Plain, TLS, API, Channel, Control string
}

// Addresses on loopback that have a part to play.
const (
	trustedProxy = "127.0.0.2" // begins with a PROXY header
	friends      = "127.0.0.1"
)

// server is the groupcast that is attacked.
// Owner: the run.
type server struct {
	*process.Process
	target target
	pprof  string
	dir    string // its log, certificate, tokens and configuration
	roots  *x509.CertPool
	client *http.Client
}

// startServer starts the program with every door open, in a directory of its own. An old one knows no TLS, no PROXY
// protocol and no queue's age.
func startServer(ctx context.Context, program, dir string, old bool) (*server, error) {
	s := &server{dir: dir, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	ports, err := process.FreeAddresses(5)
	if err != nil {
		return nil, err
	}
	s.target = target{
		Plain: ports[0], API: ports[1], Channel: ports[2], Control: filepath.Join(dir, "control.sock"),
	}
	s.pprof = ports[3]
	if err := errors.Join(
		os.WriteFile(s.path("tokens"), []byte(token+"\n"), 0o600),
		s.configure("max-fragments: 1024"),
	); err != nil {
		return nil, err
	}
	args := []string{
		program, "start", "--config", s.path("config.yaml"), "--log-file", s.path("log"),
		"--listen", s.target.Plain, "--api", s.target.API, "--api-token-file", s.path("tokens"),
		"--channel", s.target.Channel, "--control", s.target.Control, "--pprof", s.pprof,
	}
	if !old {
		s.target.TLS = ports[4]
		if err := s.makeCertificate(); err != nil {
			return nil, err
		}
		args = append(args, "--listen", "tls:"+s.target.TLS, "--tls-cert", s.path("both.pem"),
			"--proxy-protocol", trustedProxy, "--channel-queue-age", queueAge.String())
	}
	s.Process, err = process.Start(process.Command{Name: "the server", Args: args, Log: s.path("said")})
	if err != nil {
		return nil, err
	}
	if err := s.awaitHealth(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// queueAge is a minute's fraction, and a day by default: what hoarders put into queues has to be gone when the heap is
// looked at, and nobody's jobs wait here.
const queueAge = 10 * time.Second

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

// configure writes the configuration file anew, which a reload reads.
func (s *server) configure(text string) error {
	return os.WriteFile(s.path("config.yaml"), []byte(text+"\n"), 0o600)
}

// gone says how the server ended, if it has.
func (s *server) gone() error {
	if err := s.Err(); err != nil {
		return fmt.Errorf("see %s: %w", s.path("log"), err)
	}
	return nil
}

func (s *server) awaitHealth(ctx context.Context) error {
	return s.Await(ctx, patience, func() error {
		_, err := s.get(ctx, "http://"+s.target.API+"/healthz")
		return err
	})
}

// stop ends the server.
func (s *server) stop() { s.Stop(patience) }

func (s *server) logBytes() int64 {
	info, err := os.Stat(s.path("log"))
	if err != nil {
		return 0
	}
	return info.Size()
}

// makeCertificate writes a key and a certificate that it signs itself, and trusts that.
func (s *server) makeCertificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "siege"}, IPAddresses: []net.IP{net.ParseIP(friends)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.roots = x509.NewCertPool()
	s.roots.AppendCertsFromPEM(certificate)
	both := append(certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...)
	return os.WriteFile(s.path("both.pem"), both, 0o600)
}

func (s *server) trust() *tls.Config {
	return &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}
}
