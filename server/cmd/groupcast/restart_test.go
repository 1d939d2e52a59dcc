package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

// A server that could not start again is not stopped, whatever the reason, and the
// command says which.
func TestRestartThatWouldFail(t *testing.T) {
	t.Parallel()
	dir, env := place(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(at("logs"), 0o700), os.Mkdir(at("work"), 0o700),
		os.Mkdir(at("sockets"), 0o700)); err != nil {
		t.Fatal(err)
	}
	write("tokens", "0123456789abcdef\n")
	write("c.yaml", "")
	port := freePort(t)
	p := launchIn(t, at("work"), env, "start", "--listen=127.0.0.1:"+port, "--listen=unix:"+at("sockets/s"), "--config",
		at("c.yaml"),
		"--api-token-file", at("tokens"), "--log-file", at("logs/log"), "--pid-file", at("pid"))
	p.ready()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	other, err := net.Listen("unix", at("other"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for name, c := range map[string]struct {
		break_, mend func() error
		want         string
	}{
		"token file": {
			func() error { return os.Rename(at("tokens"), at("gone")) },
			func() error { return os.Rename(at("gone"), at("tokens")) }, "--api-token-file: token file " + at("tokens") +
				": no such file",
		},
		"token syntax": {
			func() error { write("tokens", "with\x01control"); return nil },
			func() error { write("tokens", "0123456789abcdef\n"); return nil }, "wants printable ASCII",
		},
		"log": {
			func() error { return os.Rename(at("logs"), at("gone")) },
			func() error { return os.Rename(at("gone"), at("logs")) }, "--log-file: " + at("logs") + ": no such file",
		},
		"socket": {
			func() error { return os.Rename(at("sockets"), at("gone")) },
			func() error { return os.Rename(at("gone"), at("sockets")) }, "listen on unix:" + at("sockets/s") +
				": no such file",
		},
		"directory": {
			func() error { return os.Rename(at("work"), at("gone")) },
			func() error { return os.Rename(at("gone"), at("work")) }, "no such file",
		},
		"port": {
			func() error { write("c.yaml", "channel: "+taken.Addr().String()); return nil }, nil,
			"listen on " + taken.Addr().String() + ": address already in use: pid " + itoa(os.Getpid()),
		},
		"other socket": {
			func() error { write("c.yaml", "channel: unix:"+at("other")); return nil }, nil,
			"listen on unix:" + at("other") + ": address already in use",
		},
		"address": {
			func() error { write("c.yaml", "channel: 203.0.113.1:1\nchannel-open: true"); return nil }, nil,
			"listen on 203.0.113.1:1: cannot assign requested address",
		},
		"user": {
			func() error { write("c.yaml", "user: nobody-of-that-name"); return nil }, nil,
			"--user: wants a user of this machine",
		},
		"pprof": {func() error { write("c.yaml", "pprof: "+taken.Addr().String()); return nil }, nil, "listen on " +
			taken.Addr().String() + ": address already in use"},
	} {
		if err := c.break_(); err != nil {
			t.Fatal(err)
		}
		code, out, errs := command(t, env, "restart")
		if code != exitRefused || out != "" || !strings.Contains(errs, c.want) ||
			!strings.HasSuffix(errs, "groupcast: not restarted: the server runs on as it is\n") {
			t.Errorf("%s: exit %d, %q, %q, want %q", name, code, out, errs, c.want)
		}
		if c.mend != nil {
			if err := c.mend(); err != nil {
				t.Fatal(err)
			}
		}
		write("c.yaml", "")
		must(t, env, "status")
	}
	left, err := os.ReadDir(at("sockets"))
	if err != nil || len(left) != 2 { // the socket and its lock
		t.Errorf("left: %v, %v", left, err)
	}
	next := launch(t, env, "restart") // all is as it was
	next.until("the new server", func() bool { return strings.Contains(next.out.String(), "Start success.") })
	p.exit()
	must(t, env, "stop")
}

// restart -d puts a server into the background that was not there.
func TestRestartIntoTheBackground(t *testing.T) {
	t.Parallel()
	dir, env := background(t)
	p := launch(t, env, "start", "--listen=127.0.0.1:"+freePort(t), "--log-file", filepath.Join(dir, "log"))
	p.ready()
	if out := must(t, env, "restart", "-d"); !strings.Contains(out, "Runs in the background") {
		t.Errorf("got %s", out)
	}
	if code := p.exit(); code != exitStopped {
		t.Errorf("exit %d", code)
	}
	if info := one(t, dir); !info.Daemon {
		t.Errorf("%+v", info)
	}
	must(t, env, "restart", "-d") // and it stays there
	if info := one(t, dir); !info.Daemon {
		t.Errorf("%+v", info)
	}
	must(t, env, "stop")
}

// proc is a line of a process's file in /proc.
func proc(t *testing.T, pid int, file, prefix string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		t.Skipf("this system does not say: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, prefix); found {
			return strings.Join(strings.Fields(rest), " ")
		}
	}
	t.Fatalf("no line %s in %s", prefix, text)
	return ""
}

func niceOf(t *testing.T, pid int) int {
	t.Helper()
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, pid)
	if err != nil {
		t.Fatal(err)
	}
	return 20 - raw
}

