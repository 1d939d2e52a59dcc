package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"groupcast/loop/wait"
	"groupcast/server/launch"
)

// proxies are the programs of which the README has a configuration.
var proxies = []struct {
	name     string // the block in the README
	program  string
	flag     string // of groupcast's command for it
	wrap     string
	replaced map[string]string // what is a machine's own in the README's text, and CAPITALS in wrap
	args     []string
}{
	{
		name: "haproxy", program: "haproxy", flag: "--proxy-protocol", wrap: "TEXT",
		replaced: map[string]string{"bind :443": "bind 127.0.0.1:PORT", "tunnel  120s": "tunnel  SHORT"},
		args:     []string{"-f", "FILE", "-db"},
	},
	{
		name: "nginx-http", program: "nginx", flag: "--trusted-proxy", wrap: "events {} http { access_log off; TEMP\nTEXT }",
		replaced: map[string]string{
			"listen 443": "listen 127.0.0.1:PORT", "read_timeout 120s": "read_timeout SHORT",
			"send_timeout 120s": "send_timeout SHORT",
		},
		args: nginxArgs,
	},
	{
		name: "nginx-stream", program: "nginx", flag: "--proxy-protocol",
		wrap:     "load_module /usr/lib/nginx/modules/ngx_stream_module.so; events {} stream {\nTEXT }",
		replaced: map[string]string{"listen 443": "listen 127.0.0.1:PORT", "proxy_timeout 120s": "proxy_timeout SHORT"},
		args:     nginxArgs,
	},
	{
		name: "caddy", program: "caddy", flag: "--trusted-proxy",
		wrap: "{\n admin off\n auto_https disable_redirects\n skip_install_trust\n storage file_system DIR\n}\nTEXT",
		replaced: map[string]string{
			"push.example.org {": "push.example.org:PORT {\n    bind 127.0.0.1\n    tls /etc/ssl/push.pem /etc/ssl/push.key",
		},
		args: []string{"run", "--adapter", "caddyfile", "--config", "FILE"},
	},
}

var nginxArgs = []string{"-e", "stderr", "-p", "DIR", "-c", "FILE", "-g", "daemon off; pid DIR/pid;"}

const (
	hostName   = "push.example.org"
	pingAfter  = 700 * time.Millisecond
	short      = "2s" // instead of a proxy's timeout of 120s: more than pingAfter, as that is more than 55 s
	clientHost = "127.0.0.2"
)

// TestProxies starts each proxy with the README's text: only ports, the paths of the
// certificate, and times are others. Through it clients join, publish, receive 1 MiB, and
// outlive its timeouts by the server's pings alone.
func TestProxies(t *testing.T) {
	groupcast := launch.Groupcast(t)
	for _, proxy := range proxies {
		t.Run(proxy.name, func(t *testing.T) {
			t.Parallel()
			program := launch.Find(t, proxy.program)
			dir := launch.ShortDir(t)
			control := filepath.Join(dir, "control.sock")
			port, backend := launch.FreePort(t), launch.FreePort(t)
			args := commandOf(t, proxy.flag)
			replace(t, args, "127.0.0.1:1234", fmt.Sprintf("127.0.0.1:%d", backend))
			launch.Run(t, groupcast, append(args, "--api", "none", "--control", control, "--max-message", "2MiB",
				"--max-backlog", "8MiB", "--ping-after", pingAfter.String(), "--close-after", "30s"))
			launch.Listening(t, backend)

			pem, key := filepath.Join(dir, "push.pem"), filepath.Join(dir, "push.key")
			if proxy.program == "haproxy" {
				key = pem
			}
			trusted := launch.WriteCertificate(t, hostName, pem, key)
			text := block(t, proxy.name)
			for from, to := range proxy.replaced {
				text = replaceOnce(t, text, from, to)
			}
			text = replaceOnce(t, text, "127.0.0.1:1234", fmt.Sprintf("127.0.0.1:%d", backend))
			text = strings.Replace(proxy.wrap, "TEXT", text, 1)
			temp := strings.Join([]string{
				"", "client_body_temp_path DIR/body;", "proxy_temp_path DIR/proxy;", "fastcgi_temp_path DIR/fastcgi;",
				"uwsgi_temp_path DIR/uwsgi;", "scgi_temp_path DIR/scgi;", "",
			}, "\n")
			file := filepath.Join(dir, "configuration")
			machine := strings.NewReplacer("TEMP", strings.ReplaceAll(temp, "DIR", dir), "PORT", fmt.Sprint(port),
				"SHORT", short, "/etc/ssl/push.pem", pem, "/etc/ssl/push.key", key, "DIR", dir, "FILE", file)
			if err := os.WriteFile(file, []byte(machine.Replace(text)), 0o600); err != nil {
				t.Fatal(err)
			}
			arguments := make([]string, len(proxy.args))
			for i, a := range proxy.args {
				arguments[i] = machine.Replace(a)
			}
			launch.Run(t, program, arguments, -1, 143) // by the signal, and as a shell counts it
			launch.Listening(t, port)

			useThrough(t, port, trusted)
			if client := connections(t, groupcast, control); client != clientHost {
				t.Errorf("the client's address is shown as %s", client)
			}
		})
	}
}

