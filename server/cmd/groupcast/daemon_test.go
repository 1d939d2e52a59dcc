package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"groupcast/server/control"
)

// background is a directory for control sockets in which no server is left when
// the test ends.
func background(t *testing.T) (dir string, env []string) {
	t.Helper()
	dir, env = place(t)
	t.Cleanup(func() {
		for _, left := range control.Discover(context.WithoutCancel(t.Context()), []string{dir}) {
			if left.Info.PID > 0 { // 0 would be this very process and all that it has started
				_ = syscall.Kill(left.Info.PID, syscall.SIGKILL)
			}
		}
	})
	return dir, env
}

// one is the only server of a directory.
func one(t *testing.T, dir string) control.Info {
	t.Helper()
	found := control.Discover(t.Context(), []string{dir})
	if len(found) != 1 || found[0].Err != nil {
		t.Fatalf("found %+v", found)
	}
	return found[0].Info
}

func TestDaemon(t *testing.T) {
	t.Parallel()
	dir, env := background(t)
	log := filepath.Join(dir, "log")
	port := freePort(t)
	out := must(t, env, "start", "-d", "--listen=127.0.0.1:"+port, "--log-file", log, "--drain=3s")
	info := one(t, dir)
	for _, want := range []string{
		"127.0.0.1:" + port, "Runs in the background", "Start success.",
		fmt.Sprintf("pid: %d ", info.PID), "log file: " + log,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if !info.Daemon || info.LogFile != log {
		t.Errorf("%+v", info)
	}
	if session, err := unix.Getsid(info.PID); err != nil || session != info.PID {
		t.Errorf("its session is %d, %v", session, err)
	}
	if runtime.GOOS == "linux" {
		for _, fd := range []string{"0", "1", "2"} {
			if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", info.PID, fd)); err != nil || to != os.DevNull {
				t.Errorf("descriptor %s leads to %s, %v", fd, to, err)
			}
		}
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", info.PID))
		if err != nil || !strings.Contains(string(environment), reportVariable) {
			t.Logf("the kernel's copy of the environment: %v", err)
		}
	}

	// A restart leaves it in the background, with what it was started with.
	out = must(t, env, "restart")
	again := one(t, dir)
	if again.PID == info.PID || !again.Daemon || again.LogFile != log || again.DrainSeconds != 3 ||
		again.WebSockets() != "127.0.0.1:"+port {
		t.Errorf("%+v", again)
	}
	if !strings.Contains(out, fmt.Sprintf("Stopped: pid %d", info.PID)) ||
		!strings.Contains(out, "Runs in the background") {
		t.Errorf("got %s", out)
	}
	client := control.NewClient(control.Discover(t.Context(), []string{dir})[0].Path)
	defer client.Close()
	command, err := client.Command(t.Context())
	if err != nil || strings.Contains(strings.Join(command.Env, "\n"), reportVariable) {
		t.Errorf("%v, %v", command.Env, err)
	}
	must(t, env, "stop")
	if found := control.Discover(t.Context(), []string{dir}); len(found) != 0 {
		t.Errorf("found %+v", found)
	}
	text, err := os.ReadFile(log)
	if err != nil || strings.Count(string(text), "start success") != 2 || strings.Count(string(text), "msg=stopped") != 2 {
		t.Errorf("the log: %s, %v", text, err)
	}
}

// What cannot start says why, to whoever has started it, and leaves nothing.
func TestDaemonThatCannotStart(t *testing.T) {
	t.Parallel()
	dir, env := background(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for want, args := range map[string][]string{
		"groupcast: listen on " + taken.Addr().String() + ": address already in use": {"--listen", taken.Addr().String()},
		"groupcast: --log-file: open /nowhere/log: no such file or directory": {
			"--listen=127.0.0.1:0",
			"--log-file=/nowhere/log",
		},
		"groupcast: --loops: wants 0 to 256, got 300": {"--loops=300"},
	} {
		p := launch(t, env, append([]string{"start", "-d"}, args...)...)
		if code := p.exit(); code != exitRefused || p.out.String() != "" || !strings.HasPrefix(p.line(), want) {
			t.Errorf("exit %d, %q, want %q", code, p.err, want)
		}
	}
	if found := control.Discover(t.Context(), []string{dir}); len(found) != 0 {
		t.Errorf("found %+v", found)
	}
}

// Warnings of the start are seen by whoever has started it, too.
func TestDaemonWarns(t *testing.T) {
	t.Parallel()
	_, env := background(t)
	p := launch(t, env, "start", "-d", "--listen=127.0.0.1:0", "--max-conns=100000000")
	if code := p.exit(); code != exitStopped || !strings.Contains(p.err.String(),
		"--max-conns is more than the open-files limit allows") {
		t.Errorf("exit %d, %q", code, p.err)
	}
	must(t, env, "stop")
}

// If nobody is left to be told that it is up, it ends.
func TestDaemonWithoutAParent(t *testing.T) {
	t.Parallel()
	dir, env := background(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	_ = read.Close()
	p := launchChanged(t, append(env, reportVariable+"=3"), os.Args[0],
		func(c *exec.Cmd) { c.ExtraFiles = []*os.File{write} },
		"start", "-d", "--listen=127.0.0.1:0", "--log-file", filepath.Join(dir, "log"))
	if code := p.exit(); code != exitRefused {
		t.Errorf("exit %d", code)
	}
	if found := control.Discover(t.Context(), []string{dir}); len(found) != 0 {
		t.Errorf("found %+v", found)
	}
	text, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil || !strings.Contains(string(text), "nobody is there to be told") {
		t.Errorf("the log: %s, %v", text, err)
	}
}

// A signal to the command that starts it ends both.
func TestDaemonStartInterrupted(t *testing.T) {
	t.Parallel()
	dir, env := background(t)
	// The log is a pipe that nobody reads from: opening it takes until the end.
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, env, "start", "-d", "--listen=127.0.0.1:0", "--log-file", pipe)
	var child int
	p.until("the second process", func() bool {
		child = childOf(t, p.cmd.Process.Pid)
		return child != 0
	})
	t.Cleanup(func() { _ = syscall.Kill(child, syscall.SIGKILL) })
	p.signal(syscall.SIGINT)
	if code := p.exit(); code != exitSignal+int(syscall.SIGINT) {
		t.Errorf("exit %d", code)
	}
	deadline := time.Now().Add(patience)
	for !errors.Is(syscall.Kill(child, 0), syscall.ESRCH) {
		if time.Now().After(deadline) {
			t.Fatal("the second process lives on")
		}
		runtime.Gosched()
	}
}

// childOf is the process that pid has started, or 0.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // any thread may have been the one
	if err != nil || len(lists) == 0 {
		t.Skip("this system does not say who started whom")
	}
	for _, list := range lists {
		text, _ := os.ReadFile(list) // a thread may be gone
		var child int
		if _, err := fmt.Sscan(string(text), &child); err == nil {
			return child
		}
	}
	return 0
}
