package server

import (
	"bufio"
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"groupcast/loop/budget"
	"groupcast/server/control"
	"groupcast/server/monitor"
	details "groupcast/server/problem"
	"groupcast/server/settings"
)

// program is what a reload finds its settings in.
type program struct {
	mu  sync.Mutex
	o   Options
	err error
}

func (s *program) set(change func(*Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.o)
}

func (s *program) load() (Options, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.o, s.err
}

// startReloadable starts a server whose settings a test can change.
func startReloadable(t *testing.T, change func(*Options)) (*Server, *program) {
	t.Helper()
	return startProgram(t, Program{}, change)
}

// startProgram is startReloadable with more of a program.
func startProgram(t *testing.T, p Program, change func(*Options)) (*Server, *program) {
	t.Helper()
	o := DefaultOptions()
	o.Listen, o.API, o.Control = []string{"127.0.0.1:0"}, []string{none}, filepath.Join(shortDir(t), "c")
	o.Loops = 2
	if change != nil {
		change(&o)
	}
	log, err := OpenLog(o, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	all := &program{o: o}
	p.Log, p.Load = log, all.load
	s, err := p.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), log.Close()); err != nil {
			t.Error(err)
		}
	})
	return s, all
}

func TestReload(t *testing.T) {
	s, all := startReloadable(t, nil)
	member := connect(t, s.Addresses()[0])
	member.join("g")
	c := controlOf(t, s)
	if done, err := c.Reload(t.Context()); err != nil || len(done.Changed)+len(done.NeedRestart)+len(done.Problems) > 0 {
		t.Errorf("nothing is new: %+v, %v", done, err)
	}
	all.set(func(o *Options) {
		o.MaxMessageBytes, o.LogLevel, o.Drain = 200, "debug", o.Drain*2
		o.Listen, o.RingSlots, o.MaxConnsPerIP = []string{"127.0.0.1:1"}, 2048, 7
		o.APIToken = "0123456789abcdef"
	})
	done, err := c.Reload(t.Context())
	if err != nil || len(done.Problems) > 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	if got := flags(done.Changed); !slices.Equal(got, []string{"--max-message", "--api-token", "--drain", "--log-level"}) {
		t.Errorf("changed: %v", got)
	}
	if got := flags(done.NeedRestart); !slices.Equal(got, []string{"--listen", "--max-conns-per-ip", "--ring-slots"}) {
		t.Errorf("need a restart: %v", got)
	}
	if e := s.monitor.History().Events; len(e) != 2 || e[0].Kind != monitor.EventReload ||
		e[0].Cause != "--max-message --api-token --drain --log-level" {
		t.Errorf("the history of it: %+v", e)
	}
	for _, change := range slices.Concat(done.Changed, done.NeedRestart) {
		switch change.Flag {
		case "--max-message":
			if change.From != "64KiB" || change.To != "200" {
				t.Errorf("%+v", change)
			}
		case "--api-token":
			if change.From != "" || change.To != "(secret)" {
				t.Errorf("%+v", change)
			}
		case "--ring-slots":
			if change.Why == "" {
				t.Errorf("%+v", change)
			}
		}
	}
	// In force for a session that was there before.
	member.publish("g", "short enough")
	member.want("short enough")
	if _, err := c.Publish(t.Context(), "g", bytes.Repeat([]byte("x"), 201)); err == nil {
		t.Error("the old limit is in force")
	}
	if info, err := c.Info(t.Context()); err != nil || info.MaxMessageBytes != 200 || info.DrainSeconds != 20 {
		t.Errorf("%+v, %v", info, err)
	}
	if !s.api.HasTokens() || !s.log.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("the token or the log level is not in force")
	}
	if o := s.Options(); o.RingSlots != 1024 || o.MaxConnsPerIP != 0 || o.Listen[0] != "127.0.0.1:0" ||
		o.MaxMessageBytes != 200 {
		t.Errorf("in force: %+v", o)
	}
	// What waits for a restart is said every time.
	if done, err = c.Reload(t.Context()); err != nil || len(done.Changed) != 0 || len(done.NeedRestart) != 3 {
		t.Errorf("%+v, %v", done, err)
	}
}

