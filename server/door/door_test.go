package door

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"groupcast/server/lockfile"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Address{
		"0.0.0.0:1234":         {"tcp", "0.0.0.0:1234"},
		":0":                   {"tcp", ":0"},
		"[::1]:8080":           {"tcp", "[::1]:8080"},
		"localhost:65535":      {"tcp", "localhost:65535"},
		"tls::443":             {"tls", ":443"},
		"tls:[::1]:443":        {"tls", "[::1]:443"},
		"unix:/run/g.sock":     {"unix", "/run/g.sock"},
		"unix:g.sock":          {"unix", "g.sock"},
		"unix:@groupcast-test": {"unix", "@groupcast-test"},
	} {
		got, err := Parse(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1234", "host", "host:", "::1:80", "a:b", ":-1", ":65536", "unix:", "http://x:80"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		} else if !strings.Contains(err.Error(), "wants") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "localhost:1": true, "LOCALHOST:1": true, "unix:/x": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "192.0.2.1:1": false, "localhost.example.org:1": false,
	} {
		a, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.IsLoopback(); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func openAt(t *testing.T, a Address) *Door {
	t.Helper()
	d, err := Open(a, 0o660)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Shut() })
	return d
}

// shortDir is a directory for sockets: t.TempDir has the test's name in it, and
// with a long one exceeds what a socket may be called.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "groupcast") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func socketPath(t *testing.T) Address {
	t.Helper()
	return Unix(filepath.Join(shortDir(t), "s"))
}

func TestPortZeroShowsTheRealPort(t *testing.T) {
	d := openAt(t, Address{"tcp", "127.0.0.1:0"})
	if got := d.Bound().String(); strings.HasSuffix(got, ":0") || !strings.HasPrefix(got, "127.0.0.1:") {
		t.Errorf("got %q", got)
	}
}

func TestPortInUse(t *testing.T) {
	first := openAt(t, Address{"tcp", "127.0.0.1:0"})
	_, err := Open(first.Bound(), 0)
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("got %v", err)
	}
	want := "listen on " + first.Bound().String() + ": address already in use"
	if runtime.GOOS == "linux" {
		want += fmt.Sprintf(": pid %d (", os.Getpid())
	}
	if got := err.Error(); !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q...", got, want)
	}
}

// A port can be taken again at once, although connections to the old one are
// in TIME_WAIT.
func TestPortAgain(t *testing.T) {
	first := openAt(t, Address{"tcp", "127.0.0.1:0"})
	client, err := net.Dial("tcp", first.Bound().text)
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := first.Listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	// The server's side closes first: then TIME_WAIT is on its side.
	for _, c := range []net.Conn{accepted, client} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	at := first.Bound()
	if err := first.Shut(); err != nil {
		t.Fatal(err)
	}
	openAt(t, at)
}

// No keep-alive timers of the kernel on accepted sockets.
func TestNoKeepAlive(t *testing.T) {
	d := openAt(t, Address{"tcp", "127.0.0.1:0"})
	client, err := net.Dial("tcp", d.Bound().text)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	accepted, err := d.Listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = accepted.Close() }()
	if got := socketOption(t, accepted, unix.SO_KEEPALIVE); got != 0 {
		t.Errorf("SO_KEEPALIVE is %d", got)
	}
}

func socketOption(t *testing.T, socket any, option int) (value int) {
	t.Helper()
	raw, err := socket.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) { value, failed = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, option) })
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestUnixSocketLifeCycle(t *testing.T) {
	at := socketPath(t)
	// The mode is exact under any umask.
	defer syscall.Umask(syscall.Umask(0o077))
	d := openAt(t, at)
	info, err := os.Lstat(at.text)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("mode %v", info.Mode())
	}

	// While somebody answers, it is in use, and stays.
	if _, err := Open(at, 0o660); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second door: %v", err)
	}
	if _, err := os.Lstat(at.text); err != nil {
		t.Errorf("the live socket is gone: %v", err)
	}

	if err := d.Shut(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(at.text); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if err := d.Shut(); err != nil {
		t.Errorf("shut twice: %v", err)
	}
}

// Before the socket has its name, it has its mode.
func TestUnixSocketIsNeverTooOpen(t *testing.T) {
	at := socketPath(t)
	defer syscall.Umask(syscall.Umask(0))
	var config net.ListenConfig
	config.Control = modeBeforeBind(0o600)
	l, err := config.Listen(t.Context(), "unix", at.text)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	info, err := os.Lstat(at.text)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v at birth", info.Mode().Perm())
	}
}

// crash closes d as the end of its process does, without any tidying up.
func crash(t *testing.T, d *Door) {
	t.Helper()
	if err := errors.Join(d.Listener.Close(), d.lock.Abandon()); err != nil {
		t.Fatal(err)
	}
}

