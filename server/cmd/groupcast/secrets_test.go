package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"groupcast/server/control"
	"groupcast/server/monitor"
	"groupcast/server/token"
)

// What the secrets of TestSecretsAreShownNowhere are called.
const (
	apiToken     = "the API's token"
	keyQuery     = "the key server's query"
	natsPassword = "the node's password or token at NATS"
	proxyWithin  = "the proxy's password"
	tokenSecret  = "the secret that tokens are signed with"
	privateKey   = "the private key that tokens are signed with"
	tlsKey       = "the key of the certificate"
	goodToken    = "a client's token"
	issuerServer = "the issuer's key server's query"
)

// guarded is a server with a secret wherever one can be.
// Owner: the test.
type guarded struct {
	*process
	*vault

	dir      string
	env      []string
	config   string // its file
	log      string // its file; "": standard error
	secret   string // the file with the secret that tokens are signed with
	web, tls string // listeners
	api      string
	pprof    string

	apiToken string
	token    string // of a client
}

// Secrets that the server was given by flags, variables and files, and those that clients
// send: whatever goes wrong, none is in the log, on the standard outputs, in an answer, a
// metric, a profile or a dump, or where everybody sees it: on the command line, unless it was
// put there.
func TestSecretsAreShownNowhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		how  string
		give func(g *guarded) (env, args []string)
		// What the kernel shows of a process, by design.
		cmdline, environ []string
	}{
		{"flags", func(g *guarded) (env, args []string) {
			return []string{"HTTPS_PROXY=http://user:" + g.plant(proxyWithin) + "@127.0.0.1:1"}, []string{
				"--api-token", g.apiToken, "--token-jwks", g.keyServer("http://127.0.0.1:1/keys?key=%s"),
				"--token-jwks", g.keyServer("https://keys.invalid/keys?key=%s"),
				"--nats", "nats://node:" + g.plant(natsPassword) + "@127.0.0.1:1",
			}
		}, []string{apiToken, keyQuery, natsPassword}, []string{proxyWithin}},
		{"variables", func(g *guarded) (env, args []string) {
			g.log = filepath.Join(g.dir, "log")
			return []string{
				"GROUPCAST_API_TOKEN=" + g.apiToken,
				"GROUPCAST_TOKEN_JWKS=" + g.keyServer("http://127.0.0.1:1/keys?key=%s"),
				"GROUPCAST_NATS=nats://127.0.0.1:1", "GROUPCAST_NATS_TOKEN=" + g.plant(natsPassword),
			}, []string{"--log-file", g.log, "--log-format=json"}
		}, nil, []string{apiToken, keyQuery, natsPassword}},
		{"files", func(g *guarded) (env, args []string) {
			path := filepath.Join(g.dir, "tokens")
			g.write(path, g.apiToken+"\n")
			password := filepath.Join(g.dir, "nats-password")
			g.write(password, g.plant(natsPassword)+"\n")
			return nil, []string{
				"--api-token-file", path, "--nats", "nats://127.0.0.1:1", "--nats-user", "node", "--nats-password-file", password,
			}
		}, nil, nil},
	} {
		t.Run(c.how, func(t *testing.T) {
			t.Parallel()
			g := newGuarded(t, c.give)
			g.doors()
			g.session()
			g.backends()
			g.reloads()
			g.profiles()
			g.search("/proc/PID/cmdline", g.kernel("cmdline"), c.cmdline...)
			g.search("/proc/PID/environ", g.kernel("environ"), c.environ...)
			for _, what := range c.cmdline {
				g.holds("/proc/PID/cmdline", g.kernel("cmdline"), what)
			}
			g.dump()
		})
	}
}

