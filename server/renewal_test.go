package server

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"

	"groupcast/loop"
	"groupcast/loop/order"
	"groupcast/protocol"
	"groupcast/server/token"
)

// slowKeys is a key server that keeps everybody waiting until it is let go. Its one key is the
// one that file signs with.
type slowKeys struct {
	*httptest.Server
	file string
	once sync.Once
	goOn chan struct{}
}

func newSlowKeys(t *testing.T) *slowKeys {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	k := &slowKeys{file: filepath.Join(t.TempDir(), "key.pem"), goOn: make(chan struct{})}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(k.file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	set := `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + base64.RawURLEncoding.EncodeToString(public) + `"}]}`
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-k.goOn:
			_, _ = io.WriteString(w, set)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() {
		k.letGo()
		k.Close()
	})
	return k
}

func (k *slowKeys) letGo() { k.once.Do(func() { close(k.goOn) }) }

// A token that waits for a key server counts as failed until it is good: with one failure
// allowed, one waits.
func TestTokensOfAnAddressThatWait(t *testing.T) {
	keys := newSlowKeys(t)
	s := startServer(t, func(o *Options) {
		o.TokenJWKS, o.TokenFailures, o.HandshakeTimeout = []string{keys.URL}, 0.001, patience
	})
	at, target := s.Addresses()[0], "/?token="+grant(t, keys.file, token.Grant{})
	first := make(chan int, 1)
	go func() { first <- upgrade(t, at, target).status }()
	client := netip.MustParseAddr("127.0.0.1")
	eventually(t, "the first to wait", func() bool {
		return s.gate.force.Load().failures.Exhausted(client, time.Now())
	})
	if got := refusedWith(t, at, target, 429); got != "too_many_failures" {
		t.Error(got)
	}
	keys.letGo()
	if status := <-first; status != 101 {
		t.Errorf("the first is answered %d", status)
	}
	// What was charged has been given back.
	if answer := upgrade(t, at, target); answer.status != 101 {
		t.Errorf("%+v", answer)
	}
}

// A reload takes no keys from a token that waits for them, in front of its upgrade or of an open
// session.
func TestReloadWhileATokenWaits(t *testing.T) {
	keys, file := newSlowKeys(t), secretFile(t, secretText)
	s, _ := startReloadable(t, func(o *Options) {
		o.TokenIssuers, o.TokenKeyFiles = []string{"slow=" + keys.URL}, []string{file}
		o.HandshakeTimeout = patience
	})
	at, slow := s.Addresses()[0], grant(t, keys.file, token.Grant{Issuer: "slow"})
	c := mustSession(t, at, grant(t, file, token.Grant{}))
	say(t, c, `{"cmd":"auth","token":"`+slow+`","req_id":1}`)
	status := make(chan int, 1)
	go func() { status <- upgrade(t, at, "/?token="+slow).status }()
	eventually(t, "both to be on their way", func() bool {
		return len(s.gate.places) == 1 && s.roadStats().Pending == 1
	})
	if _, err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys.letGo()
	hear(t, c, `{"type":"ack","req_id":1}`)
	if got := <-status; got != 101 {
		t.Errorf("answered %d", got)
	}
	if st := s.tokenStats(); st.Accepted != 3 {
		t.Errorf("counted %+v", st)
	}
}

// While a key server is slow, what nobody has signed does not hold the places of those whose
// keys are there, of the same address neither.
func TestSlowKeyServerLeavesPlaces(t *testing.T) {
	keys, file := newSlowKeys(t), secretFile(t, secretText)
	const places = 16
	s := startServer(t, func(o *Options) {
		o.TokenIssuers, o.TokenOptional = []string{"slow=" + keys.URL, "quick=" + file}, true
		o.HandshakeTimeout, o.MaxHandshakes = patience, places
	})
	at, slow := s.Addresses()[0], grant(t, file, token.Grant{Issuer: "slow"})
	for range places {
		say(t, mustSession(t, at, ""), `{"cmd":"auth","token":"`+slow+`"}`)
	}
	eventually(t, "all but a share to be answered", func() bool {
		st := s.tokenStats()
		return st.Full+st.Crowded == places-places/waitingShare // crowded while others were checked
	})
	quick := grant(t, file, token.Grant{Issuer: "quick"})
	c := mustSession(t, at, quick)
	say(t, c, `{"cmd":"auth","token":"`+quick+`","req_id":1}`)
	hear(t, c, `{"type":"ack","req_id":1}`)
}

