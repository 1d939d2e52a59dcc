package server

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"

	"groupcast/server/control"
	"groupcast/server/lockfile"
	"groupcast/server/monitor"
)

// controlOf is a client of a server's control socket.
func controlOf(t *testing.T, s *Server) *control.Client {
	t.Helper()
	c := control.NewClient(s.Control())
	t.Cleanup(c.Close)
	return c
}

func TestControlSocket(t *testing.T) {
	s := startServer(t, nil)
	info, err := os.Lstat(s.Control())
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	c := controlOf(t, s)
	told, err := c.Info(t.Context())
	if err != nil || told.PID != os.Getpid() || told.WebSockets() != s.Addresses()[0] ||
		told.DrainSeconds != patience.Seconds() ||
		told.MaxMessageBytes != 64<<10 || told.Draining {
		t.Errorf("got %+v, %v", told, err)
	}
	// The API is there, without a token.
	member := connect(t, s.Addresses()[0])
	member.join("g")
	order, err := c.Publish(t.Context(), "g", []byte("from the command"))
	if err != nil || order != 1 {
		t.Errorf("order %d, %v", order, err)
	}
	member.want("from the command")
	page, next, err := c.Sessions(t.Context(), "", 10)
	if err != nil || len(page) != 1 || next != "" || page[0].GroupCount != 1 {
		t.Errorf("got %+v, %q, %v", page, next, err)
	}
	eventually(t, "a sample", func() bool {
		status, _, err := c.Status(t.Context())
		return err == nil && status.Total.Sessions == 1 && len(status.Listeners) == 2 &&
			status.Listeners[1] == (monitor.Listener{Kind: "control", Address: "unix:" + s.Control(), State: "ok"})
	})
}

// Names that a path would take for its own.
func TestPublishToOddGroups(t *testing.T) {
	s := startServer(t, nil)
	c := controlOf(t, s)
	member := connect(t, s.Addresses()[0])
	for _, group := range []string{
		"..", ".", "a/b", "/", "//", "a b", "?x=1", "#", "%2F", "\u4e2d\u6587", "...",
		"a/../b",
	} {
		member.join(group)
		if _, err := c.Publish(t.Context(), group, []byte("to "+group)); err != nil {
			t.Errorf("%q: %v", group, err)
			continue
		}
		member.want("to " + group)
	}
}

func TestControlOff(t *testing.T) {
	s := startServer(t, func(o *Options) { o.Control = control.None })
	if s.Control() != "" {
		t.Errorf("there is one: %s", s.Control())
	}
}

// In a directory, the first listener gives the name.
func TestControlInADirectory(t *testing.T) {
	dir := filepath.Join(shortDir(t), "new")
	s := startServer(t, func(o *Options) { o.Control = dir + "/" })
	other := startServer(t, func(o *Options) { o.Control = dir })
	for _, one := range []*Server{s, other} {
		want := filepath.Join(dir, strings.ReplaceAll(one.Addresses()[0], ":", "_")+".sock")
		if one.Control() != want {
			t.Errorf("got %s, want %s", one.Control(), want)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info, err)
	}
	if found := control.Discover(t.Context(), []string{dir}); len(found) != 2 {
		t.Errorf("found %+v", found)
	}
}

