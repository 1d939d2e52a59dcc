package main

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// SIGQUIT stops as stop -g does: nobody new, and no end before the last has left.
func TestQuitIsGraceful(t *testing.T) {
	t.Parallel()
	dir, env := place(t)
	socket := filepath.Join(dir, "listen")
	p := launch(t, env, "start", "--listen=127.0.0.1:0", "--listen=unix:"+socket, "--drain=5s", "--close-timeout=1s")
	session := dial(t, p.ready()[0])
	if status := session.upgrade(); status != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %d", status)
	}
	p.signal(syscall.SIGQUIT)
	p.until("the status to say so", func() bool { return strings.Contains(must(t, env, "status"), "state: draining") })
	p.signal(syscall.SIGQUIT) // as it is
	if err := session.ping("still served"); err != nil {
		t.Error(err)
	}
	_ = session.conn.Close()
	if code := p.exit(); code != exitStopped || strings.Contains(p.err.String(), "goroutine ") {
		t.Errorf("exit %d", code)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A command ends by it, too, and without a word of Go's.
func TestQuitEndsACommand(t *testing.T) {
	t.Parallel()
	_, env := place(t)
	launch(t, env, "start", "--listen=127.0.0.1:0").ready()
	live := launch(t, env, "status", "-d")
	live.until("a page", func() bool { return strings.Contains(live.out.String(), "state: ok") })
	live.signal(syscall.SIGQUIT)
	if code := live.exit(); code != exitStopped || live.err.String() != "" {
		t.Errorf("exit %d, %q", code, live.err)
	}
}

func TestReloadBySignal(t *testing.T) {
	t.Parallel()
	_, env := place(t)
	p := launch(t, env, "start", "--listen=127.0.0.1:0")
	p.ready()
	for i, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP} {
		p.signal(s)
		p.until("the reload", func() bool { return strings.Count(p.err.String(), "msg=reloaded") == i+1 })
	}
}

func TestPIDFile(t *testing.T) {
	t.Parallel()
	dir, env := background(t)
	path := filepath.Join(dir, "pid")
	must(t, env, "start", "-d", "--listen=127.0.0.1:0", "--pid-file", path, "--log-file", filepath.Join(dir, "log"))
	info := one(t, dir)
	text, err := os.ReadFile(path)
	if want := itoa(info.PID) + "\n"; err != nil || string(text) != want {
		t.Errorf("got %q, want %q, %v", text, want, err)
	}
	second := launch(t, env, "start", "--listen=127.0.0.1:0", "--pid-file", path)
	if code := second.exit(); code != exitRefused || !strings.Contains(second.line(),
		"--pid-file: "+path+": names pid "+itoa(info.PID)+", a groupcast that is running") {
		t.Errorf("exit %d", code)
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != string(text) {
		t.Errorf("it became %q, %v", now, err)
	}
	must(t, env, "restart")
	again := one(t, dir)
	if text, err := os.ReadFile(path); err != nil || string(text) != itoa(again.PID)+"\n" || again.PID == info.PID {
		t.Errorf("got %q, %v", text, err)
	}
	must(t, env, "stop")
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}