// stuckGate is a gate whose sessions take no answer until goOn is closed.
func stuckGate(t *testing.T, places int) (g *gate, file string, goOn chan struct{}, told func() []loop.AuthRequest) {
	t.Helper()
	file, goOn = secretFile(t, secretText), make(chan struct{})
	o := DefaultOptions()
	o.TokenKeyFiles = []string{file}
	g, err := newGate(o, places, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all []loop.AuthRequest
	g.tell = func(ctx context.Context, q loop.AuthRequest, _ *loop.Identity, _ *protocol.CommandError) error {
		select {
		case <-goOn:
		case <-ctx.Done():
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, q)
		return ctx.Err()
	}
	t.Cleanup(g.close)
	return g, file, goOn, func() []loop.AuthRequest {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// What a client sends behind an auth, in the same segment too, is judged by the old grants and
// answered in its order, and the auth's answer comes when it comes.
func TestCommandsBehindAnAuth(t *testing.T) {
	keys, file := newSlowKeys(t), secretFile(t, secretText)
	s := startServer(t, func(o *Options) {
		o.TokenIssuers, o.TokenKeyFiles = []string{"slow=" + keys.URL}, []string{file}
		o.HandshakeTimeout = patience
	})
	before := grant(t, file, token.Grant{Join: []string{"old"}, Publish: []string{"old"}})
	after := grant(t, keys.file, token.Grant{
		Issuer: "slow", Join: []string{"new"}, Publish: []string{"new"}, Groups: []string{"given"},
	})
	segment := []byte("GET /?token=" + before + " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	command := func(group, cmd string, id int) string {
		return fmt.Sprintf(`{"cmd":"%s","group_id":"%s","message":"x","req_id":%d}`, cmd, group, id)
	}
	const old, fresh, send, join = "old", "new", "send_to_group", "add_group"
	for _, text := range []string{
		`{"cmd":"auth","token":"` + after + `","req_id":1}`,
		command(fresh, send, 2), command(fresh, join, 3),
		command(old, join, 4), command(old, send, 5), // its own copy first
		command(fresh, send, 6), command(fresh, join, 7), // behind a send
		`{"cmd":"ping","req_id":8}`,
	} {
		segment = append(segment, ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewTextFrame([]byte(text))))...)
	}
	c := dial(t, s.Addresses()[0])
	write := func(b []byte) {
		t.Helper()
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	write(segment)
	r := bufio.NewReader(c)
	if answer := readAnswer(t, r); answer.status != 101 {
		t.Fatalf("%+v", answer)
	}
	want := func(all ...string) {
		t.Helper()
		for _, part := range all {
			h, err := ws.ReadHeader(r)
			payload := make([]byte, min(h.Length, 1024))
			_, cut := io.ReadFull(r, payload)
			if err != nil || cut != nil || !strings.Contains(string(payload), part) {
				t.Fatalf("got %s, %v, %v; want %s", payload, err, cut, part)
			}
		}
	}
	ack := func(id int) string { return fmt.Sprintf(`{"cmd":"ack","req_id":%d}`, id) }
	no := func(id int) string { return fmt.Sprintf(`"req_id":%d,%s`, id, denied) }
	want(no(2), no(3), ack(4), "x", ack(5), no(6), no(7), ack(8))
	keys.letGo()
	want(ack(1))
	segment = nil
	for _, text := range []string{
		command(old, join, 9), command(old, send, 10), command(fresh, join, 11), command(fresh, send, 12),
	} {
		segment = append(segment, ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewTextFrame([]byte(text))))...)
	}
	write(segment)
	want(no(9), no(10), ack(11), "x", ack(12))
}

// A mistake in checking a token costs its session, and neither the process nor a place.
func TestPanicOfARenewal(t *testing.T) {
	for name, broken := range map[string]func(*testing.T, *gate){
		"of the check": func(t *testing.T, g *gate) {
			t.Helper()
			force := g.force.Load()
			g.force.Store(&inForce{options: force.options, failures: force.failures}) // without a checker
			t.Cleanup(func() { g.force.Store(force) })
		},
		"of the answer": func(t *testing.T, g *gate) {
			t.Helper()
			tell := g.tell
			g.tell = func(context.Context, loop.AuthRequest, *loop.Identity, *protocol.CommandError) error { panic("no") }
			t.Cleanup(func() { g.tell = tell })
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, file, goOn, _ := stuckGate(t, renewalShare)
			close(goOn)
			dropped := make(chan loop.SessionID, 2)
			g.drop = func(_ context.Context, id loop.SessionID, code ws.StatusCode, _ string) error {
				if code != ws.StatusInternalServerError {
					t.Errorf("closed with %d", code)
				}
				dropped <- id
				return loop.ErrNoSession
			}
			broken(t, g)
			q := loop.AuthRequest{
				Session: order.NewSessionID(0, 1, 1), Token: grant(t, file, token.Grant{}),
				Remote: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1},
			}
			for i := range 2 {
				if !g.renew(q) {
					t.Fatalf("%d: not taken", i)
				}
				if got := <-dropped; got != q.Session {
					t.Errorf("closed: %v", got)
				}
				eventually(t, "the place to be free", func() bool { return len(g.places) == 0 && g.shares.Keys() == 0 })
			}
			if got := g.panics.Load(); got != 2 {
				t.Errorf("counted %d", got)
			}
		})
	}
}