func TestControlErrors(t *testing.T) {
	s := startServer(t, nil)
	stale := filepath.Join(shortDir(t), "stale")
	file := filepath.Join(shortDir(t), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	leaveStale(t, stale)
	for path, want := range map[string]string{
		s.Control():             "control socket: listen on unix:" + s.Control() + ": address already in use: pid ",
		file:                    "the file exists and is not a socket",
		"/nowhere/x":            "no such file or directory",
		"/nowhere/x/":           "no such file or directory",
		strings.Repeat("x", 99): "wants a path of at most 107 bytes", // once it is absolute
		stale:                   "",
	} {
		o := DefaultOptions()
		o.Listen, o.API, o.Control = []string{"127.0.0.1:0"}, []string{none}, path
		other, err := Start(o, slog.New(slog.DiscardHandler))
		if err == nil {
			if want != "" {
				t.Errorf("%s: started", path)
			}
			if err := other.Close(); err != nil {
				t.Error(err)
			}
			continue
		}
		if want == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	if _, err := controlOf(t, s).Info(t.Context()); err != nil {
		t.Errorf("the first server's socket: %v", err)
	}
}

// leaveStale makes a socket as a crashed groupcast leaves it: with its lock file, which
// nobody holds.
func leaveStale(t *testing.T, path string) {
	t.Helper()
	lock, err := lockfile.Take(path + lockfile.Extension)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(lock.Guard(lockfile.Inode(info)), l.Close(), lock.Abandon()); err != nil {
		t.Fatal(err)
	}
}

// What comes through the control socket is the program's to do.
func TestStopRequests(t *testing.T) {
	s := startServer(t, nil)
	c := controlOf(t, s)
	for _, how := range []control.Stop{{Graceful: true}, {Code: 1012}} {
		got, err := c.Stop(t.Context(), how)
		if err != nil || got.PID != os.Getpid() || got.DrainSeconds != patience.Seconds() {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	select {
	case got := <-s.Stops(): // the last word
		if got != (control.Stop{Code: 1012}) {
			t.Errorf("got %+v", got)
		}
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
}

// Who leaves is waited for, who is there is served, and who comes is not let in.
func TestLeave(t *testing.T) {
	s := startServer(t, nil)
	staying := connect(t, s.Addresses()[0])
	staying.join("g")
	left := make(chan error, 1)
	go func() { left <- s.Leave(t.Context()) }()
	eventually(t, "shut doors", func() bool { return !s.doors[0].IsOpen() })
	if _, err := tryConnect(t, s.Addresses()[0]); err == nil {
		t.Error("somebody was let in")
	}
	staying.publish("g", "still here")
	staying.want("still here")
	c := controlOf(t, s)
	if info, err := c.Info(t.Context()); err != nil || !info.Draining {
		t.Errorf("got %+v, %v", info, err)
	}
	eventually(t, "the status to say so", func() bool {
		status, _, err := c.Status(t.Context())
		return err == nil && status.State == monitor.StateDraining && status.Listeners[0].State == monitor.ListenerClosed
	})
	select {
	case err := <-left:
		t.Fatalf("left while somebody was there: %v", err)
	default:
	}
	if err := staying.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	select {
	case err := <-left:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("not left, although nobody is there")
	}
	if result, err := s.Drain(t.Context(), ws.StatusGoingAway); result.Left != 0 || err != nil {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestLeaveGivesUp(t *testing.T) {
	s := startServer(t, nil)
	connect(t, s.Addresses()[0]).join("g")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Leave(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Before a restart, the code says that one may come back.
func TestDrainForARestart(t *testing.T) {
	s := startServer(t, nil)
	c := connect(t, s.Addresses()[0])
	c.join("g")
	code := make(chan websocket.StatusCode, 1)
	go func() { code <- c.closing() }()
	if _, err := s.Drain(t.Context(), 1012); err != nil {
		t.Error(err)
	}
	if got := <-code; got != websocket.StatusServiceRestart {
		t.Errorf("closed with %d", got)
	}
}

// fakeService writes down what it is told, and what it could see at that time.
type fakeService struct {
	t      *testing.T
	s      *Server
	name   string
	record func(string)
}

func (f *fakeService) listeners() []monitor.Listener {
	return []monitor.Listener{{Kind: f.name, Address: "nowhere", State: monitor.ListenerOK}}
}

func (f *fakeService) prepare(next Options) (change, error) {
	f.record("prepare " + f.name)
	var err error
	if next.MaxGroups == 13 {
		err = errors.New("no luck")
	}
	return change{
		commit: func() error {
			f.record("commit " + f.name)
			if next.MaxGroups == 14 {
				return errors.New("no luck")
			}
			return nil
		},
		undo: func() { f.record("undo " + f.name) },
	}, err
}

func (f *fakeService) running(*Options) {}

func (f *fakeService) drain() {
	if !f.s.doors[0].IsOpen() {
		f.t.Errorf("%s: told after the doors were shut", f.name)
	}
	f.record("drain " + f.name)
}

func (f *fakeService) flush(ctx context.Context) error {
	stats, err := f.s.Stats(ctx)
	if err != nil || !stats.Draining || stats.Sum().CloseGoingAway == 0 {
		f.t.Errorf("%s: flush before the sessions were closed, or after the engine was: %v", f.name, err)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < flushAtLeast/2 {
		f.t.Errorf("%s: %s to flush", f.name, time.Until(deadline))
	}
	if status, _, err := controlOf(f.t, f.s).Status(ctx); err != nil || len(status.Listeners) != 4 {
		f.t.Errorf("%s: the control socket does not answer: %+v, %v", f.name, status, err)
	}
	f.record("flush " + f.name)
	return nil
}

func (f *fakeService) close() error {
	if _, err := controlOf(f.t, f.s).Info(context.WithoutCancel(f.t.Context())); err != nil {
		f.t.Errorf("%s: the control socket went first: %v", f.name, err)
	}
	f.record("close " + f.name)
	return nil
}

// Services are told first, flushed when the sessions are gone, and closed before
// the control socket; the last one started ends first.
func TestServicesEndInOrder(t *testing.T) {
	var got []string
	record := func(what string) { got = append(got, what) }
	s, _ := startProgram(t, Program{more: func(s *Server) []service {
		return []service{&fakeService{t, s, "a", record}, &fakeService{t, s, "b", record}}
	}}, nil)
	eventually(t, "a sample with them", func() bool { return len(s.monitor.Status().Listeners) == 4 })
	connect(t, s.Addresses()[0]).join("g")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond) // the client does not answer its close
	defer cancel()
	if _, err := s.Drain(ctx, ws.StatusGoingAway); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	want := "drain a, drain b, flush b, flush a, close b, close a"
	if joined := strings.Join(got, ", "); joined != want {
		t.Errorf("got %s\nwant %s", joined, want)
	}
}

// The API's default address is a wish: somebody else has it, and the server
// starts all the same.
func TestAPIByDefault(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	wish := taken.Addr().String()
	start := func() []monitor.Listener {
		t.Helper()
		s, _ := startProgram(t, Program{apiWish: wish}, func(o *Options) { o.API = nil })
		if _, _, err := controlOf(t, s).Status(t.Context()); err != nil {
			t.Errorf("the control socket has it in any case: %v", err)
		}
		said := s.Started().NoAPI
		if strings.Contains(said,
			"listen on "+wish+": address already in use") != (s.Started().Listeners[1].Kind != monitor.KindAPI) {
			t.Errorf("the banner would say %q", said)
		}
		return slices.DeleteFunc(s.listeners(), func(l monitor.Listener) bool { return l.Kind != monitor.KindAPI })
	}
	if got := start(); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
	o := DefaultOptions()
	o.Listen, o.API, o.Control = []string{"127.0.0.1:0"}, []string{wish}, none
	if other, err := Start(o, slog.New(slog.DiscardHandler)); err == nil {
		_ = other.Close()
		t.Error("an address that was asked for is no wish")
	} else if !strings.Contains(err.Error(), "listen on "+wish+": address already in use") {
		t.Errorf("got %v", err)
	}
	wish = "127.0.0.1:0" // nobody has that
	if got := start(); len(got) != 1 || got[0].State != monitor.ListenerOK {
		t.Errorf("got %+v", got)
	}
}

// With a token the API wants it, and the control socket does not.
func TestAPIToken(t *testing.T) {
	const token = "0123456789abcdef"
	s := startServer(t, func(o *Options) { o.API, o.APIToken = []string{"127.0.0.1:0"}, token })
	url := "http://" + s.services[0].listeners()[0].Address + "/v1/status"
	get := func(token string) int {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	defer http.DefaultClient.CloseIdleConnections()
	if a, b, c := get(""), get("wrong"), get(token); a != 401 || b != 401 || c != 200 {
		t.Errorf("none %d, wrong %d, right %d", a, b, c)
	}
	if _, _, err := controlOf(t, s).Status(t.Context()); err != nil {
		t.Error(err)
	}
}
