package browser

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"groupcast/loop/wait"
	"groupcast/server/door/acme/pebble"
	"groupcast/server/launch"
)

// TestFromNothing starts all that a page on the open internet needs: a certificate authority,
// the program with --acme, a browser that trusts that authority and nothing else. A page of
// one name joins over wss:// at another one, with the certificates that have been issued, and
// publishes and receives; a page of a third name, which --origin does not list, may not.
func TestFromNothing(t *testing.T) {
	const page, push, stranger = "app.example.org", "push.example.org", "other.example.org"
	port := launch.FreePort(t)
	authority := pebble.Start(t, pebble.Options{Valid: time.Hour, TLSPort: port})
	root := authority.Root(t)
	dir := launch.ShortDir(t)
	control := filepath.Join(dir, "control.sock")
	groupcast := launch.Groupcast(t)
	launch.Run(t, groupcast, []string{
		"start",
		"--listen", fmt.Sprintf("127.0.0.1:%d", port), "--api", "none", "--control", control,
		"--acme", push, "--acme", page, "--acme", stranger, "--acme-ca", authority.URL,
		"--acme-roots", authority.RootsFile, "--acme-dir", filepath.Join(dir, "acme"), "--origin", "https://" + page,
	})
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

// trust has Chromium trust a certificate authority, as a user would who imports it. It
// gives the test a home of its own.
func trust(t *testing.T, root []byte) {
	t.Helper()
	certutil := launch.Find(t, "certutil")
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
