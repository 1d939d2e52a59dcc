package control

import (
	"context"
	"errors"
	"fmt"
	"io"
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

	"groupcast/server/monitor"
	"groupcast/server/problem"
)

// fake is a process that remembers what it was told.
type fake struct {
	mu        sync.Mutex
	stops     []Stop
	reloaded  Reloaded
	reloadErr error
}

func (f *fake) process() Process {
	return Process{
		Info: func() Info {
			return Info{PID: 4711, DrainSeconds: 10, Listeners: []monitor.Listener{
				{Kind: "websocket", Address: "0.0.0.0:1234"},
				{Kind: "api", Address: "127.0.0.1:1235"},
				{Kind: "websocket", Address: "unix:/x"},
			}}
		},
		Command: func() Command { return Command{Args: []string{"groupcast", "start"}, Env: []string{"A=b"}, Dir: "/"} },
		Stop: func(s Stop) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.stops = append(f.stops, s)
			return nil
		},
		Reload: func(context.Context) (Reloaded, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.reloaded, f.reloadErr
		},
	}
}

// serve serves a handler on a socket, and is a client of it.
func serve(t *testing.T, h http.Handler) *Client {
	t.Helper()
	path := filepath.Join(shortDir(t), "c.sock")
	s := Serve(listen(t, path), h, slog.New(slog.NewTextHandler(t.Output(), nil)))
	c := NewClient(path)
	t.Cleanup(func() {
		c.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("once more: %v", err)
		}
	})
	return c
}

func TestInfoAndCommand(t *testing.T) {
	c := serve(t, Handler((&fake{}).process(), nil))
	info, err := c.Info(t.Context())
	if err != nil || info.PID != 4711 || info.WebSockets() != "0.0.0.0:1234 unix:/x" {
		t.Errorf("got %+v, %v", info, err)
	}
	command, err := c.Command(t.Context())
	if err != nil || !slices.Equal(command.Args, []string{"groupcast", "start"}) ||
		!slices.Equal(command.Env, []string{"A=b"}) || command.Dir != "/" {
		t.Errorf("got %+v, %v", command, err)
	}
}

func TestStop(t *testing.T) {
	f := &fake{}
	c := serve(t, Handler(f.process(), nil))
	for _, how := range []Stop{{}, {Graceful: true, Code: 1001}, {Code: 1012}} {
		if got, err := c.Stop(t.Context(), how); err != nil || got != (Stopping{4711, 10}) {
			t.Errorf("%+v: got %+v, %v", how, got, err)
		}
	}
	if want := []Stop{{Code: 1001}, {true, 1001}, {Code: 1012}}; !slices.Equal(f.stops, want) {
		t.Errorf("got %+v", f.stops)
	}
	_, err := c.Stop(t.Context(), Stop{Code: 1000})
	if p, ok := errors.AsType[*problem.RequestError](err); !ok || p.Status != 422 ||
		p.Detail != "code: wants 1001 or 1012, got 1000" {
		t.Errorf("got %v", err)
	}
	for _, body := range []string{
		"", "x", "{} {}", "{}]", `{"unknown":true}`, `{"code":"1001"}`,
		strings.Repeat(" ", maxBodyBytes+1) + "{}",
	} {
		var nothing any
		err := c.call(t.Context(), http.MethodPost, "/control/v1/stop", strings.NewReader(body), &nothing)
		if p, ok := errors.AsType[*problem.RequestError](err); !ok || p.Status != 400 {
			t.Errorf("%.20q: got %v", body, err)
		}
	}
	if len(f.stops) != 3 {
		t.Errorf("a bad request has stopped the server: %+v", f.stops)
	}
}

func TestReload(t *testing.T) {
	f := &fake{reloaded: Reloaded{Changed: []Change{{Flag: "--drain", From: "1s", To: "2s"}}}}
	c := serve(t, Handler(f.process(), nil))
	done, err := c.Reload(t.Context())
	if err != nil || len(done.Changed) != 1 || done.Changed[0] != f.reloaded.Changed[0] {
		t.Errorf("got %+v, %v", done, err)
	}
	for _, k := range []struct {
		err    error
		status int
		lines  int
	}{
		{errors.Join(errors.New("--a: wrong"), errors.New("--b: wrong"), ErrSettings), 422, 3},
		{fmt.Errorf("now: %w", ErrStopping), 409, 0},
		{ErrNoReload, 409, 0},
		{errors.New("a loop did not answer"), 503, 0},
	} {
		f.reloadErr = k.err
		_, err := c.Reload(t.Context())
		p, ok := errors.AsType[*problem.RequestError](err)
		if !ok || p.Status != k.status || len(p.Errors) != k.lines || p.Error() != k.err.Error() {
			t.Errorf("%v: got %+v", k.err, p)
		}
	}
}

