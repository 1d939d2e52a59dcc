package control

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"groupcast/server/lockfile"
)

// None as the value of --control is no control socket at all.
const None = "none"

// extension is what a control socket's name ends with.
const extension = ".sock"

// IsDir tells whether a value of --control names a directory, for sockets that
// are named as usual, and not a socket.
func IsDir(path string) bool {
	if strings.HasSuffix(path, "/") {
		return true
	}
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Dirs are the directories that control sockets of this user are in, the best
// first. They need not exist.
func Dirs() []string {
	return dirsFor(runtime.GOOS, os.Geteuid(), os.Getenv("XDG_RUNTIME_DIR"), os.TempDir())
}

func dirsFor(system string, uid int, xdg, temp string) []string {
	const name = "groupcast"
	run := "/var/run"
	if system == "linux" {
		run = "/run"
	}
	var dirs []string
	if uid != 0 {
		if filepath.IsAbs(xdg) {
			dirs = append(dirs, filepath.Join(xdg, name))
		}
		dirs = append(dirs, filepath.Join(run, "user", strconv.Itoa(uid), name))
	}
	// Root's own; for others the one that a service manager may have made.
	dirs = append(dirs, filepath.Join(run, name), filepath.Join(temp, fmt.Sprintf("%s-%d", name, uid)))
	slices.Reverse(dirs) // of two that are the same, the first stays
	for i := 0; i < len(dirs); i++ {
		if slices.Contains(dirs[i+1:], dirs[i]) {
			dirs = slices.Delete(dirs, i, i+1)
			i--
		}
	}
	slices.Reverse(dirs)
	return dirs
}

// Prepare makes the first of dirs that can be made, or is there, and belongs to
// this user alone. The error says what is wrong with each of them.
func Prepare(dirs []string) (dir string, err error) {
	var errs []error
	for _, dir := range dirs {
		err := os.Mkdir(dir, 0o700)
		if err == nil || errors.Is(err, fs.ErrExist) {
			err = ours(dir, false)
		} else {
			err = reason(err)
		}
		if err == nil {
			return dir, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", dir, err))
	}
	return "", errors.Join(errs...)
}

// ours checks that nobody else can put anything into dir. Root may look into
// what belongs to others, where only root can have made it.
func ours(dir string, looking bool) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return reason(err)
	}
	owner, uid := ownerOf(info), os.Geteuid()
	switch {
	case !info.IsDir():
		return errors.New("is not a directory")
	case owner != uid && (uid != 0 || !looking || !onlyRootIn(filepath.Dir(dir))):
		return fmt.Errorf("belongs to user %d", owner)
	case othersMayWrite(info):
		return fmt.Errorf("others may write to it (mode %04o)", info.Mode().Perm())
	}
	return nil
}

// named is ours for a directory that the operator has named.
func named(dir string, looking bool) error {
	info, err := os.Stat(dir)
	if err == nil && os.Geteuid() == 0 && info.IsDir() && !othersMayWrite(info) {
		return nil
	}
	return ours(dir, looking)
}

func othersMayWrite(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

// onlyRootIn reports whether nobody but root can put anything into dir, or put
// another directory in its place.
func onlyRootIn(dir string) bool {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	for {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || ownerOf(info) != 0 || othersMayWrite(info) {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

func ownerOf(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// reason is err without the path, which is said anyway.
func reason(err error) error {
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number
	}
	return err
}

// FileName is what the socket of a server is called whose first listener is
// address: 1234.sock, 127.0.0.1_1234.sock. Different addresses have different names.
func FileName(address string) string {
	if path, isUnix := strings.CutPrefix(address, "unix:"); isUnix {
		absolute, err := filepath.Abs(path)
		if err != nil || strings.HasPrefix(path, "@") {
			absolute = path
		}
		base := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		return withHash("unix_"+plain(base), absolute)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return withHash(plain(address), address)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return port + extension // nobody else can have that port
	}
	name := host + "_" + port
	if plain(name) != name {
		return withHash(plain(name), address)
	}
	return name + extension
}

// withHash makes a name that was changed, or shortened, one of its own again.
func withHash(name, whole string) string {
	sum := sha256.Sum256([]byte(whole))
	return name + "_" + hex.EncodeToString(sum[:4]) + extension
}

// plain is s as a file's name that nobody has to quote, of 32 bytes at most.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("._-", r) {
			return r
		}
		return '-'
	}, s)
	return s[:min(len(s), 32)]
}

// Sweep removes from dir the sockets of servers that are no more: those that
// crash leave theirs behind, and beside each its lock file without a holder. What
// has no such file is another program's.
func Sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), extension+lockfile.Extension) && e.Type().IsRegular() {
			SweepSocket(filepath.Join(dir, strings.TrimSuffix(e.Name(), lockfile.Extension)))
		}
	}
}

// SweepSocket removes one such socket.
func SweepSocket(path string) {
	lock, err := lockfile.TakeOld(path + lockfile.Extension)
	if err != nil {
		return // it is in use, or not ours
	}
	defer func() { _ = lock.Release() }() // what cannot be removed may stay
	RemoveRecord(path)
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket || !lock.Guards(info) {
		return
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = conn.Close()
		return
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		_ = os.Remove(path)
	}
}
