package token

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"groupcast/loop/wait"
)

// keyServer answers with what it is told to.
type keyServer struct {
	*httptest.Server
	asked  atomic.Int64
	answer atomic.Pointer[http.HandlerFunc]
}

func newKeyServer(tb testing.TB, first http.HandlerFunc) *keyServer {
	tb.Helper()
	s := &keyServer{}
	s.answer.Store(&first)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		(*s.answer.Load())(w, r)
	}))
	tb.Cleanup(s.Close)
	return s
}

func (s *keyServer) now(h http.HandlerFunc) { s.answer.Store(&h) }

func serves(set []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) }
}

// edKey is a key of its own with a kid.
func edKey(tb testing.TB, kid string) (private ed25519.PrivateKey, public json.RawMessage) {
	tb.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return private, jwk(tb, kid, private.Public())
}

func withKid(kid string) map[string]any { return map[string]any{"kid": kid} }

// soon lets the next unknown kid have the keys fetched, as if time had passed.
func (c *Checker) soon() {
	for _, s := range c.sources {
		s.mu.Lock()
		s.tried = time.Time{}
		s.mu.Unlock()
	}
}

func TestKeyServer(t *testing.T) {
	private, public := edKey(t, "one")
	server := newKeyServer(t, serves(keySet(t, public)))
	c := newChecker(t, Options{JWKS: []string{server.URL + "/keys?tenant=secret"}})
	accept(t, c, sign(t, edDSA, private, withKid("one"), good(nil)))
	st := c.Stats().Sources[0]
	if server.asked.Load() != 1 || st.Keys != 1 || st.Reads != 1 || st.ReadAt == 0 || st.Name != server.URL+"/keys" {
		t.Errorf("asked %d times, counted %+v", server.asked.Load(), st)
	}
}

// While the key server does not answer well, the old keys stay, and all is counted and
// logged.
func TestAnswersThatAreRefused(t *testing.T) {
	private, public := edKey(t, "one")
	many := make([]json.RawMessage, 10_000)
	for i := range many { // small ones, which are not over the limit of bytes
		many[i] = []byte(`{}`)
	}
	elsewhere := newKeyServer(t, serves(keySet(t, public)))
	endless := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"keys":[`)
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, strings.Repeat(`{"kty":"x"},`, 1000))
		}
	}
	for name, one := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"10 MB":       {serves(bytes.Repeat([]byte(" "), 10<<20)), "wants a key set of 1048576 bytes at most"},
		"10,000 keys": {serves(keySet(t, many...)), "wants a key set of 256 keys at most, got 10000"},
		"endless":     {endless, "wants a key set of 1048576 bytes at most"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		}, "wants status 200, got 302"},
		"error": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "wants status 200, got 500"},
		"page":  {serves([]byte("<html>")), `wants a JSON Web Key set: {"keys":[..]}`},
		"empty": {serves(nil), `wants a JSON Web Key set: {"keys":[..]}`},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"keys":[]`)
		}, "unexpected EOF"},
		"large header": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 128<<10))
		}, "exceeded"},
		"no list":       {serves([]byte(`{}`)), `wants a JSON Web Key set: {"keys":[..]}`},
		"null":          {serves([]byte(`{"keys":null}`)), `wants a JSON Web Key set: {"keys":[..]}`},
		"another name":  {serves([]byte(`{"Keys":[]}`)), `wants a JSON Web Key set: {"keys":[..]}`},
		"an empty list": {serves([]byte(`[]`)), `wants a JSON Web Key set: {"keys":[..]}`},
		"an object":     {serves([]byte(`{"keys":{}}`)), `wants a JSON Web Key set: {"keys":[..]}`},
	} {
		t.Run(name, func(t *testing.T) {
			var logged bytes.Buffer
			server := newKeyServer(t, serves(keySet(t, public)))
			c := newChecker(t, Options{
				JWKS: []string{server.URL + "/keys?key=planted"}, Log: slog.New(slog.NewTextHandler(&logged, nil)),
			})
			server.now(one.answer)
			err := c.sources[0].refresh(t.Context(), c.life, 0)
			if err == nil || !strings.Contains(err.Error(), one.want) {
				t.Errorf("got %v, want %s", err, one.want)
			}
			accept(t, c, sign(t, edDSA, private, withKid("one"), good(nil)))
			if st := c.Stats().Sources[0]; st.Failures != 1 || st.Keys != 1 {
				t.Errorf("counted %+v", st)
			}
			if s := logged.String(); !strings.Contains(s, "the old ones stay in force") || strings.Contains(s, "planted") {
				t.Errorf("logged %s", s)
			}
		})
	}
	if n := elsewhere.asked.Load(); n != 0 {
		t.Errorf("a redirect was followed %d times", n)
	}
}

