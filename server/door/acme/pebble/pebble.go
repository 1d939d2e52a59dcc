// Package pebble is for tests: it runs Let's Encrypt's server for tests, a real authority that
// asks its challenges on this machine, whatever the name.
package pebble

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const patience = 60 * time.Second

// version is the Makefile's PEBBLE_VERSION.
const version = "v2.10.1"

// Options are an Authority's.
type Options struct {
	Valid     time.Duration // of the certificates that it issues
	TLSPort   int           // where it asks TLS-ALPN-01 challenges
	PlainPort int           // where it asks HTTP-01 challenges
}

// Authority is one that runs. It ends with the test.
type Authority struct {
	URL       string // its directory
	RootsFile string // PEM: what its own certificate is checked by, not those that it issues

	management string
	client     *http.Client
}

// Start starts one. The test is skipped where the program is not, but for a continuous
// integration.
func Start(tb testing.TB, o Options) *Authority {
	tb.Helper()
	program := find(tb)
	dir := tb.TempDir()
	cert, key := WriteCertificate(tb, dir)
	roots := x509.NewCertPool()
	if text, err := os.ReadFile(cert); err != nil || !roots.AppendCertsFromPEM(text) {
		tb.Fatal("no roots", err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	api, management := freeAddress(tb), freeAddress(tb)
	a := &Authority{
		URL: "https://" + api + "/dir", RootsFile: cert, management: "https://" + management,
		client: &http.Client{Transport: transport, Timeout: patience},
	}
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": api, "managementListenAddress": management,
		"certificate": cert, "privateKey": key, "keyAlgorithm": "ecdsa",
		"httpPort": o.PlainPort, "tlsPort": o.TLSPort,
		"retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles": map[string]any{
			"default": map[string]any{"description": "-", "validityPeriod": int(o.Valid.Seconds())},
		},
	}})
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		tb.Fatal(err)
	}
	var log bytes.Buffer
	command := exec.Command(program, "-config", file, "-dnsserver", serveDNS(tb))
	command.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=5")
	command.Stdout, command.Stderr = &log, &log
	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if tb.Failed() {
			tb.Logf("pebble:\n%s", log.String())
		}
	})
	for _, address := range []string{api, management} {
		for deadline := time.Now().Add(patience); ; <-time.After(10 * time.Millisecond) {
			if c, err := net.Dial("tcp", address); err == nil {
				_ = c.Close()
				break
			}
			if time.Now().After(deadline) {
				tb.Fatal("pebble does not listen")
			}
		}
	}
	return a
}

// Root is the certificate, in PEM, by which those that a issues are checked.
func (a *Authority) Root(tb testing.TB) []byte {
	tb.Helper()
	answer, err := a.client.Get(a.management + "/roots/0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		tb.Fatalf("pebble's root: %s, %v", answer.Status, err)
	}
	return text
}

// find is the program in the project's bin.
func find(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			tb.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	program := filepath.Join(dir, "bin", "pebble-"+version)
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatal("no pebble: make test-deps builds it")
		}
		tb.Skip("NO PEBBLE: not run; to run it: make test-deps")
	}
	return program
}

// freeAddress is one that nobody listened on a moment ago.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// WriteCertificate writes a certificate for 127.0.0.1, which signs itself, and its key.
func WriteCertificate(tb testing.TB, dir string) (certFile, keyFile string) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pebble"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "api.crt"), filepath.Join(dir, "api.key")
	err = errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	if err != nil {
		tb.Fatal(fmt.Errorf("write a certificate: %w", err))
	}
	return certFile, keyFile
}
