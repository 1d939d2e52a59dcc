package browser

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"groupcast/loop/wait"
	"groupcast/server/door/acme/pebble"
)

// TestFromNothing starts all that a page on the open internet needs: a certificate authority,
// the program with --acme, a browser that trusts that authority and nothing else. A page of
// one name joins over wss:// at another one, with the certificates that have been issued, and
// publishes and receives; a page of a third name, which --origin does not list, may not.
func TestFromNothing(t *testing.T) {
	const page, push, stranger = "app.example.org", "push.example.org", "other.example.org"
	port := freePort(t)
	authority := pebble.Start(t, pebble.Options{Valid: time.Hour, TLSPort: port})
	root := authority.Root(t)
	dir := shortDir(t)
	control := filepath.Join(dir, "control.sock")
	groupcast := buildGroupcast(t)
	run(t, groupcast, "start",
		"--listen", fmt.Sprintf("127.0.0.1:%d", port), "--api", "none", "--control", control,
		"--acme", push, "--acme", page, "--acme", stranger, "--acme-ca", authority.URL,
		"--acme-roots", authority.RootsFile, "--acme-dir", filepath.Join(dir, "acme"), "--origin", "https://"+page)
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(root)
	for _, name := range []string{page, push, stranger} {
		wait.Until(t, "a certificate for "+name, func() bool {
			dialer := &net.Dialer{Timeout: wait.Patience}
			c, err := tls.DialWithDialer(dialer, "tcp", fmt.Sprintf("127.0.0.1:%d", port),
				&tls.Config{RootCAs: trusted, ServerName: name})
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		})
	}

	trust(t, root)
	browser := startChromium(t, chromedp.Flag("host-resolver-rules", fmt.Sprintf("MAP *:443 127.0.0.1:%d", port)))
	// One that nobody has a certificate for is refused.
	if err := chromedp.Do(browser, chromedp.Navigate("https://unknown.example.org/healthz")); err == nil ||
		!strings.Contains(err.Error(), "ERR_SSL_UNRECOGNIZED_NAME_ALERT") {
		t.Errorf("a name without a certificate: %v", err)
	}
	script := fmt.Sprintf(`ws = new WebSocket("wss://%s/")
		ws.onopen = () => {
			ws.send('{"cmd":"add_group","group_id":"123"}')
			ws.send('{"cmd":"send_to_group","group_id":"123","message":"from the page"}')
		}
		ws.onmessage = e => console.log(e.data)
		ws.onclose = e => console.log("closed", e.code)`, push)
	tab := openTabAt(t, browser, "https://"+page+"/healthz", script)
	tab.expect("from the page")
	published, err := exec.CommandContext(t.Context(), groupcast, "publish", "--control", control, "123",
		"from the command line").CombinedOutput()
	if err != nil {
		t.Fatalf("publish: %v\n%s", err, published)
	}
	tab.expect("from the page", "from the command line")
	openTabAt(t, browser, "https://"+stranger+"/healthz", script).expect("closed 1006")
	tab.expect("from the page", "from the command line")
}

// freePort is one that nobody listened on a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().(*net.TCPAddr).Port
}

// shortDir is a directory for sockets, whose names may not be long.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "groupcast") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// buildGroupcast is the program as it is installed.
func buildGroupcast(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "groupcast")
	build := exec.CommandContext(t.Context(), "go", "build", "-pgo=off", "-o", path, "groupcast/server/cmd/groupcast")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// run starts a program, and ends it with the test: it is asked to, and exits with 0.
func run(t *testing.T, program string, args ...string) {
	t.Helper()
	var log strings.Builder
	command := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	command.Stdout, command.Stderr = &log, &log
	command.WaitDelay = wait.Patience
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		if err := command.Wait(); err != nil {
			t.Errorf("it ended with %v", err)
		}
		if t.Failed() {
			t.Logf("%s:\n%s", program, log.String())
		}
	})
}

// trust has Chromium trust a certificate authority, as a user would who imports it. It
// gives the test a home of its own.
func trust(t *testing.T, root []byte) {
	t.Helper()
	certutil, err := exec.LookPath("certutil")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no certutil: make test-deps installs it")
		}
		t.Skip("no certutil: make test-deps installs it, or says how")
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	store, file := filepath.Join(home, ".pki", "nssdb"), filepath.Join(home, "root.pem")
	if err := os.MkdirAll(store, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, root, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), certutil, "-d", "sql:"+store, "-A", "-t", "C,,", "-n", "pebble",
		"-i", file).CombinedOutput()
	if err != nil {
		t.Fatalf("certutil: %v\n%s", err, out)
	}
}