func newGuarded(t *testing.T, give func(g *guarded) (env, args []string)) *guarded {
	t.Helper()
	dir, env := place(t)
	g := &guarded{
		vault: &vault{t: t}, dir: dir, config: filepath.Join(dir, "c.yaml"), secret: filepath.Join(dir, "secret"),
		pprof: "127.0.0.1:" + freePort(t),
	}
	g.apiToken = g.plant(apiToken)
	more, flags := give(g)
	g.env = append(env, "GOTRACEBACK=all")
	g.writeConfig("")
	g.write(g.secret, g.plant(tokenSecret)+rand.Text())
	signing, cert := filepath.Join(dir, "signing.pem"), filepath.Join(dir, "cert.pem")
	g.writeKey(signing, privateKey)
	g.writeCertificate(cert)
	g.token = g.sign(goodToken, token.Grant{User: "7", Join: []string{"*"}, Publish: []string{"*"}, TTL: time.Hour})
	args := append([]string{
		"start", "--listen=127.0.0.1:0", "--listen=tls:127.0.0.1:0", "--tls-cert", cert, "--api=127.0.0.1:0",
		"--channel=127.0.0.1:0", "--pprof", g.pprof, "--config", g.config, "--token-key-file", g.secret,
		"--token-key-file", signing, "--token-failures=0", "--log-level=debug",
	}, flags...)
	g.process = launch(t, append(g.env, more...), args...)
	g.until("a server", func() bool {
		found := control.Discover(t.Context(), []string{dir})
		return len(found) == 1 && found[0].Err == nil
	})
	for _, l := range one(t, dir).Listeners {
		switch address := strings.TrimPrefix(l.Address, "tls:"); {
		case l.Kind == monitor.KindAPI:
			g.api = address
		case l.Kind == monitor.KindWebSocket && g.web == "":
			g.web = address
		case l.Kind == monitor.KindWebSocket:
			g.tls = address
		}
	}
	return g
}

// keyServer is an address with a secret in it.
func (g *guarded) keyServer(format string) string { return fmt.Sprintf(format, g.repeat(keyQuery)) }

// repeat plants a secret once.
func (g *guarded) repeat(what string) string {
	if text := g.kept[what]; text != "" {
		return text
	}
	return g.plant(what)
}

func (g *guarded) write(path, text string) {
	g.vault.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		g.vault.t.Fatal(err)
	}
}

// writeConfig writes the configuration, with a key server that was not there before.
func (g *guarded) writeConfig(more string) {
	g.vault.t.Helper()
	query := g.plant(fmt.Sprint(issuerServer, " ", len(g.kept)))
	g.write(g.config, fmt.Sprintf("token-issuer: ['idp=http://127.0.0.1:1/keys?key=%s']\n%s", query, more))
}

// writeKey writes a key, of whose lines the second is a secret.
func (g *guarded) writeKey(path, what string) *ecdsa.PrivateKey {
	g.vault.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		g.vault.t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		g.vault.t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	g.keep(what, strings.Split(string(text), "\n")[1])
	g.write(path, string(text))
	return key
}

// writeCertificate writes one, with its key behind it.
func (g *guarded) writeCertificate(path string) {
	g.vault.t.Helper()
	key := g.writeKey(path, tlsKey)
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		g.vault.t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		g.vault.t.Fatal(err)
	}
	g.write(path, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))+string(text))
}

// sign makes a token. Its signature is what nobody is to see: claims are no secret.
func (g *guarded) sign(what string, claims token.Grant) string {
	g.vault.t.Helper()
	text, err := token.Sign(g.secret, claims, time.Now())
	if err != nil {
		g.vault.t.Fatal(err)
	}
	g.keep(what, text[strings.LastIndexByte(text, '.')+1:])
	return text
}

// exchange sends bytes, says that there are no more unless they say so themselves, and searches what comes back.
func (g *guarded) exchange(address, request string) (answer string) {
	g.vault.t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		g.vault.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, request)
	if !strings.Contains(request, "Connection: close") { // where that is the API's sign that nobody waits any more
		_ = c.(*net.TCPConn).CloseWrite()
	}
	all, _ := io.ReadAll(c) // reset or not
	g.search("the answer to "+strings.ReplaceAll(request[:min(len(request), 200)], "\r\n", " "), string(all))
	return string(all)
}

// head is a request to upgrade, with one line more.
func head(target, line string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + line + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
}