// useThrough has two clients talk to each other through the proxy at port.
func useThrough(t *testing.T, port int, trusted *x509.CertPool) {
	t.Helper()
	pings := make(chan struct{}, 100)
	speaker, listener := dial(t, port, trusted, nil), dial(t, port, trusted, pings)
	for _, c := range []*websocket.Conn{speaker, listener} {
		say(t, c, `{"cmd":"add_group","group_id":"g","req_id":1}`)
		hear(t, c, `{"cmd":"ack","req_id":1}`)
	}
	both := func(message string) {
		t.Helper()
		say(t, speaker, `{"cmd":"send_to_group","group_id":"g","message":"`+message+`"}`)
		hear(t, speaker, message)
		hear(t, listener, message)
	}
	both("hello")
	both(strings.Repeat("x", 1<<20))

	// Nobody says anything, but for the server's pings, for longer than the proxy's timeouts. The
	// library answers pings while it reads.
	var reading sync.WaitGroup
	quiet, spoken := context.WithCancel(t.Context())
	defer spoken()
	for _, c := range []*websocket.Conn{speaker, listener} {
		reading.Go(func() {
			_, text, err := c.Read(quiet)
			if err != nil || string(text) != "still there" {
				t.Errorf("received %.100q, %v", text, err)
			}
		})
	}
	for range 5 {
		select {
		case <-pings:
		case <-time.After(wait.Patience):
			t.Fatal("no ping comes through")
		}
	}
	say(t, dial(t, port, trusted, nil), `{"cmd":"send_to_group","group_id":"g","message":"still there"}`)
	reading.Wait()
}

// dial connects from clientHost, and tells of pings.
func dial(t *testing.T, port int, trusted *x509.CertPool, pings chan<- struct{}) *websocket.Conn {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientHost)}}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: trusted, ServerName: hostName},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", port))
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), wait.Patience)
	defer cancel()
	options := &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport},
		OnPingReceived: func(context.Context, []byte) bool {
			if pings != nil {
				pings <- struct{}{}
			}
			return true
		},
	}
	c, _, err := websocket.Dial(ctx, "wss://"+hostName+"/", options) //nolint:bodyclose // coder/websocket closes it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	c.SetReadLimit(2 << 20)
	return c
}

func say(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, c *websocket.Conn, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait.Patience)
	defer cancel()
	_, text, err := c.Read(ctx)
	if err != nil || string(text) != want {
		t.Fatalf("received %.100q, %v; want %.100q", text, err, want)
	}
}

// connections is the one address that all sessions are shown with.
func connections(t *testing.T, groupcast, control string) (host string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), groupcast, "connections", "--json", "--control", control).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		var s struct{ Remote string }
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		one, _, err := net.SplitHostPort(s.Remote)
		if err != nil || host != "" && one != host {
			t.Fatalf("sessions %s: %v", out, err)
		}
		host = one
	}
	return host
}

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block is the README's block of that kind.
func block(t *testing.T, kind string) string {
	t.Helper()
	_, text, begins := strings.Cut(readme(t), "```"+kind+"\n")
	text, _, ends := strings.Cut(text, "```")
	if !begins || !ends {
		t.Fatalf("README.md has no block %s", kind)
	}
	return text
}

// commandOf are the arguments of the README's command for proxies.
func commandOf(t *testing.T, flag string) []string {
	t.Helper()
	_, text, _ := strings.Cut(readme(t), "### Behind a proxy")
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) > 1 && words[0] == "groupcast" && strings.Contains(line, flag) {
			return words[1:]
		}
	}
	t.Fatal("README.md has no command for proxies")
	return nil
}

func replaceOnce(t *testing.T, text, from, to string) string {
	t.Helper()
	if strings.Count(text, from) != 1 {
		t.Fatalf("README.md: %q is not there once in\n%s", from, text)
	}
	return strings.Replace(text, from, to, 1)
}

func replace(t *testing.T, words []string, from, to string) {
	t.Helper()
	for i, word := range words {
		if word == from {
			words[i] = to
			return
		}
	}
	t.Fatalf("README.md: no %s in %q", from, words)
}