// otherwise is a value for a setting that is not its default.
func otherwise(t *testing.T, one *settings.Setting, dir string) Options {
	t.Helper()
	if one.Name == "config" { // there is no such file to be read
		o := DefaultOptions()
		o.ConfigFile = "/x"
		return o
	}
	given := map[string]string{
		"listen": "127.0.0.1:2", "socket-mode": "0600", "api": "127.0.0.1:3", "api-token": "0123456789abcdef",
		"api-host": "push.example",
		"pid-file": filepath.Join(dir, "pid"), "user": "nobody", "group": "nogroup", "channel-open": "true",
		"channel-allow": "10.0.0.0/8",
		"channel":       "127.0.0.1:4", "channel-join": "127.0.0.1:5", "control": "/x", "log-file": filepath.Join(dir, "log"),
		"log-level": "warn", "log-format": "json", "pprof": "127.0.0.1:6", "api-token-file": filepath.Join(dir, "token"),
		"tls-cert": "/c", "tls-min": "1.3", "acme": "push.example.org", "origin": "https://app.example.org",
		"proxy-protocol": "10.0.0.0/8", "trusted-proxy": "10.0.0.0/8", "forwarded-header": "forwarded",
		"token-key-file": "/k", "token-issuer": "idp=/k", "token-optional": "true", "anonymous-join": "room:*",
		"anonymous-publish": "none", "max-conns-per-user": "5",
		"ring-slots": "2048", "rate": "5", "api-max-batch": "2MiB", "channel-join-retry-min": "500ms",
		"nats": "nats://127.0.0.1:4222", "nats-prefix": "push", "nats-node": "b", "nats-creds": "/c", "nats-nkey": "/k",
		"nats-user": "u", "nats-password": "p", "nats-password-file": "/p", "nats-token": "t", "nats-token-file": "/t",
		"nats-ca": "/ca", "nats-cert": "/cert", "nats-key": "/key", "nats-down": "local",
		"nats-require": "true", "nats-ready": "true",
		"max-conns-per-ip": "5", "max-members": "5", "max-memory": "300MiB",
	}
	for _, text := range []string{given[one.Name], "1" + one.Default(), "7", "7s"} {
		if o, err := settings.Read(settings.Flags{one.Name: {text}}, nil); err == nil && !one.Same(o, DefaultOptions()) {
			return o
		}
	}
	t.Fatalf("%s: no other value", one.Name)
	return Options{}
}

// Every setting does at a reload what the table says: it is in force, as those say
// that have it, or it is said to need a restart.
func TestReloadDoesWhatTheTableSays(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, all := startReloadable(t, nil)
	first, _ := all.load()
	for _, one := range settings.All() {
		if one.Name == "tls-key" || one.Name == "api-client-ca" {
			continue // there is none without --tls-cert
		}
		all.set(func(o *Options) {
			*o = first
			changed := otherwise(t, one, dir)
			one.Copy(o, &changed)
		})
		wanted, _ := all.load()
		done, err := s.Reload(t.Context())
		if err != nil || len(done.Problems) > 0 {
			t.Errorf("%s: %+v, %v", one.Name, done, err)
			continue
		}
		now, other := done.Changed, done.NeedRestart
		if one.Fixed(first, wanted) != "" {
			now, other = other, now
		}
		if len(now) != 1 || len(other) != 0 || now[0].Flag != "--"+one.Name || now[0].From == now[0].To && !one.Secret {
			t.Errorf("%s: %+v", one.Name, done)
		}
		if fixed := one.Fixed(first, wanted) != ""; one.Same(s.Options(), wanted) == fixed {
			t.Errorf("%s: in force: %s, wanted: %s", one.Name, one.Text(s.Options()), one.Text(wanted))
		}
		all.set(func(o *Options) { *o = first })
		if done, err := s.Reload(t.Context()); err != nil || len(done.Problems)+len(done.NeedRestart) > 0 ||
			!one.Same(s.Options(), first) {
			t.Errorf("%s, and back: %+v, %v", one.Name, done, err)
		}
	}
}