func TestStaleUnixSocketIsReplaced(t *testing.T) {
	at := socketPath(t)
	crashed, err := Open(at, 0o660)
	if err != nil {
		t.Fatal(err)
	}
	crash(t, crashed)
	openAt(t, at)
	c, err := net.Dial("unix", at.text)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// A socket that is bound and not listened on yet refuses connections as a stale
// one does. It stays: another program's, and one of ours.
func TestBoundSocketIsNotStale(t *testing.T) {
	at := socketPath(t)
	bind := func() {
		t.Helper()
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		if err := unix.Bind(fd, &unix.SockaddrUnix{Name: at.text}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want string) {
		t.Helper()
		before, err := os.Lstat(at.text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(at, 0o660); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if after, err := os.Lstat(at.text); err != nil || !os.SameFile(before, after) {
			t.Errorf("it is gone: %v", err)
		}
	}
	bind()
	check("another program's socket is there, and nobody listens on it")
	if err := os.Remove(at.text); err != nil {
		t.Fatal(err)
	}
	lock, err := lockfile.Take(at.text + lockfile.Extension)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Release() }()
	bind()
	check("address already in use: pid ")
}

// Many start at the same path at once, where a crashed one has left its socket:
// one of them has it, and keeps it.
func TestManyStartAtOnePath(t *testing.T) {
	for range 20 {
		at := socketPath(t)
		crashed, err := Open(at, 0o660)
		if err != nil {
			t.Fatal(err)
		}
		crash(t, crashed)
		doors := make([]*Door, 8)
		var all sync.WaitGroup
		for i := range doors {
			all.Go(func() {
				d, err := Open(at, 0o660)
				if err == nil {
					doors[i] = d
				} else if !errors.Is(err, syscall.EADDRINUSE) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		doors = slices.DeleteFunc(doors, func(d *Door) bool { return d == nil })
		if len(doors) != 1 {
			t.Fatalf("%d have it", len(doors))
		}
		info, err := os.Lstat(at.text)
		if err != nil || !os.SameFile(info, doors[0].socket) {
			t.Errorf("the file is another one: %v", err)
		}
		if err := doors[0].Shut(); err != nil {
			t.Error(err)
		}
	}
}

// An IPv4 address means IPv4 only; no host, and [::], mean both.
func TestFamilies(t *testing.T) {
	if l, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		t.Skipf("no IPv6 here: %v", err)
	} else {
		_ = l.Close()
	}
	for text, want := range map[string]string{
		"0.0.0.0:0": "IPv4", "127.0.0.1:0": "IPv4", ":0": "IPv4+IPv6", "[::]:0": "IPv4+IPv6", "[::1]:0": "IPv6",
	} {
		a, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		d := openAt(t, a)
		if got := Family(d.Bound().String()); got != want {
			t.Errorf("%s: is said to be %s, want %s", text, got, want)
		}
		_, port, err := net.SplitHostPort(d.Bound().text)
		if err != nil {
			t.Fatal(err)
		}
		for host, family := range map[string]string{"127.0.0.1": "IPv4", "::1": "IPv6"} {
			c, err := net.Dial("tcp", net.JoinHostPort(host, port))
			if err == nil {
				_ = c.Close()
			}
			if (err == nil) != strings.Contains(want, family) {
				t.Errorf("%s: by %s: %v", text, host, err)
			}
		}
	}
}

func TestOtherFilesAreNeverRemoved(t *testing.T) {
	for name, create := range map[string]func(string) error{
		"file":      func(p string) error { return os.WriteFile(p, []byte("precious"), 0o600) },
		"directory": func(p string) error { return os.Mkdir(p, 0o700) },
		"fifo":      func(p string) error { return unix.Mkfifo(p, 0o600) },
		"link":      func(p string) error { return os.Symlink("/nowhere", p) },
	} {
		t.Run(name, func(t *testing.T) {
			at := socketPath(t)
			if err := create(at.text); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(at, 0o660); err == nil || !strings.Contains(err.Error(), "not a socket") {
				t.Errorf("got %v", err)
			}
			if _, err := os.Lstat(at.text); err != nil {
				t.Errorf("it is gone: %v", err)
			}
		})
	}
}

// A successor's socket under the same name is not ours to remove.
func TestShutLeavesASuccessorsSocket(t *testing.T) {
	at := socketPath(t)
	d := openAt(t, at)
	if err := os.Remove(at.text); err != nil {
		t.Fatal(err)
	}
	successor, err := net.Listen("unix", at.text) // another program's: it knows of no lock
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = successor.Close() }()
	if err := d.Shut(); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", at.text)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

func TestOpenErrorsAreOneLine(t *testing.T) {
	for _, a := range []Address{
		{"tcp", "203.0.113.1:0"},     // not an address of this machine
		{"tcp", "nowhere.invalid:0"}, // reserved: never resolves
		{"unix", "/nowhere/at/all"},
	} {
		_, err := Open(a, 0o660)
		if err == nil {
			t.Errorf("%v: opened", a)
			continue
		}
		if strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), a.String()) != 1 {
			t.Errorf("%v: %q", a, err)
		}
	}
}
