package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"groupcast/loop"
	"groupcast/server/monitor"
	"groupcast/server/problem"
	"groupcast/server/token"
)

const secretText = "0123456789abcdef0123456789abcdef"

func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// grant is a token that file's key has signed.
func grant(t *testing.T, file string, g token.Grant) string {
	t.Helper()
	if g.User == "" {
		g.User = "7"
	}
	if g.TTL == 0 {
		g.TTL = time.Hour
	}
	text, err := token.Sign(file, g, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// answered is what came back to a request.
type answered struct {
	status int
	header http.Header
	body   string // none of a 101
}

func readAnswer(t *testing.T, r *bufio.Reader) answered {
	t.Helper()
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	a := answered{status: answer.StatusCode, header: answer.Header}
	if a.status != 101 {
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		a.body = string(body)
	}
	return a
}

// upgrade asks for a session with these header lines.
func upgrade(t *testing.T, address, target string, lines ...string) answered {
	t.Helper()
	c := dial(t, address)
	head := "GET " + target + " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for _, line := range lines {
		head += line + "\r\n"
	}
	if _, err := io.WriteString(c, head+"\r\n"); err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, bufio.NewReader(c))
}

// refusedWith is the code of a problem that an upgrade is answered with.
func refusedWith(t *testing.T, address, target string, status int, lines ...string) string {
	t.Helper()
	answer := upgrade(t, address, target, lines...)
	var p problem.RequestError
	if answer.status != status || answer.header.Get("Content-Type") != problem.MediaType ||
		json.Unmarshal([]byte(answer.body), &p) != nil || p.Status != status || p.Detail == "" {
		t.Fatalf("%s %q: %+v", target, lines, answer)
	}
	if status == 401 && answer.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("401 without WWW-Authenticate: %v", answer.header)
	}
	return p.Code
}

// Tokens come in three places; what is wrong is answered 401 in front of the upgrade.
func TestTokenOfAnUpgrade(t *testing.T) {
	file := secretFile(t, secretText)
	s := startServer(t, func(o *Options) { o.TokenKeyFiles = []string{file} })
	at, good := s.Addresses()[0], grant(t, file, token.Grant{Join: []string{"room:*"}})
	for _, c := range []struct{ target, line string }{
		{"/", "Authorization: Bearer " + good},
		{"/", "Sec-WebSocket-Protocol: groupcast.v1, token." + good},
		{"/", "Sec-WebSocket-Protocol: token." + good},
		{"/x?token=" + good, "X: y"},
	} {
		answer := upgrade(t, at, c.target, c.line)
		if answer.status != 101 {
			t.Fatalf("%s %s: %+v", c.target, c.line, answer)
		}
		for name, values := range answer.header {
			if strings.Contains(strings.Join(values, ","), good[:10]) || strings.Contains(strings.Join(values, ","), "token") {
				t.Errorf("%s repeats the token: %q", name, values)
			}
		}
		want := ""
		if strings.Contains(c.line, "groupcast.v1") {
			want = "groupcast.v1"
		}
		if got := answer.header.Get("Sec-WebSocket-Protocol"); got != want {
			t.Errorf("chosen: %q, want %q", got, want)
		}
	}
	for code, lines := range map[string][]string{
		"missing":   nil,
		"malformed": {"Authorization: Bearer x"},
		"signature": {"Authorization: Bearer " + grant(t, secretFile(t, secretText+"x"), token.Grant{})},
		"expired":   {"Authorization: Bearer " + grant(t, file, token.Grant{TTL: -time.Hour})},
		"ambiguous": {"Authorization: Bearer " + good, "Sec-WebSocket-Protocol: token." + good},
		"too_large": {"Authorization: Bearer " + strings.Repeat("x", 5000)},
	} {
		if got := refusedWith(t, at, "/", 401, lines...); got != code {
			t.Errorf("%q: %s, want %s", lines, got, code)
		}
	}
	// What is no upgrade needs no token, and is answered by the loops.
	for target, want := range map[string]int{"/healthz": 200, "/": 426} {
		answer, err := http.Get("http://" + at + target)
		if err != nil {
			t.Fatal(err)
		}
		if _ = answer.Body.Close(); answer.StatusCode != want {
			t.Errorf("%s: %s", target, answer.Status)
		}
	}
	if answer := upgrade(t, at, "/", "X: "+strings.Repeat("x", 9000)); answer.status != 431 {
		t.Errorf("a large head: %+v", answer)
	}
	if st := s.tokenStats(); st.Accepted != 4 || st.Refused[token.Missing] != 1 || st.Refused[token.Ambiguous] != 1 {
		t.Errorf("counted %+v", st)
	}
}

