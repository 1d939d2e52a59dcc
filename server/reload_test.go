package server

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"groupcast/server/control"
	details "groupcast/server/problem"
)

// settings are what a reload finds, and a program that has them.
type settings struct {
	mu  sync.Mutex
	o   Options
	err error
}

func (s *settings) set(change func(*Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.o)
}

func (s *settings) load() (Options, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.o, s.err
}

// startReloadable starts a server whose settings a test can change.
func startReloadable(t *testing.T, change func(*Options)) (*Server, *settings) {
	t.Helper()
	return startProgram(t, Program{}, change)
}

// startProgram is startReloadable with more of a program.
func startProgram(t *testing.T, p Program, change func(*Options)) (*Server, *settings) {
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
	all := &settings{o: o}
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
	if o := s.Options(); o.RingSlots != 1024 || o.MaxConnsPerIP != 0 || o.Listen[0] != "127.0.0.1:0" || o.MaxMessageBytes != 200 {
		t.Errorf("in force: %+v", o)
	}
	// What waits for a restart is said every time.
	if done, err = c.Reload(t.Context()); err != nil || len(done.Changed) != 0 || len(done.NeedRestart) != 3 {
		t.Errorf("%+v, %v", done, err)
	}
}

// Every setting is either taken or said to need a restart: none is passed over.
func TestReloadKnowsEverySetting(t *testing.T) {
	s, all := startReloadable(t, nil)
	want := DefaultOptions()
	all.set(func(o *Options) {
		// Everything, each in range.
		o.Listen, o.SocketMode, o.Loops = []string{"127.0.0.1:2"}, 0o600, 3
		o.MaxConns, o.MaxConnsPerIP, o.MaxHandshakes, o.MaxRefusals = 100, 5, 6, 7
		o.HandshakeTimeout, o.MaxHeadBytes = o.HandshakeTimeout*2, o.MaxHeadBytes*2
		o.MaxMessageBytes, o.MaxFragments, o.MaxBacklogBytes = o.MaxMessageBytes*2, 9, o.MaxBacklogBytes*2
		o.CommandRate, o.CommandBurst = 5, 6
		o.CloseRate *= 2
		o.PingAfter, o.CloseAfter, o.CloseTimeout, o.SendBufferBytes = o.PingAfter*2, o.CloseAfter*2, o.CloseTimeout*2, o.SendBufferBytes*2
		o.MaxGroupsPerSession, o.MaxGroupBytes, o.MaxGroups, o.MaxMembers = 8, 100, 9, 10
		o.API, o.APIToken, o.Channel, o.ChannelJoin = []string{"127.0.0.1:3"}, "0123456789abcdef", []string{"127.0.0.1:4"}, "127.0.0.1:5"
		o.Control, o.Drain, o.LogLevel, o.LogFormat, o.Pprof = "/x", o.Drain*2, "warn", "json", "127.0.0.1:6"
		o.LogFile = filepath.Join(t.TempDir(), "log")
		o.ChannelStall, o.ChannelJobMax, o.ChannelMaxSend = o.ChannelStall*2, o.ChannelJobMax*2, o.ChannelMaxSend*2
		o.ChannelOpen, o.ChannelAllow, o.ChannelMaxChannels = true, []string{"10.0.0.0/8"}, 5
		o.RingSlots, o.RingBytes = o.RingSlots*2, o.RingBytes*2
		o.BatchMessages, o.BatchBytes, o.BatchMarks, o.FlushSlice = 1, 2, 3, 4
		token := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(token, []byte("0123456789abcdef\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		o.APITokenFile = token
	})
	wanted, _ := all.load()
	changed := make(map[string]bool)
	for _, c := range list2(want, wanted) {
		changed[c] = true
	}
	done, err := s.Reload(t.Context())
	if err != nil || len(done.Problems) > 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	got := slices.Concat(flags(done.Changed), flags(done.NeedRestart))
	if len(got) != len(changed) {
		t.Errorf("%d settings are different, %d were reported", len(changed), len(got))
	}
	if fields := len(list2(Options{}, wanted)); len(got) != fields {
		t.Errorf("this test changes %d settings of %d", len(got), fields)
	}
	t.Logf("need a restart: %v", flags(done.NeedRestart))
}

// list2 are the flags that differ.
func list2(a, b Options) []string {
	var done control.Reloaded
	list(&done, a, b, nil)
	return flags(done.Changed)
}

// With one wrong setting, nothing changes, and the answer has a line for each.
func TestReloadRefuses(t *testing.T) {
	s, all := startReloadable(t, nil)
	c := controlOf(t, s)
	for name, change := range map[string]func(*settings){
		"out of range": func(all *settings) { all.o.LogLevel, all.o.Drain = "loud", -1 },
		"unreadable":   func(all *settings) { all.err = errors.New("x.yaml:3: unknown key") },
		// Fine in itself, and for a start; but the ring stays as it is.
		"with what stays": func(all *settings) {
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
	done, err := s.Reload(t.Context())
	if err != nil || len(done.Problems) != 1 || !strings.Contains(done.Problems[0], "--log-file") {
		t.Errorf("%+v, %v", done, err)
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
	done, err := s.Reload(t.Context())
	if err != nil || len(done.Problems) != 1 || !strings.Contains(done.Problems[0], "--api-token-file") {
		t.Errorf("%+v, %v", done, err)
	}
	if !s.api.HasTokens() {
		t.Error("an empty file has opened the API")
	}
	write("fedcba9876543210\n")
	if done, err := s.Reload(t.Context()); err != nil || len(done.Problems) != 0 {
		t.Errorf("%+v, %v", done, err)
	}
}

// What a service could not do is said, and the rest done.
func TestReloadOfServices(t *testing.T) {
	var told []string
	s, all := startProgram(t, Program{more: func(s *Server) []service {
		return []service{&fakeService{t, s, "a", func(what string) { told = append(told, what) }}}
	}}, nil)
	all.set(func(o *Options) { o.MaxGroups = 13 })
	done, err := s.Reload(t.Context())
	if err != nil || !slices.Equal(told, []string{"reload a"}) || !slices.Equal(done.Problems, []string{"no luck"}) || len(done.Changed) != 1 {
		t.Errorf("%v, %+v, %v", told, done, err)
	}
}