// A key set without a key that can be used withdraws those that it had.
func TestKeysThatAreWithdrawn(t *testing.T) {
	private, public := edKey(t, "one")
	other := strings.Replace(string(public), `"kty"`, `"use":"enc","kty"`, 1)
	for name, one := range map[string]struct{ set, want string }{
		"no keys": {`{"keys":[]}`, "a set without keys"},
		"a secret": {
			`{"keys":[{"kty":"oct","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}`,
			"got none in 1; the first: is a secret, which nobody publishes",
		},
		"for encryption": {`{"keys":[` + other + `,{}]}`, "got none in 2; the first: is not for signatures"},
	} {
		t.Run(name, func(t *testing.T) {
			var logged bytes.Buffer
			server := newKeyServer(t, serves(keySet(t, public)))
			c := newChecker(t, Options{
				JWKS: []string{server.URL + "/keys?key=planted"}, Log: slog.New(slog.NewTextHandler(&logged, nil)),
			})
			text := sign(t, edDSA, private, withKid("one"), good(nil))
			accept(t, c, text)
			server.now(serves([]byte(one.set)))
			for range 2 { // counted once
				if err := c.sources[0].refresh(t.Context(), c.life, 0); err == nil || !strings.Contains(err.Error(), one.want) {
					t.Errorf("got %v, want %s", err, one.want)
				}
			}
			refuse(t, c, text, UnknownKey)
			refuse(t, c, sign(t, edDSA, private, nil, good(nil)), UnknownKey)
			if st := c.Stats().Sources[0]; st.Failures != 0 || st.Withdrew != 1 || st.Keys != 0 || st.ReadAt == 0 {
				t.Errorf("counted %+v", st)
			}
			if s := logged.String(); strings.Count(s, "level=ERROR") != 2 || !strings.Contains(s, "keys before are refused") ||
				!strings.Contains(s, one.want) || strings.Contains(s, "planted") {
				t.Errorf("logged %s", s)
			}
			// A reload brings them back no more.
			next, err := New(Options{JWKS: c.o.JWKS, Log: c.o.Log}, c)
			if err != nil {
				t.Fatal(err)
			}
			defer next.Close()
			refuse(t, next, text, UnknownKey)
			// With keys again, the first token that wants one has them fetched, with and without a kid.
			server.now(serves(keySet(t, public)))
			next.soon()
			accept(t, next, sign(t, edDSA, private, nil, good(nil)))
			accept(t, next, text)
			if !strings.Contains(logged.String(), "can be had again") {
				t.Errorf("logged %s", logged.String())
			}
		})
	}
}

// What never had a key has withdrawn none: its tokens may be good.
func TestKeySetThatIsEmptyAtFirst(t *testing.T) {
	private, public := edKey(t, "one")
	server := newKeyServer(t, serves([]byte(`{"keys":[]}`)))
	c := newChecker(t, Options{JWKS: []string{server.URL}})
	text := sign(t, edDSA, private, withKid("one"), good(nil))
	refuse(t, c, text, Unavailable)
	if st := c.Stats().Sources[0]; st.Failures != 1 || st.Withdrew != 0 || st.ReadAt != 0 {
		t.Errorf("counted %+v", st)
	}
	server.now(serves(keySet(t, public)))
	c.soon()
	accept(t, c, text)
}