// A client that stops in the middle of its head is answered 408, and one that says nothing is
// cut; others come in meanwhile.
func TestTokenOfASlowHead(t *testing.T) {
	file := secretFile(t, secretText)
	s := startServer(t, func(o *Options) {
		o.TokenKeyFiles, o.HandshakeTimeout = []string{file}, 4*time.Second
	})
	at := s.Addresses()[0]
	half, silent := dial(t, at), dial(t, at)
	if _, err := io.WriteString(half, "GET / HTTP/1.1\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer := readAnswer(t, bufio.NewReader(half)); answer.status != 408 {
		t.Errorf("%+v", answer)
	}
	if n, err := silent.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("a silent client got %d bytes, %v", n, err)
	}
	eventually(t, "the road to be empty", func() bool { return s.roadStats().Pending == 0 })
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func dialTLS(t *testing.T, address string, pool *x509.CertPool) net.Conn {
	t.Helper()
	address = strings.TrimPrefix(address, "tls:")
	c, err := tls.Dial("tcp", address, &tls.Config{RootCAs: pool, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// lockedBuffer is what is logged.
// Owner: any goroutine.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// session is a client in envelope mode with this token.
func session(t *testing.T, address, text string) (*websocket.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	options := &websocket.DialOptions{Subprotocols: []string{"groupcast.v1", "token." + text}}
	if text == "" {
		options.Subprotocols = options.Subprotocols[:1]
	}
	c, _, err := websocket.Dial(ctx, "ws://"+address+"/", options) //nolint:bodyclose // coder/websocket closes it
	if err == nil {
		t.Cleanup(func() { _ = c.CloseNow() })
	}
	return c, err
}

func mustSession(t *testing.T, address, text string) *websocket.Conn {
	t.Helper()
	c, err := session(t, address, text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const denied = `"code":"not_allowed"`

func TestGrantsOfATokenAreKept(t *testing.T) {
	file := secretFile(t, secretText)
	s := startServer(t, func(o *Options) { o.TokenKeyFiles = []string{file} })
	at := s.Addresses()[0]
	c := mustSession(t, at, grant(t, file, token.Grant{
		Join: []string{"room:*"}, Publish: []string{"room:1", "user:{sub}"}, Groups: []string{"user:{sub}"},
	}))
	// It is in its own group before its first command.
	say(t, c, `{"cmd":"send_to_group","group_id":"user:7","message":"own"}`)
	hear(t, c, `"group_id":"user:7","message":"own"`)
	say(t, c, `{"cmd":"add_group","group_id":"other","req_id":1}`)
	hear(t, c, denied)
	say(t, c, `{"cmd":"add_group","group_id":"room:1","req_id":2}`)
	hear(t, c, `{"type":"ack","req_id":2}`)
	say(t, c, `{"cmd":"send_to_group","group_id":"room:2","message":"x","req_id":3}`)
	hear(t, c, denied)
	say(t, c, `{"cmd":"send_to_group","group_id":"room:1","message":"x"}`)
	hear(t, c, `"group_id":"room:1","message":"x"`)
	// A smaller grant, and then one that is no good.
	say(t, c, `{"cmd":"auth","token":"`+grant(t, file, token.Grant{Publish: []string{"*"}})+`","req_id":4}`)
	hear(t, c, `{"type":"ack","req_id":4}`)
	say(t, c, `{"cmd":"send_to_group","group_id":"room:1","message":"x","req_id":5}`)
	hear(t, c, `{"type":"ack","req_id":5}`) // nothing before it: it is not in the group any more
	say(t, c, `{"cmd":"auth","token":"x.y.z","req_id":6}`)
	hear(t, c, `"req_id":6,`+denied)
	say(t, c, `{"cmd":"auth","token":"`+grant(t, file, token.Grant{User: "8"})+`","req_id":7}`)
	hear(t, c, `"req_id":7,`+denied)
	say(t, c, `{"cmd":"send_to_group","group_id":"room:9","message":"x","req_id":8}`)
	hear(t, c, `{"type":"ack","req_id":8}`)
}

// A token whose groups a connection could not be in is refused, of an upgrade and of an open
// session, by the limits of now.
func TestGroupsOfATokenWithinLimits(t *testing.T) {
	file := secretFile(t, secretText)
	s, program := startReloadable(t, func(o *Options) {
		o.TokenKeyFiles, o.MaxGroupBytes, o.MaxGroupsPerSession = []string{file}, 16, 2
	})
	at := s.Addresses()[0]
	long, many := token.Grant{Groups: []string{strings.Repeat("x", 17)}}, token.Grant{Groups: []string{"a", "b", "c"}}
	odd := "a\x00\x1b[2J\n"
	c := mustSession(t, at, grant(t, file, token.Grant{Groups: []string{odd, "b", odd}, Publish: []string{"*"}}))
	say(t, c, `{"cmd":"send_to_group","group_id":"a\u0000\u001b[2J\n","message":"x"}`)
	hear(t, c, `"message":"x"`)
	for _, g := range []token.Grant{long, many} {
		text := grant(t, file, g)
		if got := refusedWith(t, at, "/?token="+text, 401); got != "claims" {
			t.Errorf("%q: %s", g.Groups, got)
		}
		say(t, c, `{"cmd":"auth","token":"`+text+`","req_id":1}`)
		hear(t, c, `"req_id":1,`+denied)
	}
	say(t, c, `{"cmd":"send_to_group","group_id":"b","message":"still here"}`)
	hear(t, c, `"message":"still here"`)
	program.set(func(o *Options) { o.MaxGroupsPerSession = 3 })
	if _, err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustSession(t, at, grant(t, file, many))
	say(t, c, `{"cmd":"auth","token":"`+grant(t, file, many)+`","req_id":2}`)
	hear(t, c, `{"type":"ack","req_id":2}`)
}

// Over TLS the head was decrypted before the loop has the session: nothing of it is lost, nor
// of what comes with it.
func TestTokenOverTLS(t *testing.T) {
	pem, file := filepath.Join(t.TempDir(), "both.pem"), secretFile(t, secretText)
	pool := writeCertificate(t, pem, 1)
	s := startServer(t, func(o *Options) {
		o.TLSCert, o.TokenKeyFiles, o.TokenOptional = []string{pem}, []string{file}, true
	})
	c, err := dialSecured(t, s.Addresses()[0], pool)
	if err != nil {
		t.Fatal(err)
	}
	say(t, c, `{"cmd":"add_group","group_id":"g","req_id":1}`)
	hear(t, c, `"ack"`)
	secured := dialTLS(t, s.Addresses()[0], pool)
	head := "GET /?token=" + grant(t, file, token.Grant{}) + " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n" +
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	// A masked ping with the payload "x", the mask being zero, in the head's own record.
	if _, err := io.WriteString(secured, head+"\x89\x81\x00\x00\x00\x00x"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(secured)
	if answer := readAnswer(t, r); answer.status != 101 {
		t.Fatalf("%+v", answer)
	}
	pong := make([]byte, 3)
	if _, err := io.ReadFull(r, pong); err != nil || string(pong) != "\x8a\x01x" {
		t.Errorf("%q, %v", pong, err)
	}
	bad := dialTLS(t, s.Addresses()[0], pool)
	if _, err := io.WriteString(bad, strings.Replace(head, "token=", "token=x", 1)); err != nil {
		t.Fatal(err)
	}
	if answer := readAnswer(t, bufio.NewReader(bad)); answer.status != 401 {
		t.Fatalf("%+v", answer)
	}
}

// What looks like a token that is meant to be shown makes nobody anonymous, whatever is wrong with it.
func TestAttemptsAreNotAnonymous(t *testing.T) {
	file := secretFile(t, secretText)
	s := startServer(t, func(o *Options) {
		o.TokenKeyFiles, o.TokenOptional, o.TokenFailures = []string{file}, true, 1000
	})
	at, good := s.Addresses()[0], grant(t, file, token.Grant{})
	protocols := "Sec-WebSocket-Protocol: groupcast.v1, "
	for _, c := range []struct{ target, line string }{
		{"/", "Authorization:"},
		{"/", "Authorization: " + good},
		{"/", "Authorization: Bearer"},
		{"/", "Authorization: bearer"},
		{"/", "Authorization: Bearer "},
		{"/", "Authorization: Bearer\t" + good},
		{"/", "Authorization: Bearer \t" + good},
		{"/", "Authorization: Bearer\u00a0" + good},
		{"/", "Authorization: Bearer:" + good},
		{"/", "Authorization: Bearer, " + good},
		{"/", "Authorization: Bearer \"" + good + "\""},
		{"/", "Authorization: JWT " + good},
		{"/", protocols + "token."},
		{"/", protocols + "Token."},
		{"/", protocols + "Token." + good},
		{"/", protocols + good},
		{"/?token=", "X: y"},
		{"/?token", "X: y"},
		{"/?Token=" + good, "X: y"},
		{"/?access_token=" + good, "X: y"},
	} {
		if got := refusedWith(t, at, c.target, 401, c.line); got != "malformed" {
			t.Errorf("%s %q: %s", c.target, c.line, got)
		}
	}
	for _, c := range []struct{ target, line string }{
		{"/", "Authorization: Basic dXNlcjpwYXNz"}, {"/?user=7", "Cookie: jwt=" + good}, {"/", protocols + "chat"},
	} {
		if answer := upgrade(t, at, c.target, c.line); answer.status != 101 {
			t.Errorf("%s %q: %+v", c.target, c.line, answer)
		}
	}
}

func TestAnonymousGrants(t *testing.T) {
	file := secretFile(t, secretText)
	for name, keys := range map[string][]string{"without keys": nil, "with keys": {file}} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, func(o *Options) {
				o.TokenKeyFiles, o.TokenOptional = keys, true
				o.AnonymousJoin, o.AnonymousPublish = []string{"open:*"}, []string{none}
			})
			c := mustSession(t, s.Addresses()[0], "")
			say(t, c, `{"cmd":"add_group","group_id":"open:1","req_id":1}`)
			hear(t, c, `"ack"`)
			say(t, c, `{"cmd":"add_group","group_id":"room:1"}`)
			hear(t, c, denied)
			say(t, c, `{"cmd":"send_to_group","group_id":"open:1","message":"x"}`)
			hear(t, c, denied)
			say(t, c, `{"cmd":"auth","token":"`+grant(t, file, token.Grant{Join: []string{"*"}, Publish: []string{"*"}})+`","req_id":2}`)
			if keys == nil {
				hear(t, c, denied)
				return
			}
			hear(t, c, `"ack"`)
			say(t, c, `{"cmd":"send_to_group","group_id":"open:1","message":"x"}`)
			hear(t, c, `"message":"x"`)
			// A bad token is not the same as none.
			refusedWith(t, s.Addresses()[0], "/", 401, "Authorization: Bearer x")
		})
	}
}

// A reload that grants the anonymous less has them leave groups, and send no more.
func TestReloadOfAnonymousGrants(t *testing.T) {
	file := secretFile(t, secretText)
	s, settings := startReloadable(t, func(o *Options) { o.TokenKeyFiles, o.TokenOptional = []string{file}, true })
	c := mustSession(t, s.Addresses()[0], "")
	known := mustSession(t, s.Addresses()[0], grant(t, file, token.Grant{Join: []string{"*"}, Publish: []string{"*"}}))
	for _, group := range []string{"room:1", "open:1"} {
		for _, one := range []*websocket.Conn{c, known} {
			say(t, one, `{"cmd":"add_group","group_id":"`+group+`","req_id":1}`)
			hear(t, one, `"ack"`)
		}
	}
	settings.set(func(o *Options) { o.AnonymousJoin, o.AnonymousPublish = []string{"open:*"}, []string{"open:*"} })
	if done, err := s.Reload(t.Context()); err != nil || len(done.Changed) != 2 || len(done.Problems) > 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	say(t, c, `{"cmd":"send_to_group","group_id":"room:1","message":"x"}`)
	hear(t, c, denied)
	say(t, known, `{"cmd":"send_to_group","group_id":"room:1","message":"one"}`)
	hear(t, known, `"message":"one"`)
	say(t, known, `{"cmd":"send_to_group","group_id":"open:1","message":"two"}`)
	hear(t, known, `"message":"two"`)
	hear(t, c, `"message":"two"`) // and not the one before
}

func TestConnectionsPerUser(t *testing.T) {
	file := secretFile(t, secretText)
	s := startServer(t, func(o *Options) { o.TokenKeyFiles, o.MaxConnsPerUser = []string{file}, 2 })
	at := s.Addresses()[0]
	seven := grant(t, file, token.Grant{})
	first := mustSession(t, at, seven)
	mustSession(t, at, seven)
	if answer := upgrade(t, at, "/?token="+seven); answer.status != 503 {
		t.Errorf("a third one: %+v", answer)
	}
	mustSession(t, at, grant(t, file, token.Grant{User: "8"}))
	stats, err := s.Stats(t.Context())
	if err != nil || stats.RefusedPerUser != 1 {
		t.Errorf("counted %d, %v", stats.RefusedPerUser, err)
	}
	_ = first.CloseNow()
	eventually(t, "the place to be free", func() bool {
		_, err := session(t, at, seven)
		return err == nil
	})
}

func TestFailedTokensOfAnAddress(t *testing.T) {
	file := secretFile(t, secretText)
	s := startServer(t, func(o *Options) { o.TokenKeyFiles, o.TokenFailures = []string{file}, 0.001 })
	at, good := s.Addresses()[0], "/?token="+grant(t, file, token.Grant{})
	for range 3 { // good ones count for nothing
		if answer := upgrade(t, at, good); answer.status != 101 {
			t.Fatalf("%+v", answer)
		}
	}
	refusedWith(t, at, "/?token=x", 401)
	if got := refusedWith(t, at, good, 429); got != "too_many_failures" {
		t.Error(got)
	}
	if st := s.tokenStats(); st.Spent != 1 || st.Refused[token.Malformed] != 1 {
		t.Errorf("counted %+v", st)
	}
}

// While the key server cannot be had, a token may be good: 503, and try again.
func TestKeyServerThatIsAway(t *testing.T) {
	var keys atomic.Pointer[string]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if text := keys.Load(); text != nil {
			_, _ = io.WriteString(w, *text)
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer server.Close()
	s := startServer(t, func(o *Options) { o.TokenJWKS = []string{server.URL} })
	text := grant(t, secretFile(t, secretText), token.Grant{})
	if got := refusedWith(t, s.Addresses()[0], "/?token="+text, 503); got != "unavailable" {
		t.Error(got)
	}
	if st := s.tokenStats(); st.Sources[0].Failures == 0 || st.Sources[0].Keys != 0 {
		t.Errorf("counted %+v", st)
	}
}

// A session whose token is over is warned, and closed with 1008; one that renews stays.
func TestExpiryOfASession(t *testing.T) {
	file := secretFile(t, secretText)
	s := startServer(t, func(o *Options) { o.TokenKeyFiles = []string{file} })
	at := s.Addresses()[0]
	// Over in two seconds from now, as far as the grace goes.
	short := grant(t, file, token.Grant{TTL: 2*time.Second - loop.ExpiryGrace})
	goes, stays := mustSession(t, at, short), mustSession(t, at, short)
	hear(t, goes, `{"type":"expiring","in_ms":0}`)
	hear(t, stays, `{"type":"expiring","in_ms":0}`)
	say(t, stays, `{"cmd":"auth","token":"`+grant(t, file, token.Grant{})+`","req_id":1}`)
	hear(t, stays, `{"type":"ack","req_id":1}`)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, _, err := goes.Read(ctx); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("closed: %v", err)
	}
	say(t, stays, `{"cmd":"ping","req_id":2}`)
	hear(t, stays, `{"type":"ack","req_id":2}`)
}

// One session cannot fill the queue of those whose tokens are looked at.
func TestOneTokenOfASessionAtATime(t *testing.T) {
	goOn := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-goOn:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	file := secretFile(t, secretText)
	s := startServer(t, func(o *Options) {
		o.TokenIssuers, o.TokenOptional = []string{"slow=" + server.URL, "quick=" + file}, true
		o.HandshakeTimeout = patience
	})
	defer close(goOn)
	c := mustSession(t, s.Addresses()[0], "")
	say(t, c, `{"cmd":"auth","token":"`+grant(t, file, token.Grant{Issuer: "slow"})+`","req_id":1}`)
	say(t, c, `{"cmd":"auth","token":"`+grant(t, file, token.Grant{Issuer: "quick"})+`","req_id":2}`)
	hear(t, c, `"req_id":2,"code":"overloaded"`)
	// The session goes on, and others are served.
	say(t, c, `{"cmd":"ping","req_id":3}`)
	hear(t, c, `{"type":"ack","req_id":3}`)
	other := mustSession(t, s.Addresses()[0], "")
	say(t, other, `{"cmd":"auth","token":"`+grant(t, file, token.Grant{Issuer: "quick"})+`","req_id":1}`)
	hear(t, other, `{"type":"ack","req_id":1}`)
}

// Keys that were replaced are in force after a reload; open sessions stay; a file that is no
// key changes nothing.
func TestReloadOfKeys(t *testing.T) {
	file := secretFile(t, secretText)
	s, settings := startReloadable(t, func(o *Options) { o.TokenKeyFiles = []string{file} })
	at, old := s.Addresses()[0], grant(t, file, token.Grant{Join: []string{"*"}})
	c := mustSession(t, at, old)
	if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "wants a secret of 32") {
		t.Errorf("got %v", err)
	}
	mustSession(t, at, old)
	if err := os.WriteFile(file, []byte(secretText+"new"), 0o600); err != nil {
		t.Fatal(err)
	}
	settings.set(func(o *Options) { o.TokenOptional, o.AnonymousPublish = true, []string{none} })
	done, err := s.Reload(t.Context())
	if err != nil || len(done.Problems) > 0 || len(done.Changed) != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	refusedWith(t, at, "/?token="+old, 401)
	mustSession(t, at, grant(t, file, token.Grant{}))
	say(t, mustSession(t, at, ""), `{"cmd":"send_to_group","group_id":"g","message":"x"}`)
	say(t, c, `{"cmd":"add_group","group_id":"g","req_id":1}`)
	hear(t, c, `"ack"`)
	settings.set(func(o *Options) { o.TokenKeyFiles = nil })
	if done, err = s.Reload(t.Context()); err != nil || len(done.NeedRestart) != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	refusedWith(t, at, "/?token=x", 401)
}

// Nothing of a token, a secret or an address's password is in the log, whatever goes wrong.
func TestSecretsAreNotLogged(t *testing.T) {
	const planted = "plantedSecret"
	var logged lockedBuffer
	file := secretFile(t, planted+secretText)
	o := DefaultOptions()
	o.Listen, o.API, o.Loops = []string{"127.0.0.1:0"}, []string{none}, 1
	o.Control = filepath.Join(shortDir(t), "control.sock")
	o.TokenKeyFiles = []string{file}
	o.TokenIssuers = []string{"idp=http://127.0.0.1:1/keys?key=" + planted}
	s, err := Start(o, slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	at, good := s.Addresses()[0], grant(t, file, token.Grant{User: "u"})
	for _, text := range []string{
		planted, planted + "." + planted + "." + planted, good + planted,
		grant(t, file, token.Grant{Issuer: "idp"}),
	} {
		for _, line := range []string{"Authorization: Bearer " + text, "Sec-WebSocket-Protocol: token." + text, "X: y"} {
			target := "/"
			if line == "X: y" {
				target = "/?token=" + text
			}
			answer := upgrade(t, at, target, line)
			if answer.status == 101 || strings.Contains(answer.body, planted) {
				t.Errorf("%s: %+v", line, answer)
			}
		}
	}
	c := mustSession(t, at, good)
	say(t, c, `{"cmd":"auth","token":"`+planted+`","req_id":1}`)
	hear(t, c, denied)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	text := logged.String()
	if !strings.Contains(text, "token keys cannot be had") || !strings.Contains(text, "a token is refused") {
		t.Errorf("what was to be logged is not: %s", text)
	}
	for _, secret := range []string{planted, good, good[len(good)-20:]} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is in the log: %s", secret, text)
		}
	}
}