// doors has clients present what is no good, in every place where a token can be, and in
// requests that are none.
func (g *guarded) doors() {
	g.vault.t.Helper()
	garbage := g.plant("a text that is no token")
	unknown := g.sign("a token of an issuer whose keys cannot be had",
		token.Grant{User: "7", Issuer: "idp", TTL: time.Hour})
	expired := g.sign("a token that is over", token.Grant{User: "7", TTL: -time.Hour})
	for _, text := range []string{garbage, garbage + "." + garbage + "." + garbage, g.token + garbage, unknown, expired} {
		for _, request := range []string{
			head("/", "Authorization: Bearer "+text), head("/", "Sec-WebSocket-Protocol: groupcast.v1, token."+text),
			head("/?token="+text, "X: y"), head("/?a=b&token=%2"+text, "X: y"),
			head("/?token="+text, "Authorization: Bearer "+text),
			head("/", "Authorization: Bearer "+text+"\r\nAuthorization: Bearer "+text),
		} {
			if answer := g.exchange(g.web, request); !strings.HasPrefix(answer, "HTTP/1.1 401") &&
				!strings.HasPrefix(answer, "HTTP/1.1 503") {
				g.vault.t.Errorf("got %.40q", answer)
			}
		}
	}
	for _, credential := range []string{
		"Authorization: Bearer " + g.token, "Authorization: Basic " + g.plant("a password of a client's"),
		"Cookie: session=" + g.plant("a cookie"), "Sec-WebSocket-Protocol: token." + g.token,
	} {
		good := head("/?token="+garbage, credential)
		for _, request := range []string{
			strings.Replace(good, "GET ", "POST ", 1), strings.Replace(good, "HTTP/1.1", "HTTP/9.9", 1),
			strings.Replace(good, "Version: 13", "Version: 8", 1), strings.Replace(good, "websocket", "h2c", 1),
			head("/?token="+garbage, credential+"\r\nno colon "+garbage),
			head("/?token="+garbage, credential+"\r\nX: "+strings.Repeat("x", 16<<10)+garbage),
			good[:len(good)-10], garbage + "\r\n\r\n", "\x16\x03\x01" + garbage,
		} {
			g.exchange(g.web, request)
			g.exchange(g.tls, request)
		}
	}
	c, err := tls.Dial("tcp", g.tls, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it has no authority
	if err != nil {
		g.vault.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, head("/?token="+garbage, "X: y"))
	answer, _ := io.ReadAll(c)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 401") {
		g.vault.t.Errorf("got %.40q", answer)
	}
	g.search("an answer over TLS", string(answer))
}

// session has clients come in by each way, and one of them send tokens.
func (g *guarded) session() {
	g.vault.t.Helper()
	ctx, cancel := context.WithTimeout(g.vault.t.Context(), patience)
	defer cancel()
	protocols := []string{"groupcast.v1"}
	bearer := http.Header{"Authorization": {"Bearer " + g.token}}
	var c *websocket.Conn
	for _, way := range []struct {
		target string
		o      websocket.DialOptions
	}{
		{"/?token=" + g.token, websocket.DialOptions{Subprotocols: protocols}},
		{"/", websocket.DialOptions{Subprotocols: append(protocols, "token."+g.token)}},
		{"/", websocket.DialOptions{Subprotocols: protocols, HTTPHeader: bearer}},
	} {
		next, answer, err := websocket.Dial(ctx, "ws://"+g.web+way.target, &way.o) //nolint:bodyclose // it is the connection
		if err != nil {
			g.vault.t.Fatal(err)
		}
		g.vault.t.Cleanup(func() { _ = next.CloseNow() })
		g.search("the head of an upgrade", fmt.Sprint(answer.Header))
		c = next
	}
	garbage := g.plant("a text that a session sends as a token")
	for i, command := range []string{
		`{"cmd":"auth","token":"` + garbage + `","req_id":%d}`, `{"cmd":"auth","token":"` + g.token + garbage + `","req_id":%d}`,
		`{"cmd":"auth","token":["` + garbage + `"],"req_id":%d}`, `{"cmd":"auth","token":"` + garbage + `","req_id":%d`,
		`{"cmd":"` + garbage + `","token":"` + garbage + `","req_id":%d}`, `{"cmd":"auth","token":"` + g.token + `","req_id":%d}`,
	} {
		if err := c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, command, i)); err != nil {
			g.vault.t.Fatal(err)
		}
		_, answer, err := c.Read(ctx)
		if err != nil {
			g.vault.t.Fatal(command, err)
		}
		g.search("the answer to "+command, string(answer))
	}
}