// A file withdraws its keys likewise; a start with it is refused.
func TestKeyFileWithoutKeys(t *testing.T) {
	private, public := edKey(t, "one")
	path := write(t, "keys.json", keySet(t, public))
	c := newChecker(t, Options{JWKS: []string{path}})
	text := sign(t, edDSA, private, withKid("one"), good(nil))
	accept(t, c, text)
	for _, half := range []string{"", `{"keys":[`, `{}`} { // half written
		if err := os.WriteFile(path, []byte(half), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.sources[0].refresh(t.Context(), c.life, 0); err == nil {
			t.Errorf("%q: taken", half)
		}
		accept(t, c, text)
	}
	if err := os.WriteFile(path, []byte(`{"keys":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(c.o, c); err == nil || !strings.Contains(err.Error(), "got a set without keys") {
		t.Errorf("got %v", err)
	}
	_ = c.sources[0].refresh(t.Context(), c.life, 0) // as the next look at it does
	refuse(t, c, text, UnknownKey)
}

func TestUnreachableKeyServer(t *testing.T) {
	private, public := edKey(t, "one")
	server := newKeyServer(t, serves(keySet(t, public)))
	url := server.URL
	server.Close()
	var logged bytes.Buffer
	c := newChecker(t, Options{JWKS: []string{url}, Log: slog.New(slog.NewTextHandler(&logged, nil))})
	text := sign(t, edDSA, private, withKid("one"), good(nil))
	refuse(t, c, text, Unavailable)
	s := logged.String()
	if !strings.Contains(s, "cannot be had, and there are none yet") || !strings.Contains(s, "refused") {
		t.Errorf("logged %s", s)
	}
	// Tokens do not wait for it, one after the other.
	reads := c.Stats().Sources[0].Reads
	for range 100 {
		refuse(t, c, text, Unavailable)
	}
	if got := c.Stats().Sources[0].Reads; got != reads {
		t.Errorf("read %d times, was %d", got, reads)
	}
	// Another configuration has the keys that this one had, where the server is the same.
	keys, err := parseJWKS(keySet(t, public), false)
	if err != nil {
		t.Fatal(err)
	}
	c.sources[0].keys.Store(&keys)
	c.Close()
	next, err := New(Options{JWKS: []string{url}, Audience: nil}, c)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	accept(t, next, text)
	if got := next.Stats(); got.Refused[Unavailable] != 101 {
		t.Errorf("what was counted is forgotten: %+v", got)
	}
}

// The issuer has a new key: the first token that has its kid finds it.
func TestRotation(t *testing.T) {
	oldKey, oldPublic := edKey(t, "old")
	newKey, newPublic := edKey(t, "new")
	server := newKeyServer(t, serves(keySet(t, oldPublic)))
	c := newChecker(t, Options{JWKS: []string{server.URL}})
	accept(t, c, sign(t, edDSA, oldKey, withKid("old"), good(nil)))
	server.now(serves(keySet(t, newPublic)))
	text := sign(t, edDSA, newKey, withKid("new"), good(nil))
	refuse(t, c, text, UnknownKey) // not so soon
	if n := server.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	c.soon()
	accept(t, c, text)
	refuse(t, c, sign(t, edDSA, oldKey, withKid("old"), good(nil)), UnknownKey)
	// A kid that is claimed by a token of another algorithm is known.
	c.soon()
	n := server.asked.Load()
	refuse(t, c, sign(t, hs256, theSecret, withKid("new"), good(nil)), Algorithm)
	if server.asked.Load() != n {
		t.Error("the key server is asked for a kid that is there")
	}
}

func TestKeysReplacedWhileManyWait(t *testing.T) {
	const clients = 1000
	oldKey, oldPublic := edKey(t, "old")
	newKey, newPublic := edKey(t, "new")
	server := newKeyServer(t, serves(keySet(t, oldPublic)))
	c := newChecker(t, Options{JWKS: []string{server.URL}})
	c.soon()
	goOn := make(chan struct{})
	server.now(func(w http.ResponseWriter, _ *http.Request) {
		<-goOn
		_, _ = w.Write(keySet(t, oldPublic, newPublic))
	})
	fresh, stale := sign(t, edDSA, newKey, withKid("new"), good(nil)), sign(t, edDSA, oldKey, withKid("old"), good(nil))
	var all sync.WaitGroup
	var taken, waiting atomic.Int64
	for range clients {
		all.Go(func() {
			waiting.Add(1)
			if _, err := c.Check(t.Context(), fresh, nil); err == nil {
				taken.Add(1)
			}
		})
	}
	wait.Until(t, "the key server to be asked", func() bool {
		return server.asked.Load() == 2 && waiting.Load() == clients
	})
	for range 100 {
		accept(t, c, stale) // these wait for nobody
	}
	close(goOn)
	all.Wait()
	if taken.Load() != clients || server.asked.Load() != 2 {
		t.Errorf("%d of %d taken, the key server was asked %d times", taken.Load(), clients, server.asked.Load())
	}
}

// A flood of invented kids costs the key server one request, and waits for nothing.
func TestInventedKids(t *testing.T) {
	private, public := edKey(t, "one")
	server := newKeyServer(t, serves(keySet(t, public)))
	c := newChecker(t, Options{JWKS: []string{server.URL}})
	c.soon()
	for i := range 200 {
		refuse(t, c, sign(t, edDSA, private, withKid(fmt.Sprint("kid", i)), good(nil)), UnknownKey)
	}
	if n := server.asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// silent never answers.
func silent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// Of the tokens that nobody has a key for, a bounded number waits for a slow key server; each
// has its share, so that another one is asked all the same.
func TestThoseThatWaitAreBounded(t *testing.T) {
	private, public := edKey(t, "one")
	slow, other := newKeyServer(t, serves(keySet(t, public))), newKeyServer(t, serves(keySet(t, public)))
	c := newChecker(t, Options{Issuers: []string{"slow=" + slow.URL, "other=" + other.URL}, MaxWaiting: 5})
	c.soon()
	slow.now(silent)
	ctx, cancel := context.WithCancel(t.Context())
	token := func(iss, kid string) string {
		return sign(t, edDSA, private, withKid(kid), good(jwt.MapClaims{"iss": iss}))
	}
	var waiting sync.WaitGroup
	var ended atomic.Int64
	for range 2 {
		waiting.Go(func() {
			_, _ = c.Check(ctx, token("slow", "two"), nil)
			ended.Add(1)
		})
	}
	wait.Until(t, "two to wait", func() bool {
		c.sources[0].mu.Lock()
		defer c.sources[0].mu.Unlock()
		return slow.asked.Load() == 2 && c.sources[0].waiting == 2
	})
	for range 100 {
		refuse(t, c, token("slow", "three"), UnknownKey)
	}
	if n := ended.Load(); n != 0 {
		t.Errorf("a hundred others have waited until %d did no more", n)
	}
	if st := c.Stats(); st.Full != 100 {
		t.Errorf("counted %d", st.Full)
	}
	accept(t, c, token("slow", "one"))
	refuse(t, c, token("other", "two"), UnknownKey)
	if n := other.asked.Load(); n != 2 {
		t.Errorf("the other key server was asked %d times", n)
	}
	cancel()
	waiting.Wait()
	if got := c.sources[0].waiting; got != 0 {
		t.Errorf("%d wait for ever", got)
	}
}

// Who may not wait is answered from the keys that are there.
func TestWaitingIsAskedFor(t *testing.T) {
	private, public := edKey(t, "one")
	one, two := newKeyServer(t, serves(keySet(t, public))), newKeyServer(t, serves(keySet(t, public)))
	c := newChecker(t, Options{JWKS: []string{one.URL, two.URL}})
	c.soon()
	asked, answer := 0, false
	may := func() bool { asked++; return answer }
	check := func(kid string) error {
		_, err := c.Check(t.Context(), sign(t, edDSA, private, withKid(kid), good(nil)), may)
		return err
	}
	if err := check("one"); err != nil || asked != 0 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	if err := check("two"); err == nil || asked != 1 || one.asked.Load() != 1 {
		t.Errorf("%v, asked %d times, and the key server %d", err, asked, one.asked.Load())
	}
	answer = true
	if err := check("two"); err == nil || asked != 2 || one.asked.Load() != 2 || two.asked.Load() != 2 {
		t.Errorf("%v, asked %d times, and the key servers %d and %d", err, asked, one.asked.Load(), two.asked.Load())
	}
}

// A key server that never answers holds nobody beyond his own deadline, and no Close.
// Keys that meet a mistake in this program cost a read: the process goes on, with the old ones.
func TestPanicOfARead(t *testing.T) {
	var logged bytes.Buffer
	c := newChecker(t, Options{
		KeyFiles: []string{secretFile(t)}, Log: slog.New(slog.NewTextHandler(&logged, nil)),
	})
	broken := false
	s := &source{name: "odd", read: func(context.Context) ([]key, error) {
		if broken {
			panic("what is this key")
		}
		return []key{{verify: theSecret}}, nil
	}}
	c.add(nil, s)
	for _, broken = range []bool{false, true, false} {
		err := s.refresh(t.Context(), c.life, 0)
		if _, panicked := errors.AsType[*panicError](err); panicked != broken || !broken && err != nil {
			t.Errorf("got %v", err)
		}
		if len(s.all()) != 1 {
			t.Error("the keys are gone")
		}
	}
	st := c.Stats()
	if last := st.Sources[len(st.Sources)-1]; st.Panics != 1 || last.Reads != 3 || last.Failures != 1 {
		t.Errorf("counted %+v", st)
	}
	if said := logged.String(); !strings.Contains(said, "level=ERROR") || !strings.Contains(said, "what is this key") {
		t.Errorf("said %q", said)
	}
}

func TestSilentKeyServer(t *testing.T) {
	private, public := edKey(t, "one")
	server := newKeyServer(t, serves(keySet(t, public)))
	c := newChecker(t, Options{JWKS: []string{server.URL}})
	c.soon()
	server.now(silent)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := c.Check(ctx, sign(t, edDSA, private, withKid("two"), good(nil)), nil)
		done <- err
	}()
	wait.Until(t, "the key server to be asked", func() bool { return server.asked.Load() == 2 })
	cancel()
	if err := <-done; err == nil {
		t.Error("taken")
	}
	accept(t, c, sign(t, edDSA, private, withKid("one"), good(nil)))
	c.Close()
}

func TestAddressesOfKeyServers(t *testing.T) {
	for text, ok := range map[string]bool{
		"https://idp.example/keys": true, "http://127.0.0.1:8080/keys": true, "http://[::1]/keys": true,
		"http://localhost/keys": true, "http://idp.example/keys": false, "http://10.0.0.1/": false, "https://": false,
		"https:///keys": false, "https://idp.example/#x": false, "http://localhost.example/": false, "https://a b/": false,
		"https://user:planted@idp.example/": false, "https://planted@idp.example/": false, "https://@idp.example/": false,
		"http://user:planted@127.0.0.1/": false,
		"https://user:planted@%zz/":      false, "ftp://user:planted@idp.example/": false,
	} {
		_, err := checkURL(text)
		if (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "planted") {
			t.Error("the error repeats a password")
		}
	}
}

// What the operator is shown of a source has a sign where something is left out.
func TestShownSource(t *testing.T) {
	for text, want := range map[string]string{
		"/etc/keys.json":                             "/etc/keys.json",
		"https://idp.example/keys":                   "https://idp.example/keys",
		"HTTPS://idp.example:8443/a%20b?key=planted": "https://idp.example:8443/a%20b?(secret)",
		"https://user:planted@idp.example/":          "(secret)",
		"http://user:planted@%zz/":                   "(secret)",
		"s3://user:planted@idp.example":              "(secret)",
	} {
		if got := ShownSource(text); got != want {
			t.Errorf("%s is shown as %s, want %s", text, got, want)
		}
	}
}