// The new server has what the old one was given, and not what the shell has that
// restarts it. (What a shell may not give is tested below.)
func TestRestartKeepsResources(t *testing.T) {
	t.Parallel()
	dir, env := background(t)
	start := launchAs(t, env, "/bin/sh", "-c",
		`umask 027; ulimit -n 3000; exec nice -n 3 "$0" start -d --listen=127.0.0.1:`+freePort(t)+" --log-file "+filepath.Join(dir, "log"), os.Args[0])
	if code := start.exit(); code != exitStopped {
		t.Fatalf("exit %d", code)
	}
	old := one(t, dir)
	look := func(pid int) []string {
		return []string{
			proc(t, pid, "limits", "Max open files"), proc(t, pid, "status", "Umask:"), itoa(niceOf(t, pid)),
			proc(t, pid, "status", "Cpus_allowed_list:"),
		}
	}
	want := look(old.PID)
	if want[0] != "3000 3000 files" || want[1] != "0027" || want[2] != "3" {
		t.Fatalf("got %q", want)
	}
	restart := launchAs(t, env, "/bin/sh", "-c", `umask 077; exec taskset 1 "$0" restart`, os.Args[0])
	if code := restart.exit(); code != exitStopped || restart.err.String() != "" {
		t.Fatalf("exit %d, %s", code, restart.err)
	}
	again := one(t, dir)
	if got := look(again.PID); !slices.Equal(got, want) || again.PID == old.PID {
		t.Errorf("got %q, want %q", got, want)
	}
	must(t, env, "stop")
}

// anotherUser is somebody with no rights on this machine.
const anotherUser = 12345

// asAnotherUser has a process be that user's; the program is where he can read it.
func asAnotherUser(t *testing.T) (program string, change func(*exec.Cmd)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	dir, _ := place(t)
	program = filepath.Join(dir, "groupcast")
	text, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	// A process that another test starts meanwhile would have the file open for writing, and the kernel does not run
	// it then: "text file busy".
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := errors.Join(os.WriteFile(program, text, 0o755),
		os.Chmod(dir, 0o755)); err != nil { //nolint:gosec // for another user
		t.Fatal(err)
	}
	return program, func(c *exec.Cmd) {
		c.Dir = "/"
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: anotherUser, Gid: anotherUser}}
	}
}

// What the system does not let it have, it says, and what that means.
func TestRestartWithLessThanBefore(t *testing.T) {
	t.Parallel()
	program, change := asAnotherUser(t)
	dir, env := place(t)
	if err := os.Chown(dir, anotherUser, anotherUser); err != nil {
		t.Fatal(err)
	}
	start := launchChanged(t, env, "/bin/sh", change, "-c",
		`ulimit -n 3000; exec "$0" start -d --listen=127.0.0.1:`+freePort(t), program)
	if code := start.exit(); code != exitStopped {
		t.Fatalf("exit %d", code)
	}
	restart := launchChanged(t, env, "/bin/sh", change, "-c", `ulimit -n 1500; exec nice -n 7 "$0" restart`, program)
	if code := restart.exit(); code != exitStopped {
		t.Errorf("exit %d", code)
	}
	for _, want := range []string{
		"groupcast: warning: the old server could have 3000 files open, and the new one only 1500: this shell's limit " +
			"(ulimit -n)",
		"groupcast: warning: the old server's nice value was 0, and the new one's is 7: permission denied",
	} {
		if !strings.Contains(restart.err.String(), want) {
			t.Errorf("%q is missing in %s", want, restart.err)
		}
	}
	if stop := launchChanged(t, env, program, change, "stop"); stop.exit() != exitStopped {
		t.Errorf("stop: %s", stop.err)
	}
}

