package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// pty is a terminal that a test looks at.
// Owner: the test.
type pty struct {
	master *os.File
	slave  *os.File
	shown  *buffer
}

// openPTY makes one of 80 columns and 24 lines.
func openPTY(t *testing.T) *pty {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	raw, err := master.SyscallConn() // not Fd, after which a Close would wait for a Read
	if err != nil {
		t.Fatal(err)
	}
	var number int
	var unlocked, named, sized error
	err = raw.Control(func(fd uintptr) {
		unlocked = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0)
		number, named = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		sized = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	})
	if err := errors.Join(err, unlocked, named, sized); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &pty{master, slave, new(buffer)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		chunk := make([]byte, 4096)
		for {
			n, err := master.Read(chunk)
			_, _ = p.shown.Write(chunk[:n])
			if err != nil {
				return // EIO when nobody has it open any more
			}
		}
	}()
	t.Cleanup(func() {
		_ = slave.Close()
		_ = master.Close()
		<-read
	})
	return p
}

// until waits for what is shown to be as it should.
func (p *pty) until(t *testing.T, what string, done func(shown string) bool) {
	t.Helper()
	eventually(t, what, nil, func() bool { return done(p.shown.String()) })
}

// launch starts groupcast with this terminal as its own, in a session of its own.
func (p *pty) launch(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return launchChanged(t, append(env, "TERM=xterm", "NO_COLOR="), os.Args[0], func(c *exec.Cmd) {
		c.Stdin, c.Stdout = p.slave, p.slave
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	}, args...)
}

// status -d on a terminal: the second screen, nothing that scrolls or wraps, and
// everything as it was afterwards.
func TestLiveStatus(t *testing.T) {
	t.Parallel()
	_, env := place(t)
	server := launch(t, env, "start", "--listen=127.0.0.1:0")
	server.ready()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			terminal := openPTY(t)
			live := terminal.launch(t, env, "status", "-d")
			live.until("two pages", func() bool { return strings.Count(terminal.shown.String(), "GROUPCAST STATUS") >= 2 })
			live.signal(s)
			if code := live.exit(); code != exitStopped || live.err.String() != "" {
				t.Errorf("exit %d, %q", code, live.err)
			}
			terminal.until(t, "the first screen", func(shown string) bool { return strings.HasSuffix(shown, leaveScreen) })
			shown := terminal.shown.String()
			if !strings.HasPrefix(shown, enterScreen) || strings.Count(shown, enterScreen) != 1 ||
				strings.Count(shown, leaveScreen) != 1 {
				t.Errorf("shown: %q", shown)
			}
			for page := range strings.SplitSeq(strings.TrimPrefix(shown, enterScreen), beginFrame) {
				if strings.Count(page, "\n") > 23 {
					t.Errorf("a page of %d lines", strings.Count(page, "\n")+1)
				}
			}
			if !strings.Contains(shown, "\x1b[32mok\x1b[0m") {
				t.Errorf("no colour: %q", shown)
			}
		})
	}
}

// Ctrl+Z leaves the terminal to the shell; fg brings the page back.
func TestLiveStatusStopsAndGoesOn(t *testing.T) {
	t.Parallel()
	_, env := place(t)
	server := launch(t, env, "start", "--listen=127.0.0.1:0")
	server.ready()
	terminal := openPTY(t)
	live := terminal.launch(t, env, "status", "-d")
	live.until("a page", func() bool { return strings.Contains(terminal.shown.String(), endFrame) })
	live.signal(syscall.SIGTSTP)
	live.until("the first screen", func() bool { return strings.HasSuffix(terminal.shown.String(), leaveScreen) })
	live.until("its stop", func() bool { return stateOf(t, live.cmd.Process.Pid) == "T" })
	live.signal(syscall.SIGCONT)
	live.until("the page", func() bool {
		_, after, _ := strings.Cut(terminal.shown.String(), leaveScreen)
		return strings.HasPrefix(after, enterScreen) && strings.Contains(after, endFrame)
	})
	live.signal(syscall.SIGINT)
	if code := live.exit(); code != exitStopped {
		t.Errorf("exit %d", code)
	}
	terminal.until(t, "the first screen", func(shown string) bool { return strings.HasSuffix(shown, leaveScreen) })
}

// stateOf is a process's state, as one letter.
func stateOf(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, behind, _ := strings.Cut(string(text), ") ")
	return behind[:1]
}

// When the server ends, the terminal is put right before that is said.
func TestLiveStatusOfAServerThatEnds(t *testing.T) {
	t.Parallel()
	_, env := place(t)
	server := launch(t, env, "start", "--listen=127.0.0.1:0")
	server.ready()
	terminal := openPTY(t)
	live := terminal.launch(t, env, "status", "-d")
	live.until("a page", func() bool { return strings.Contains(terminal.shown.String(), endFrame) })
	must(t, env, "stop")
	if code := live.exit(); code != exitRefused || !strings.Contains(live.line(), "no server is running there") {
		t.Errorf("exit %d", code)
	}
	terminal.until(t, "the first screen", func(shown string) bool { return strings.HasSuffix(shown, leaveScreen) })
}

// SIGHUP reloads, and it does no less when it comes from a terminal that closes:
// the server goes on.
func TestTerminalIsGone(t *testing.T) {
	t.Parallel()
	_, env := place(t)
	terminal := openPTY(t)
	server := terminal.launch(t, env, "start", "--listen=127.0.0.1:0")
	server.until("the banner", func() bool { return strings.Contains(terminal.shown.String(), "Start success.") })
	_ = terminal.slave.Close()
	_ = terminal.master.Close() // the kernel sends SIGHUP now
	server.until("the reload", func() bool { return strings.Contains(server.err.String(), "msg=reloaded") })
	must(t, env, "publish", "g", "still here")
	must(t, env, "stop")
	if code := server.exit(); code != exitStopped {
		t.Errorf("exit %d", code)
	}
}

// Under nohup, it stays.
func TestTerminalIsGoneUnderNohup(t *testing.T) {
	t.Parallel()
	_, env := place(t)
	terminal := openPTY(t)
	server := launchChanged(t, env, "/bin/sh", func(c *exec.Cmd) {
		c.Stdin, c.Stdout = terminal.slave, terminal.slave
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	}, "-c", `trap "" HUP; exec "$0" start --listen=127.0.0.1:0 --close-timeout=100ms`, os.Args[0])
	var address string
	server.until("the banner", func() bool {
		for line := range strings.Lines(terminal.shown.String()) {
			if words := strings.Fields(line); len(words) == 6 && words[0] == "websocket" {
				address = words[1]
			}
		}
		return address != ""
	})
	_ = terminal.slave.Close()
	_ = terminal.master.Close()
	server.until("the reload that the signal means then",
		func() bool { return strings.Contains(server.err.String(), "msg=reloaded") })
	if status := dial(t, address).upgrade(); status != http.StatusSwitchingProtocols {
		t.Errorf("upgrade: %d", status)
	}
	server.signal(syscall.SIGTERM)
	server.signal(syscall.SIGTERM)
	server.exit()
}
