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
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
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
	target  target
	pprof   string
	dir     string // its log, certificate, tokens and configuration
	roots   *x509.CertPool
	client  *http.Client
	cmd     *exec.Cmd
	ended   chan struct{}
	endedBy error // valid once ended is closed
}

// startServer starts the program with every door open, in a directory of its own. An old one knows no TLS, no PROXY
// protocol and no queue's age.
func startServer(ctx context.Context, program, dir string, old bool) (*server, error) {
	s := &server{
		dir: dir, ended: make(chan struct{}),
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
	ports, err := freePorts(5)
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
		"start", "--config", s.path("config.yaml"), "--log-file", s.path("log"),
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
	s.cmd = exec.Command(program, args...)
	if err := s.start(); err != nil {
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

// start has the program run in a process group of its own, which dies with this one.
func (s *server) start() error {
	said, err := os.Create(s.path("said"))
	if err != nil {
		return err
	}
	defer said.Close()
	s.cmd.Stdout, s.cmd.Stderr = said, said
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() { // the thread that started it must live as long: see prctl(2), PR_SET_PDEATHSIG
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		s.endedBy = s.cmd.Wait()
		close(s.ended)
	}()
	return <-started
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// gone says how the server ended, if it has.
func (s *server) gone() error {
	select {
	case <-s.ended:
		said, _ := os.ReadFile(s.path("said"))
		return fmt.Errorf("ended by itself (%w); it said: %s", errors.Join(errors.New("see "+s.path("log")), s.endedBy), said)
	default:
		return nil
	}
}

func (s *server) awaitHealth(ctx context.Context) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		_, err := s.get(ctx, "http://"+s.target.API+"/healthz")
		if err == nil {
			return nil
		}
		if gone := s.gone(); gone != nil {
			return gone
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("the server does not answer: %w", err)
		}
	}
}

// stop ends the server: SIGTERM, and SIGKILL if it takes longer than patience.
func (s *server) stop() {
	_ = syscall.Kill(s.pid(), syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(patience):
		_ = syscall.Kill(s.pid(), syscall.SIGKILL)
		<-s.ended
	}
}

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

// freePorts finds addresses below the range that connections are given their ports from.
func freePorts(n int) ([]string, error) {
	var found []string
	for range 1000 {
		addr := net.JoinHostPort(friends, strconv.Itoa(20000+mathrand.IntN(10000)))
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		defer listener.Close() // all at the end, so that none is found twice
		if found = append(found, addr); len(found) == n {
			return found, nil
		}
	}
	return nil, errors.New("no free ports found")
}