// What is not ours is the API's, as it came; without one, there is nothing.
func TestTheRestIsTheAPIs(t *testing.T) {
	var mu sync.Mutex
	var paths []string
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		paths = append(paths, r.Method+" "+r.RequestURI)
		_, _ = io.WriteString(w, "{}")
	})
	with, without := serve(t, Handler((&fake{}).process(), api)), serve(t, Handler((&fake{}).process(), nil))
	var nothing any
	for _, path := range []string{"/", "/v1/status", "/v1/groups/%2E%2E/messages", "/v1/groups/a%2Fb//x"} {
		if err := with.call(t.Context(), http.MethodGet, path, nil, &nothing); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		err := without.call(t.Context(), http.MethodGet, path, nil, &nothing)
		if p, ok := errors.AsType[*problem.RequestError](err); !ok || p.Status != 404 {
			t.Errorf("%s: %v", path, err)
		}
	}
	if want := []string{
		"GET /", "GET /v1/status", "GET /v1/groups/%2E%2E/messages",
		"GET /v1/groups/a%2Fb//x",
	}; !slices.Equal(paths, want) {
		t.Errorf("got %v", paths)
	}
	paths = nil
	for _, path := range []string{"/control/", "/control/v1", "/control/v2/info"} {
		err := with.call(t.Context(), http.MethodGet, path, nil, &nothing)
		if p, ok := errors.AsType[*problem.RequestError](err); !ok || p.Status != 404 {
			t.Errorf("%s: %v", path, err)
		}
	}
	if paths != nil {
		t.Errorf("the API was asked for %v", paths)
	}
}

// At the limit, further connections wait, and get their turn.
func TestConnectionsAreLimited(t *testing.T) {
	c := serve(t, Handler((&fake{}).process(), nil))
	var held []net.Conn
	for range MaxConns {
		conn, err := net.Dial("unix", c.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// Served: it has answered.
		if _, err := io.WriteString(conn, "GET /control/v1/info HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.Info(ctx); err == nil {
		t.Errorf("%d connections are served", MaxConns+1)
	}
	_ = held[0].Close()
	if _, err := c.Info(t.Context()); err != nil {
		t.Errorf("after one has gone: %v", err)
	}
}

func TestClientErrors(t *testing.T) {
	dir := shortDir(t)
	stale := filepath.Join(dir, "stale.sock")
	dead := listen(t, stale)
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	silent := filepath.Join(dir, "silent.sock")
	defer listen(t, silent).Close() // nobody accepts
	closing := filepath.Join(dir, "closing.sock")
	l := listen(t, closing)
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1024))
			_ = conn.Close()
		}
	}()
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "no server is running there",
		stale:                      "no server is running there",
		silent:                     "the server does not answer",
		closing:                    "the server ended during the question",
	} {
		limit := patience
		if path == silent {
			limit = 200 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		_, err := NewClient(path).Info(ctx)
		cancel()
		if err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	garbage := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_,
			_ = io.WriteString(w, "<html>")
	}))
	if _, err := garbage.Info(t.Context()); err == nil || !strings.Contains(err.Error(), "the answer from") {
		t.Errorf("got %v", err)
	}
	broken := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	if _, err := broken.Info(t.Context()); err == nil || err.Error() != "418 I'm a teapot" {
		t.Errorf("got %v", err)
	}
}

func TestDiscover(t *testing.T) {
	base := shortDir(t)
	dir, lax := filepath.Join(base, "d"), filepath.Join(base, "lax")
	for _, one := range []string{dir, lax} {
		if err := os.Mkdir(one, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(lax, 0o777); err != nil {
		t.Fatal(err)
	}
	start := func(path string) {
		s := Serve(listen(t, path), Handler((&fake{}).process(), nil), slog.New(slog.DiscardHandler))
		t.Cleanup(func() { _ = s.Close() })
	}
	dirs := []string{filepath.Join(base, "none"), lax, dir}
	if search := Look(t.Context(), dirs); len(search.Found) != 0 || len(search.Skipped) != 0 {
		t.Errorf("found %+v", search)
	}
	// Where others may write, one's own is found.
	own := filepath.Join(lax, "own.sock")
	start(own)
	if found := Discover(t.Context(), dirs); len(found) != 1 || found[0].Path != own || found[0].Err != nil {
		t.Errorf("found %+v", found)
	}
	if err := os.Rename(own, own+".away"); err != nil {
		t.Fatal(err)
	}
	dead := listen(t, filepath.Join(dir, "dead.sock"))
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	start(filepath.Join(dir, "a.sock"))
	found := Discover(t.Context(), dirs)
	if len(found) != 1 || found[0].Err != nil || found[0].Info.PID != 4711 ||
		found[0].Path != filepath.Join(dir, "a.sock") {
		t.Errorf("found %+v", found)
	}
	// One that lives and does not answer counts.
	defer listen(t, filepath.Join(dir, "b.sock")).Close()
	found = Discover(t.Context(), dirs)
	if len(found) != 2 || found[0].Err != nil || found[1].Err == nil {
		t.Errorf("found %+v", found)
	}
}

func TestPeer(t *testing.T) {
	c := serve(t, Handler((&fake{}).process(), nil))
	peer, err := c.Peer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if !peer.Ours() || peer.PID != 0 && peer.PID != os.Getpid() {
		t.Errorf("got %+v", peer)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := peer.Gone(ctx, c.Path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("we are here, and: %v", err)
	}
	// Where the kernel does not say who it is, the socket tells.
	unknown := &Peer{}
	gone, path := make(chan error, 1), filepath.Join(shortDir(t), "none")
	go func() { gone <- unknown.Gone(t.Context(), path) }()
	select {
	case err := <-gone:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("nobody listens, and it goes on waiting")
	}
	if _, err := NewClient("/nowhere").Peer(t.Context()); !errors.Is(err, ErrGone) {
		t.Errorf("got %v", err)
	}
}