// Who may not look is told that, and not that there is no server.
func TestDenied(t *testing.T) {
	t.Parallel()
	program, change := asAnotherUser(t)
	dir, env := place(t)
	launch(t, env, "start", "--listen=127.0.0.1:0").ready()
	socket := one(t, dir).Listeners[1].Address
	socket = strings.TrimPrefix(socket, "unix:")
	for _, args := range clientCommands {
		p := launchChanged(t, env, program, change, args...)
		want := "groupcast: no server of this user's is running (looked in " + dir + ")\ngroupcast: " + dir +
			": permission denied: sudo?\n"
		if code := p.exit(); code != exitDenied || p.err.String() != want {
			t.Errorf("%v: exit %d, %q", args, code, p.err)
		}
		p = launchChanged(t, env, program, change, append(args, "--control", socket)...)
		if code := p.exit(); code != exitDenied || p.err.String() != "groupcast: "+socket+": permission denied: sudo?\n" {
			t.Errorf("%v: exit %d, %q", args, code, p.err)
		}
	}
	// The directory can be read, as a service manager makes it, and the socket not used.
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // that is what is tested
		t.Fatal(err)
	}
	p := launchChanged(t, env, program, change, "status")
	if code := p.exit(); code != exitDenied || !strings.Contains(p.err.String(), "permission denied: sudo?") {
		t.Errorf("exit %d, %q", code, p.err)
	}
}

