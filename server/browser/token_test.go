package browser

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"groupcast/loop/wait"
	"groupcast/server"
	"groupcast/server/monitor"
	"groupcast/server/token"
)

// TestTokenInAPage: a page passes a token on in the list of subprotocols, as browsers alone can,
// and is who the token says: it joins what that grants and nothing else, and gets what a backend
// publishes to its user. Without a token, or with one that is no good, it does not get in.
func TestTokenInAPage(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("0123456789abcdef0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	jwt, err := token.Sign(secret, token.Grant{User: "7", Join: []string{"room:*"}, TTL: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	o := server.DefaultOptions()
	o.Listen, o.API, o.Control = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}, "none"
	o.TokenKeyFiles = []string{secret}
	s, err := server.Start(o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	api := apiOf(t, s)

	browser := startBrowser(t, s.Addresses()[0])
	script := func(protocols string) string {
		return `jwt = ` + strconv.Quote(jwt) + `
			ws = new WebSocket('ws://127.0.0.1:1234', ` + protocols + `)
			ws.onopen = () => {
				console.log(ws.protocol)
				ws.send('{"cmd":"add_group","group_id":"room:1","req_id":1}')
				ws.send('{"cmd":"add_group","group_id":"staff","req_id":2}')
			}
			ws.onmessage = e => {
				m = JSON.parse(e.data)
				console.log(m.type, m.req_id ?? m.group_id ?? '', m.code ?? m.message ?? '')
			}
			ws.onclose = e => console.log('closed', e.code)`
	}
	tab := openTab(t, browser, script(`['groupcast.v1', 'token.' + jwt]`))
	seen := []string{"groupcast.v1", "ack 1 ", "error 2 not_allowed"}
	tab.expect(seen...)
	for _, c := range []struct{ path, text, want string }{
		{"users/8", "to another user", ""},
		{"groups/staff", "to a group that it is not in", ""},
		{"users/7", "to the user", "user_message  to the user"},
		{"groups/room:1", "to the room", "message room:1 to the room"},
	} {
		response, err := http.Post(api+"/v1/"+c.path+"/messages", "text/plain", strings.NewReader(c.text))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusAccepted {
			t.Fatalf("%s: %s", c.path, response.Status)
		}
		if c.want != "" {
			seen = append(seen, c.want)
			tab.expect(seen...)
		}
	}

	for _, protocols := range []string{`['groupcast.v1', 'token.' + jwt + 'x']`, `['groupcast.v1']`} {
		openTabAt(t, browser, "http://127.0.0.1:1234/", script(protocols)).expect("closed 1006")
	}
	tab.expect(seen...)
}

// apiOf is where the server's API listens, for http.
func apiOf(t *testing.T, s *server.Server) (url string) {
	t.Helper()
	wait.Until(t, "the status has the API's address", func() bool {
		for _, l := range s.Status().Listeners {
			if l.Kind == monitor.KindAPI {
				url = "http://" + l.Address
			}
		}
		return url != ""
	})
	return url
}