// What is in force is what the loops, the API and the log have, and not what they
// were told.
func TestOptionsAreReadBack(t *testing.T) {
	s, all := startReloadable(t, nil)
	engine := s.engine.Options()
	engine.MaxGroups = 77
	if err := s.engine.Reconfigure(t.Context(), engine); err != nil {
		t.Fatal(err)
	}
	limits := s.api.Limits()
	limits.MaxInFlight = 78
	if err := s.api.SetLimits(limits); err != nil {
		t.Fatal(err)
	}
	all.set(func(o *Options) { o.MaxGroups, o.MaxMessageBytes = 77, 100 })
	done, err := s.Reload(t.Context())
	if err != nil || !slices.Equal(flags(done.Changed), []string{"--max-message", "--max-groups"}) {
		t.Errorf("%+v, %v", done, err)
	}
	if o := s.Options(); o.MaxGroups != 77 || s.engine.Options().MaxMessageBytes != 100 ||
		s.api.Limits().MaxMessageBytes != 100 {
		t.Errorf("%+v", o)
	}
}

// A reload that cannot do all does nothing: it said of a token that it was in
// force, although the tokens could not be read, and of the next reload that there
// was nothing to do.
func TestReloadIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tokens")
	s, all := startReloadable(t, nil)
	all.set(func(o *Options) {
		o.APIToken, o.APITokenFile, o.MaxGroups, o.LogLevel = "0123456789abcdef", path, 5, "debug"
		o.LogFile = filepath.Join(dir, "log")
	})
	done, err := s.Reload(t.Context())
	if !errors.Is(err, control.ErrSettings) || len(done.Changed) > 0 {
		t.Errorf("without the file of tokens: %+v, %v", done, err)
	}
	if o := s.Options(); o.MaxGroups == 5 || o.APIToken != "" || s.api.HasTokens() ||
		s.log.Enabled(t.Context(), slog.LevelDebug) {
		t.Errorf("something has changed: %+v", o)
	}
	if err := os.WriteFile(path, []byte("fedcba9876543210\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	done, err = s.Reload(t.Context())
	want := []string{"--max-groups", "--api-token", "--api-token-file", "--log-file", "--log-level"}
	if err != nil || len(done.Problems) > 0 || !slices.Equal(flags(done.Changed), want) {
		t.Errorf("with it: %+v, %v", done, err)
	}
	if o := s.Options(); o.MaxGroups != 5 || !s.api.HasTokens() || !s.log.Enabled(t.Context(), slog.LevelDebug) {
		t.Errorf("something has not changed: %+v", o)
	}
}

// A proxy's name is known from a reload on.
func TestReloadOfAPIHosts(t *testing.T) {
	s, all := startReloadable(t, func(o *Options) { o.API = []string{"127.0.0.1:0"} })
	ask := func() int {
		t.Helper()
		address := ""
		for _, l := range s.listeners() {
			if l.Kind == monitor.KindAPI {
				address = l.Address
			}
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/v1/status", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "Push.example:443"
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer http.DefaultClient.CloseIdleConnections()
		defer answer.Body.Close()
		return answer.StatusCode
	}
	if code := ask(); code != http.StatusForbidden {
		t.Errorf("before: %d", code)
	}
	all.set(func(o *Options) { o.APIHosts = []string{"push.example"} })
	done, err := s.Reload(t.Context())
	if code := ask(); code != http.StatusOK || err != nil || !slices.Equal(flags(done.Changed), []string{"--api-host"}) {
		t.Errorf("after: %d, %+v, %v", code, done, err)
	}
}

// With one wrong setting, nothing changes, and the answer has a line for each.
func TestReloadRefuses(t *testing.T) {
	s, all := startReloadable(t, nil)
	c := controlOf(t, s)
	for name, change := range map[string]func(*program){
		"out of range": func(all *program) { all.o.LogLevel, all.o.Drain = "loud", -1 },
		"unreadable":   func(all *program) { all.err = errors.New("x.yaml:3: unknown key") },
		// Fine in itself, and for a start; but the ring stays as it is.
		"with what stays": func(all *program) {
			all.o.RingBytes, all.o.MaxMessageBytes, all.o.MaxBacklogBytes = 128<<20, 64<<20, 256<<20
		},
	} {
		t.Run(name, func(t *testing.T) {
			all.mu.Lock()
			before := all.o
			change(all)
			all.o.MaxGroups = 5
			all.mu.Unlock()
			defer func() {
				all.mu.Lock()
				all.o, all.err = before, nil
				all.mu.Unlock()
			}()
			_, err := c.Reload(t.Context())
			problem, ok := errors.AsType[*details.RequestError](err)
			if !ok || problem.Status != 422 || len(problem.Errors) < 2 {
				t.Fatalf("got %+v, %v", problem, err)
			}
			if last := problem.Errors[len(problem.Errors)-1].Message; last != control.ErrSettings.Error() {
				t.Errorf("the last line: %q", last)
			}
			if got := s.Options().MaxGroups; got == 5 {
				t.Error("something has changed")
			}
			if e := s.monitor.History().Events; len(e) == 0 || e[0].Kind != monitor.EventReloadRefused {
				t.Errorf("the history of it: %+v", e)
			}
		})
	}
	if _, err := c.Reload(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestReloadWithoutAProgram(t *testing.T) {
	s := startServer(t, nil)
	if _, err := s.Reload(t.Context()); !errors.Is(err, control.ErrNoReload) {
		t.Errorf("got %v", err)
	}
}

func TestReloadWhileLeaving(t *testing.T) {
	s, _ := startReloadable(t, nil)
	if err := s.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := s.Reload(t.Context()); !errors.Is(err, control.ErrStopping) {
		t.Errorf("got %v", err)
	}
}

// Moved away by logrotate: a reload makes the file anew. One that cannot be
// opened leaves the log where it was.
func TestReloadOpensTheLogAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	s, all := startReloadable(t, func(o *Options) { o.LogFile = path })
	s.log.Info("before")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	s.log.Info("between")
	if _, err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.log.Info("after")
	all.set(func(o *Options) { o.LogFile = filepath.Join(dir, "no", "log") })
	if _, err := s.Reload(t.Context()); !errors.Is(err, control.ErrSettings) ||
		!strings.Contains(err.Error(), "--log-file") {
		t.Errorf("%v", err)
	}
	s.log.Info("still there")
	for name, want := range map[string][]string{path + ".1": {"before", "between"}, path: {"after", "still there"}} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range want {
			if !bytes.Contains(text, []byte(word)) {
				t.Errorf("%s lacks %q:\n%s", name, word, text)
			}
		}
	}
}

// Tokens are read again although the file's name is the same.
func TestReloadReadsTokensAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("0123456789abcdef\n")
	s, _ := startReloadable(t, func(o *Options) { o.API, o.APITokenFile = []string{"127.0.0.1:0"}, path })
	write("# nothing\n")
	if _, err := s.Reload(t.Context()); !errors.Is(err, control.ErrSettings) ||
		!strings.Contains(err.Error(), "--api-token-file") {
		t.Errorf("%v", err)
	}
	if !s.api.HasTokens() {
		t.Error("an empty file has opened the API")
	}
	write("fedcba9876543210\n")
	if done, err := s.Reload(t.Context()); err != nil || len(done.Problems) != 0 {
		t.Errorf("%+v, %v", done, err)
	}
}

// What a service cannot do keeps the others from doing it; what it could not do
// after all is said, and the rest done.
func TestReloadOfServices(t *testing.T) {
	var told []string
	s, all := startProgram(t, Program{more: func(s *Server) []service {
		record := func(what string) { told = append(told, what) }
		return []service{&fakeService{t, s, "a", record}, &fakeService{t, s, "b", record}}
	}}, nil)
	all.set(func(o *Options) { o.MaxGroups, o.LogLevel = 13, "debug" })
	_, err := s.Reload(t.Context())
	if !errors.Is(err, control.ErrSettings) || !slices.Equal(told,
		[]string{"prepare a", "prepare b", "undo a", "undo b"}) ||
		s.Options().MaxGroups == 13 || s.log.Enabled(t.Context(), slog.LevelDebug) {
		t.Errorf("%q, %v", told, err)
	}
	told = nil
	all.set(func(o *Options) { o.MaxGroups = 14 })
	done, err := s.Reload(t.Context())
	if err != nil || !slices.Equal(told, []string{"prepare a", "prepare b", "commit a", "commit b"}) ||
		!slices.Equal(done.Problems, []string{"no luck", "no luck"}) || len(done.Changed) != 2 ||
		s.Options().MaxGroups != 14 {
		t.Errorf("%q, %+v, %v", told, done, err)
	}
}

// TestReloadMemory: another budget is in force at once, and said to be.
func TestReloadMemory(t *testing.T) {
	s, all := startReloadable(t, nil)
	if limit := s.budget.Limit(); limit <= 0 {
		t.Fatalf("by default the budget is %d", limit)
	}
	c := controlOf(t, s)
	for _, next := range []struct {
		set  int
		want int64
		text string
	}{{300 << 20, 300 << 20, "300MiB"}, {0, 0, "none"}, {settings.AutoMemory, s.budget.Limit(), "auto"}} {
		all.set(func(o *Options) { o.MaxMemory = next.set })
		done, err := c.Reload(t.Context())
		if err != nil || len(done.Changed) != 1 || done.Changed[0].Flag != "--max-memory" ||
			done.Changed[0].To != next.text {
			t.Fatalf("%+v, %v", done, err)
		}
		if got := s.budget.Limit(); got != next.want {
			t.Errorf("%s: %d, want %d", next.text, got, next.want)
		}
	}
}

// TestShortOfMemoryOnTheSocket: the limit that an operator has set is the one that holds for
// who connects and who publishes, and status and history say what was done.
func TestShortOfMemoryOnTheSocket(t *testing.T) {
	s := startServer(t, func(o *Options) { o.MaxMemory = 1 << 30 })
	member := connect(t, s.Addresses()[0])
	member.join("g")
	rest := s.budget.Account(budget.Rings)
	rest.Add(1 << 30 / 100 * (budget.RefuseAt + 1))
	eventually(t, "refusals", s.budget.Refuses)
	// net/http's client takes an answer that is there before its request for a mistake.
	refused, err := net.Dial("tcp", s.Addresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = refused.Close() }()
	_ = refused.SetReadDeadline(time.Now().Add(patience))
	answer, err := http.ReadResponse(bufio.NewReader(refused), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Errorf("a new connection: %s", answer.Status)
	}
	eventually(t, "history", func() bool {
		for _, e := range s.monitor.History().Events {
			if e.Kind == monitor.EventRefused && e.Cause == "memory" && e.Count == 1 {
				return true
			}
		}
		return false
	})
	if st := s.Status(); st.MemoryLimitBytes != 1<<30 || st.MemoryBytes < 900<<20 {
		t.Errorf("status: %d of %d", st.MemoryBytes, st.MemoryLimitBytes)
	}
	rest.Add(-1 << 30 / 100 * (budget.RefuseAt + 1))
	eventually(t, "memory", func() bool { return !s.budget.Refuses() })
	member.publish("g", "again")
	member.want("again")
}