// Root may ask another user's server, and stop it; what that says it was started
// with is not for root to run.
func TestAnotherUsersServer(t *testing.T) {
	t.Parallel()
	program, change := asAnotherUser(t)
	dir, env := place(t)
	if err := os.Chown(dir, anotherUser, anotherUser); err != nil {
		t.Fatal(err)
	}
	p := launchChanged(t, env, program, change, "start", "--listen=127.0.0.1:0")
	p.ready()
	must(t, env, "status")
	code, out, errs := command(t, env, "restart")
	if code != exitDenied || out != "" ||
		errs != "groupcast: the server belongs to user 12345: only that user can restart it\n" {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
	must(t, env, "stop")
	if code := p.exit(); code != exitStopped {
		t.Errorf("exit %d", code)
	}
}

// Where others may write, a server has its socket beside other programs', which
// stay, and its commands find it.
func TestOpenDirectory(t *testing.T) {
	t.Parallel()
	dir, env := place(t)
	if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // that is what is tested
		t.Fatal(err)
	}
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "other.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	if err := errors.Join(left.Close(), os.Chtimes(filepath.Join(dir, "other.sock"), time.Unix(1, 0),
		time.Unix(1, 0))); err != nil {
		t.Fatal(err)
	}
	p := launch(t, env, "start", "--listen=127.0.0.1:0")
	p.ready()
	must(t, env, "status")
	must(t, env, "stop")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "other.sock" {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// With --user the process has no rights left once it is up; all that is asked of
// it later goes on.
func TestUser(t *testing.T) {
	t.Parallel()
	program, change := asAnotherUser(t)
	dir, env := background(t)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // for the other user's socket
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	port := freePort(t)
	flags := []string{
		"start", "-d", "--user", itoa(anotherUser), "--group", itoa(anotherUser + 1), "--listen=127.0.0.1:" + port,
		"--listen=unix:" + at("s"),
		"--socket-mode=0600", "--log-file", at("log"), "--pid-file", at("pid"), "--log-level=debug",
	}
	// As a login of root's has them.
	groups := func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{0, 4, 20}}}
	}
	if p := launchChanged(t, env, os.Args[0], groups, flags...); p.exit() != exitStopped {
		t.Fatalf("start: %s", p.err)
	}
	info := one(t, dir)
	ids := func(id int) string { return strings.TrimSpace(strings.Repeat(itoa(id)+" ", 4)) }
	if uid, gid := proc(t, info.PID, "status", "Uid:"), proc(t, info.PID, "status", "Gid:"); uid != ids(anotherUser) ||
		gid != ids(anotherUser+1) {
		t.Errorf("uid %s, gid %s", uid, gid)
	}
	if groups, caps := proc(t, info.PID, "status", "Groups:"), proc(t, info.PID, "status", "CapEff:"); groups != "" ||
		strings.Trim(caps, "0") != "" {
		t.Errorf("groups %s, capabilities %s", groups, caps)
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", info.PID))
	if err != nil || len(threads) < 2 {
		t.Errorf("threads: %v, %v", threads, err)
	}
	for _, thread := range threads {
		if text, err := os.ReadFile(thread); err == nil && strings.Contains(string(text), "Uid:\t0") {
			t.Errorf("%s is root's", thread)
		}
	}
	must(t, env, "reload")
	if text, err := os.ReadFile(at("log")); err != nil || !strings.Contains(string(text), "msg=reloaded") ||
		!strings.Contains(string(text), "problems=[]") {
		t.Errorf("the log: %s, %v", text, err)
	}
	// His socket, and his commands.
	if c, err := net.Dial("unix", at("s")); err != nil {
		t.Error(err)
	} else {
		_ = c.Close()
	}
	path := strings.TrimPrefix(info.Listeners[len(info.Listeners)-1].Address, "unix:")
	if p := launchChanged(t, env, program, change, "publish", "g", "m", "--control", path); p.exit() != exitStopped {
		t.Errorf("publish: %s", p.err)
	}
	// What a process without rights says is not for root to run; what root has written
	// down is.
	record := path + ".start"
	if stat, err := os.Stat(record); err != nil || stat.Mode().Perm() != 0o600 || stat.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("the record: %v, %v", stat, err)
	}
	if err := os.Rename(record, record+".away"); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := command(t, env, "restart"); code != exitRefused ||
		!strings.Contains(errs, "runs as user 12345 by now (--user), and there is no record") {
		t.Errorf("restart: exit %d, %s", code, errs)
	}
	if err := os.Rename(record+".away", record); err != nil {
		t.Fatal(err)
	}
	must(t, env, "restart")
	again := one(t, dir)
	if uid := proc(t, again.PID, "status", "Uid:"); again.PID == info.PID || uid != ids(anotherUser) {
		t.Errorf("pid %d, uid %s", again.PID, uid)
	}
	must(t, env, "stop")
	// Root's directory: stop has removed what the server could not, and what is left
	// is in nobody's way.
	for _, left := range []string{path, path + ".lock", path + ".start"} {
		if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", left, err)
		}
	}
	if code, _, errs := command(t, env, "status"); code != exitRefused || !strings.Contains(errs, "no server is running") {
		t.Errorf("exit %d, %s", code, errs)
	}
	must(t, env, flags...)
	must(t, env, "stop")
	if code, _, errs := command(t, env, "start", "--user", "nobody-of-that-name",
		"--listen=127.0.0.1:0"); code != exitRefused || !strings.Contains(errs,
		`--user: wants a user of this machine, got "nobody-of-that-name"`) {
		t.Errorf("exit %d, %s", code, errs)
	}
	if code, _, errs := command(t, env, "start", "--user", itoa(anotherUser),
		"--listen=127.0.0.1:0"); code != exitRefused || !strings.Contains(errs, "--user: wants --group, too") {
		t.Errorf("exit %d, %s", code, errs)
	}
	refused := launchChanged(t, append(env, "GROUPCAST_CONTROL=none"), program, change, "start", "--user=root",
		"--listen=127.0.0.1:0")
	if code := refused.exit(); code != exitRefused || !strings.Contains(refused.line(), "only root may become another") {
		t.Errorf("exit %d", code)
	}
}

// A descriptor that the caller's shell has open, for a lock say, is not the
// server's to keep.
func TestDaemonLetsGoOfDescriptors(t *testing.T) {
	t.Parallel()
	dir, env := background(t)
	path := filepath.Join(dir, "lock")
	lock, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	start := launchChanged(t, env, "/bin/sh", func(c *exec.Cmd) { c.ExtraFiles = []*os.File{lock} },
		"-c", `exec 9<&3; flock -n 9 || exit 77; "$0" start -d --listen=127.0.0.1:0; exit $?`, os.Args[0])
	if code := start.exit(); code != exitStopped {
		t.Fatalf("exit %d, %s", code, start.err)
	}
	info := one(t, dir)
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", info.PID))
	if err != nil {
		t.Skipf("this system does not say: %v", err)
	}
	for _, e := range entries {
		if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", info.PID, e.Name())); err == nil && to == path {
			t.Errorf("descriptor %s is the caller's", e.Name())
		}
	}
	must(t, env, "stop")
}
