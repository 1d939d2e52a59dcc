package control

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"groupcast/server/lockfile"
)

// shortDir is a directory for sockets: t.TempDir may be too long for one.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "control") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestDirs(t *testing.T) {
	for name, c := range map[string]struct {
		system string
		uid    int
		xdg    string
		want   []string
	}{
		"root":            {"linux", 0, "", []string{"/run/groupcast", "/tmp/groupcast-0"}},
		"root, logged in": {"linux", 0, "/run/user/0", []string{"/run/groupcast", "/tmp/groupcast-0"}},
		"user, logged in": {
			"linux", 1000, "/run/user/1000",
			[]string{"/run/user/1000/groupcast", "/run/groupcast", "/tmp/groupcast-1000"},
		},
		"user, other XDG": {"linux", 1000, "/x", []string{
			"/x/groupcast", "/run/user/1000/groupcast", "/run/groupcast",
			"/tmp/groupcast-1000",
		}},
		"service": {"linux", 1000, "", []string{
			"/run/user/1000/groupcast", "/run/groupcast",
			"/tmp/groupcast-1000",
		}},
		"relative XDG": {"linux", 1000, "x", []string{
			"/run/user/1000/groupcast", "/run/groupcast",
			"/tmp/groupcast-1000",
		}},
		"another system's": {"darwin", 0, "", []string{"/var/run/groupcast", "/tmp/groupcast-0"}},
	} {
		if got := dirsFor(c.system, c.uid, c.xdg, "/tmp"); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	if dirs := Dirs(); len(dirs) < 2 {
		t.Errorf("got %v", dirs)
	}
}

func TestFileName(t *testing.T) {
	for address, want := range map[string]string{
		"0.0.0.0:1234":   "1234.sock",
		"[::]:1234":      "1234.sock",
		":1234":          "1234.sock",
		"127.0.0.1:80":   "127.0.0.1_80.sock",
		"localhost:80":   "localhost_80.sock",
		"[::1]:80":       "--1_80_",
		"unix:/run/g.s":  "unix_g_",
		"unix:@abstract": "unix_-abstract_",
	} {
		got := FileName(address)
		if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, ".sock") {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

// Whatever the address, the name is a file's, short, and nobody else's.
func TestFileNamesDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		address := rapid.OneOf(
			rapid.StringMatching(`[a-z0-9.:/_-]{0,40}:[0-9]{1,5}`),
			rapid.StringMatching(`unix:/?[a-zA-Z0-9./_ -]{1,80}`),
		)
		a, b := address.Draw(t, "a"), address.Draw(t, "b")
		name := FileName(a)
		if len(name) > 60 || strings.ContainsAny(name, "/ \x00") || strings.HasPrefix(name, ".") && a[0] != '.' {
			t.Fatalf("%q: %q", a, name)
		}
		same := filepath.Clean(strings.TrimPrefix(a, "unix:")) == filepath.Clean(strings.TrimPrefix(b, "unix:"))
		if name == FileName(b) && !same && wildcard(a) == wildcard(b) {
			t.Fatalf("%q and %q are both %q", a, b, name)
		}
	})
}

func wildcard(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return "any:" + port
	}
	return address
}

func TestPrepare(t *testing.T) {
	base := shortDir(t)
	file, open, link := filepath.Join(base, "file"), filepath.Join(base, "open"), filepath.Join(base, "link")
	target := filepath.Join(base, "target")
	err := errors.Join(
		os.WriteFile(file, nil, 0o600),
		os.Mkdir(open, 0o700), os.Chmod(open, 0o770), //nolint:gosec // that is what is tested
		os.Mkdir(target, 0o700), os.Symlink(target, link),
	)
	if err != nil {
		t.Fatal(err)
	}
	nowhere, fresh := filepath.Join(base, "no", "where"), filepath.Join(base, "fresh")
	bad := []string{nowhere, file, open, link}
	if _, err := Prepare(bad); err == nil {
		t.Error("one of the bad ones was taken")
	} else {
		for _, want := range []string{nowhere + ": no such", file + ": is not a directory", open +
			": others may write to it (mode 0770)", link + ": is not a directory"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is missing in %v", want, err)
			}
		}
	}
	for range 2 { // new, and there already
		dir, err := Prepare(append(slices.Clone(bad), fresh))
		if err != nil || dir != fresh {
			t.Errorf("got %s, %v", dir, err)
		}
	}
	if info, err := os.Stat(fresh); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(fresh, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		if _, err := Prepare([]string{fresh}); err == nil || !strings.Contains(err.Error(), "belongs to user 12345") {
			t.Errorf("somebody else's: %v", err)
		}
		if err := ours(fresh, true); err == nil {
			t.Error("root would look into what another user has put there")
		}
	}
}

// What crashed servers have left goes; what lives stays, and so does what other
// programs have left, or are just about to listen on.
func TestSweep(t *testing.T) {
	dir := shortDir(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	dead := func(name string) {
		t.Helper()
		l := listen(t, at(name))
		l.SetUnlinkOnClose(false)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// guard makes the lock file that a server has beside its socket.
	guard := func(name, socket string) *lockfile.Lock {
		t.Helper()
		l, err := lockfile.Take(at(name) + lockfile.Extension)
		if err != nil {
			t.Fatal(err)
		}
		if socket != "" {
			info, err := os.Lstat(at(socket))
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Guard(lockfile.Inode(info)); err != nil {
				t.Fatal(err)
			}
		}
		return l
	}
	abandon := func(l *lockfile.Lock) {
		t.Helper()
		if err := l.Abandon(); err != nil {
			t.Fatal(err)
		}
	}
	defer listen(t, at("live.sock")).Close()
	for _, name := range []string{"crashed.sock", "other.sock", "starting.sock", "replaced.sock"} {
		dead(name)
	}
	abandon(guard("crashed.sock", "crashed.sock"))
	abandon(guard("gone.sock", ""))
	if err := os.WriteFile(at("gone.sock.start"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	abandon(guard("live.sock", "live.sock"))        // as if its lock had been lost
	abandon(guard("replaced.sock", "crashed.sock")) // by another program
	starting := guard("starting.sock", "starting.sock")
	defer func() { _ = starting.Release() }()
	if err := os.WriteFile(at("yarn.sock.lock"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	Sweep(dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	want := []string{"live.sock", "other.sock", "replaced.sock", "starting.sock", "starting.sock.lock", "yarn.sock.lock"}
	if !slices.Equal(left, want) {
		t.Errorf("left: %v, want %v", left, want)
	}
	Sweep(at("no such directory"))
}

func listen(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestIsDir(t *testing.T) {
	dir := shortDir(t)
	for path, want := range map[string]bool{dir: true, dir + "/": true, dir + "/x/": true, dir + "/x": false, "": false} {
		if got := IsDir(path); got != want {
			t.Errorf("%q: got %v", path, got)
		}
	}
}