// backends asks the API and the commands for all that they tell, while the sessions are there.
func (g *guarded) backends() {
	g.vault.t.Helper()
	wrong := g.plant("a wrong token for the API")
	good := "Authorization: Bearer " + g.apiToken
	request := func(method, target, lines, body string) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\nContent-Length: %d\r\n\r\n%s",
			method, target, lines, len(body), body)
	}
	sessions := g.exchange(g.api, request("GET", "/v1/sessions", good, ""))
	_, id, ok := strings.Cut(sessions, `"id":"`)
	if !ok {
		g.vault.t.Fatalf("no session in %s", sessions)
	}
	id, _, _ = strings.Cut(id, `"`)
	for _, target := range []string{
		"/", "/v1/status", "/v1/history", "/v1/sessions/" + id, "/v1/sessions?user=7", "/v1/groups", "/metrics",
		"/openapi.json", "/healthz", "/readyz",
	} {
		if answer := g.exchange(g.api, request("GET", target, good, "")); !strings.HasPrefix(answer, "HTTP/1.1 200") {
			g.vault.t.Errorf("%s: got %.40q", target, answer)
		}
	}
	for _, bad := range []string{
		request("GET", "/v1/status", "Authorization: Bearer "+wrong, ""),
		request("GET", "/v1/status", "Authorization: Basic "+wrong, ""),
		request("GET", "/v1/status", good+"\r\nAuthorization: Bearer "+wrong, ""),
		request("GET", "/v1/status?token="+wrong+"&access_token="+wrong, "Cookie: token="+wrong, ""),
		request("GET", "/v1/sessions?token="+wrong, good, ""),
		request("GET", "/v1/sessions?limit="+wrong, good, ""),
		request("POST", "/v1/publish?token="+wrong, good+"\r\nContent-Type: application/json", `{"token":"`+wrong+`"`),
		request("POST", "/v1/publish", good+"\r\nContent-Type: application/json", `{"token":"`+wrong+`"}`),
		request("POST", "/v1/publish", good+"\r\nContent-Type: "+wrong, `{}`),
		request("GET", "/v1/status", good+"\r\nHost: "+wrong, ""),
		request("GET", "/v1/status", good+"\r\nno colon "+wrong, ""),
		request("GET", "/v1/status", good+"\r\nX: "+strings.Repeat("x", 32<<10)+wrong, ""),
	} {
		if answer := g.exchange(g.api, bad); strings.HasPrefix(answer, "HTTP/1.1 5") {
			g.vault.t.Errorf("got %.40q", answer)
		}
	}
	for _, args := range [][]string{
		{"status"},
		{"status", "--json"},
		{"connections"},
		{"connections", "--json"},
		{"queues"},
		{"publish", "g", "m"},
		{"reload", "--json"},
	} {
		g.search("groupcast "+strings.Join(args, " "), must(g.vault.t, g.env, args...))
	}
}

// reloads changes what has secrets in it, to what can be and to what cannot.
func (g *guarded) reloads() {
	g.vault.t.Helper()
	g.writeConfig("")
	done := must(g.vault.t, g.env, "reload")
	if !strings.Contains(done, "--token-issuer from idp=http://") {
		g.vault.t.Errorf("got %s", done)
	}
	g.search("groupcast reload", done)
	secret := g.plant("a text in a broken file")
	for _, line := range []string{
		"api-token: [a, " + secret + "]", "api-token: {" + secret + ": x}", "api-token: '" + secret + " " + secret + "'",
		"api-token: '" + secret, "api-token: *" + secret, "api-token: !!" + secret + " x", "api-tokn: " + secret,
		"token-jwks: ['http://user:" + secret + "@example.org/keys']", "token-jwks: ['https://user:" + secret + "@%zz/']",
		"token-jwks: ['HTTPS://user:" + secret + "@example.org/keys']",
		"token-jwks: ['s3://user:" + secret + "@example.org']",
		"token-jwks: [['https://user:" + secret + "@example.org']]", "  api-token: " + secret, secret,
	} {
		g.writeConfig(line + "\n")
		g.reload()
	}
	// The beginning of a list's item was forgotten.
	forgotten := "https://user:" + secret + "@example.org/"
	g.write(g.config, "token-issuer: ['"+forgotten+"keys', '"+forgotten+"?a=b']\n")
	g.reload()
	g.writeConfig("")
	before, err := os.ReadFile(g.secret)
	if err != nil {
		g.vault.t.Fatal(err)
	}
	for _, text := range []string{
		secret, "-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY-----\n", "-----BEGIN " + secret,
		`{"keys":[{"kty":"oct","k":"` + secret + `"}]}`, `{"keys":"` + secret + `"}`, `{"` + secret + `"}`,
	} {
		g.write(g.secret, text)
		g.reload()
	}
	g.write(g.secret, string(before))
	g.search("groupcast reload", must(g.vault.t, g.env, "reload"))
}

// reload asks for one by the command, by a signal, and by --check, and searches what they say:
// whether a mistake is one depends on what flags and variables have said before.
func (g *guarded) reload() {
	g.vault.t.Helper()
	_, out, errs := command(g.vault.t, g.env, "reload")
	g.search("groupcast reload", out+errs)
	_, out, errs = command(g.vault.t, g.env, "start", "--check", "--config", g.config, "--token-key-file", g.secret)
	g.search("groupcast start --check", out+errs)
	done := func() int { return strings.Count(g.logged(), "reloaded") }
	before := done()
	g.signal(syscall.SIGHUP)
	g.until("the reload in the log", func() bool { return done() > before })
}