// The session is told as of every mistake in the server, and others go on.
func TestSessionLostToAPanic(t *testing.T) {
	file := secretFile(t, secretText)
	s := startServer(t, func(o *Options) { o.TokenKeyFiles = []string{file} })
	tell := s.gate.tell
	s.gate.tell = func(ctx context.Context, q loop.AuthRequest, who *loop.Identity, refused *protocol.CommandError) error {
		if who.User == "unlucky" {
			panic("no")
		}
		return tell(ctx, q, who, refused)
	}
	at, unlucky := s.Addresses()[0], grant(t, file, token.Grant{User: "unlucky"})
	bad, good := mustSession(t, at, unlucky), mustSession(t, at, grant(t, file, token.Grant{}))
	say(t, bad, `{"cmd":"auth","token":"`+unlucky+`","req_id":1}`)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, _, err := bad.Read(ctx); websocket.CloseStatus(err) != websocket.StatusInternalError {
		t.Errorf("got %v", err)
	}
	say(t, good, `{"cmd":"auth","token":"`+grant(t, file, token.Grant{})+`","req_id":2}`)
	hear(t, good, `{"type":"ack","req_id":2}`)
	if st := s.tokenStats(); st.Panics != 1 {
		t.Errorf("counted %+v", st)
	}
}

// What brings a panic counts as failed: an address brings no more of them than tokens may fail.
func TestPanicCountsAsFailed(t *testing.T) {
	g, file, _, _ := stuckGate(t, renewalShare)
	force := &inForce{options: g.force.Load().options, failures: g.force.Load().failures}
	client, text := netip.MustParseAddrPort("192.0.2.1:1"), grant(t, file, token.Grant{})
	tries := 0
	for ; !force.failures.Exhausted(client.Addr(), time.Now()); tries++ {
		if tries > 1000 {
			t.Fatal("it may go on")
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_, _ = g.check(t.Context(), force, client, text)
		}()
	}
	if _, refused := g.check(t.Context(), force, client, text); refused != errSpent {
		t.Errorf("after %d: %v", tries, refused)
	}
}

// One address has a share of the places for renewals, and leaves the others theirs.
func TestRenewalsOfAnAddress(t *testing.T) {
	g, file, goOn, told := stuckGate(t, 2*renewalShare)
	text, session := grant(t, file, token.Grant{}), uint32(0)
	renew := func(address string) bool {
		session++
		q := loop.AuthRequest{Session: order.NewSessionID(0, session, 1), Token: text}
		if address != "" {
			q.Remote = &net.TCPAddr{IP: net.ParseIP(address), Port: int(session)}
		}
		return g.renew(q)
	}
	for i, c := range []struct {
		address string
		want    bool
	}{
		{"192.0.2.1", true},
		{"192.0.2.1", true},
		{"192.0.2.1", false},
		{"::ffff:192.0.2.1", false},
		{"2001:db8::1", true},
		{"2001:db8::2", true},
		{"2001:db8::3", false},
		{"2001:db8:1::3", true},
		{"", true}, // of a unix socket, whose peers have no share
		{"", true},
		{"", true},
		{"", false}, // all have theirs
		{"192.0.2.9", false},
	} {
		if got := renew(c.address); got != c.want {
			t.Errorf("%d: %s is taken: %v", i, c.address, got)
		}
	}
	if got := g.crowded.Load(); got != 5 {
		t.Errorf("counted %d", got)
	}
	close(goOn)
	eventually(t, "all to be answered", func() bool { return len(told()) == 2*renewalShare })
	eventually(t, "the places to be free", func() bool { return len(g.places) == 0 && g.shares.Keys() == 0 })
	if !renew("192.0.2.1") {
		t.Error("what was given back is not there")
	}
}