func TestAccess(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"open":            nil,
		"limited":         func(o *Options) { o.AnonymousPublish = []string{none} },
		"tokens":          func(o *Options) { o.TokenKeyFiles = []string{secretFile(t, secretText)} },
		"tokens_optional": func(o *Options) { o.TokenKeyFiles, o.TokenOptional = []string{secretFile(t, secretText)}, true },
	} {
		s := startServer(t, change)
		if got := s.Started().Access; got != want {
			t.Errorf("%s is %s", want, got)
		}
		if got := s.Status().Access; got != want {
			t.Errorf("%s is %s in status", want, got)
		}
	}
}

// Backends find a user's sessions, see what is granted to one, and close them all.
func TestSessionsOfAUser(t *testing.T) {
	file := secretFile(t, secretText)
	s := startServer(t, func(o *Options) {
		o.TokenKeyFiles, o.TokenOptional, o.API = []string{file}, true, []string{"127.0.0.1:0"}
		o.AnonymousPublish = []string{none}
	})
	at := s.Addresses()[0]
	api := ""
	for _, l := range s.listeners() {
		if l.Kind == monitor.KindAPI {
			api = "http://" + l.Address
		}
	}
	seven := grant(t, file, token.Grant{Join: []string{"room:*", "a", "b", "c", "d"}})
	mine := []*websocket.Conn{mustSession(t, at, seven), mustSession(t, at, seven)}
	other := mustSession(t, at, grant(t, file, token.Grant{User: "a/b ü"}))
	mustSession(t, at, "")
	ask := func(method, path string, want int, into any) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, api+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != want {
			t.Fatalf("%s %s: %s", method, path, answer.Status)
		}
		if into != nil && json.NewDecoder(answer.Body).Decode(into) != nil {
			t.Fatalf("%s %s: no JSON", method, path)
		}
	}
	var page struct{ Sessions []loop.SessionInfo }
	ask(http.MethodGet, "/v1/sessions?user=7", 200, &page)
	if len(page.Sessions) != 2 || page.Sessions[0].User != "7" || page.Sessions[1].ExpiresAt == nil ||
		time.Until(*page.Sessions[1].ExpiresAt) < 50*time.Minute {
		t.Errorf("got %+v", page.Sessions)
	}
	if g := page.Sessions[0].Grants; g == nil || !slices.Equal(g.Join, []string{"a", "b", "c"}) || g.JoinMore != 2 ||
		g.Publish == nil || len(g.Publish) != 0 || g.PublishMore != 0 {
		t.Errorf("listed with %+v", g)
	}
	var one loop.SessionInfo
	ask(http.MethodGet, "/v1/sessions/"+page.Sessions[0].ID.String(), 200, &one)
	if one.Grants == nil || !slices.Equal(one.Grants.Join, []string{"a", "b", "c", "d", "room:*"}) ||
		one.Grants.JoinMore != 0 || one.Grants.Publish == nil || len(one.Grants.Publish) != 0 {
		t.Errorf("got %+v", one.Grants)
	}
	ask(http.MethodGet, "/v1/sessions", 200, &page)
	if len(page.Sessions) != 4 {
		t.Errorf("got %d", len(page.Sessions))
	}
	ask(http.MethodGet, "/v1/sessions?user=nobody", 200, &page)
	if len(page.Sessions) != 0 {
		t.Errorf("got %+v", page.Sessions)
	}
	ask(http.MethodDelete, "/v1/users/nobody/sessions", 404, nil)
	ask(http.MethodDelete, "/v1/users/7/sessions?code=4001&reason=bye", 204, nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, c := range mine {
		if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != 4001 {
			t.Errorf("closed with %v", err)
		}
	}
	say(t, other, `{"cmd":"ping"}`)
	hear(t, other, "ack")
	ask(http.MethodDelete, "/v1/users/a%2Fb%20%C3%BC/sessions", 204, nil)
	if _, _, err := other.Read(ctx); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("closed with %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}