// profiles takes all profiles, a goroutine dump among them.
func (g *guarded) profiles() {
	g.vault.t.Helper()
	for _, name := range []string{
		"", "goroutine?debug=1", "goroutine?debug=2", "heap?debug=1", "heap", "allocs?debug=1", "threadcreate?debug=1",
		"block?debug=1", "mutex?debug=1", "cmdline", "symbol", "profile?seconds=1", "trace?seconds=0.1",
	} {
		answer := g.exchange(g.pprof, "GET /debug/pprof/"+name+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if want := "HTTP/1.1 200"; !strings.HasPrefix(answer, want) && name != "cmdline" {
			g.vault.t.Errorf("%s: got %.40q", name, answer)
		}
	}
}

// dump ends the server as a crash does, with the stacks of all goroutines, and searches all
// that it has written in its life.
func (g *guarded) dump() {
	g.vault.t.Helper()
	g.signal(syscall.SIGABRT)
	<-g.exited
	all := g.out.String() + g.err.String()
	if !strings.Contains(g.err.String(), "SIGABRT") || !strings.Contains(all, "goroutine ") {
		g.vault.t.Errorf("no dump: %s", all)
	}
	g.search("standard output and error", all)
	log := g.logged()
	for _, want := range []string{
		"a token is refused", "token keys cannot be had", "a connection came no further", "api request", "reloaded",
		"not reloaded",
	} {
		if !strings.Contains(log, want) {
			g.vault.t.Errorf("%q is not in the log", want)
		}
	}
	g.search("the log", log)
}

// logged is the log so far.
func (g *guarded) logged() string {
	g.vault.t.Helper()
	if g.log == "" {
		return g.err.String()
	}
	text, err := os.ReadFile(g.log)
	if err != nil {
		g.vault.t.Fatal(err)
	}
	return string(text)
}

// kernel is what everybody, or the same user, reads of the process.
func (g *guarded) kernel(file string) string {
	g.vault.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", g.cmd.Process.Pid, file))
	if err != nil {
		g.vault.t.Skip("no /proc: ", err)
	}
	return strings.ReplaceAll(string(text), "\x00", " ")
}

// A start that is refused says why without the secret that was given wrongly: what it says goes
// into a journal.
func TestSecretsOfARefusedStart(t *testing.T) {
	t.Parallel()
	v := &vault{t: t}
	secret := v.plant("what was given wrongly")
	for _, c := range []struct {
		env, args []string
		want      string
	}{
		{nil, []string{"--api-token", secret + " " + secret}, "--api-token: wants"},
		{nil, []string{"--api-token", "-x" + secret}, "--api-token: wants a value"},
		{nil, []string{"--api-token", "--x" + secret}, "--api-token: wants a value"},
		{nil, []string{"--api-tokn", secret}, "unknown flag --api-tokn"},
		{nil, []string{"--api-tokn=" + secret}, "unknown flag --api-tokn"},
		{nil, []string{"--token-jwks", "http://user:" + secret + "@example.org"}, "--token-jwks: wants https://"},
		{nil, []string{"--token-jwks", "https://user:" + secret + "@example.org"}, "--token-jwks: wants an address without"},
		{nil, []string{"--token-issuer", "idp=https://" + secret + "@example.org"}, "--token-issuer: wants an address"},
		{nil, []string{"--token-issuer", "https://user:" + secret + "@example.org"}, "--token-issuer: wants ISSUER="},
		{nil, []string{"--token-issuer", "idp=http://user:" + secret + "@example.org"}, "--token-issuer: wants https://"},
		{[]string{"GROUPCAST_API_TOKEN=" + secret + "\n"}, nil, "--api-token (GROUPCAST_API_TOKEN): wants"},
		{[]string{"GROUPCAST_API_TOKN=" + secret}, nil, "unknown variable GROUPCAST_API_TOKN"},
		{
			[]string{"GROUPCAST_TOKEN_JWKS=ftp://user:" + secret + "@example.org"},
			nil,
			"--token-jwks (GROUPCAST_TOKEN_JWKS): wants",
		},
	} {
		code, out, errs := command(t, c.env, append([]string{"start", "--listen=127.0.0.1:0"}, c.args...)...)
		if code != exitRefused || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit %d, %s; want %s", c.args, code, errs, c.want)
		}
		v.search(strings.Join(append(c.args, c.env...), " "), out+errs)
	}
}
