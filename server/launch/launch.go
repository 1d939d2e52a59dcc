// Package launch is for tests: it builds programs, starts them, and ends them with the test.
package launch

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"groupcast/loop/wait"
)

// Find is the path of a program that a test needs. Without it the test is skipped, but for a
// continuous integration.
func Find(tb testing.TB, name string) (path string) {
	tb.Helper()
	path, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} { // not in every user's PATH
		if err != nil {
			path, err = exec.LookPath(filepath.Join(dir, name))
		}
	}
	if err != nil && os.Getenv("CI") != "" {
		tb.Fatalf("no %s: make test-deps installs it", name)
	}
	if err != nil {
		tb.Skipf("NO %s: not run; make test-deps installs it, or says how", strings.ToUpper(name))
	}
	return path
}

// Groupcast builds the program as it is installed.
func Groupcast(tb testing.TB) (path string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "groupcast")
	build := exec.Command("go", "build", "-pgo=off", "-o", path, "groupcast/server/cmd/groupcast")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// Log is what a program has said. It may be read at any time.
type Log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Run starts a program, and asks it to end with the test. An exit code other than 0, or those
// that may be, is a mistake.
func Run(tb testing.TB, program string, args []string, may ...int) *Log {
	tb.Helper()
	log := new(Log)
	command := exec.CommandContext(context.Background(), program, args...)
	command.Stdout, command.Stderr = log, log
	command.WaitDelay = wait.Patience
	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		if err := command.Wait(); err != nil && !slices.Contains(may, command.ProcessState.ExitCode()) {
			tb.Errorf("%s ended with %v", program, err)
		}
		if tb.Failed() {
			tb.Logf("%s %s:\n%s", program, strings.Join(args, " "), log)
		}
	})
	return log
}

// FreePort is one that nobody listened on a moment ago.
func FreePort(tb testing.TB) int {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().(*net.TCPAddr).Port
}

// Listening waits until something takes connections at port.
func Listening(tb testing.TB, port int) {
	tb.Helper()
	wait.Until(tb, fmt.Sprintf("a listener at port %d", port), func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// ShortDir is a directory for sockets, whose names may not be long.
func ShortDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "groupcast") //nolint:usetesting // see above
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// WriteCertificate makes a certificate for name, which signs itself, and writes it to cert and
// its key to key; both may be one file.
func WriteCertificate(tb testing.TB, name, cert, key string) *x509.CertPool {
	tb.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IsCA: true,
		NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		tb.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		tb.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	files := map[string][]byte{key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})}
	files[cert] = append(certificate, files[cert]...)
	for file, text := range files {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate)
	return pool
}
