package door

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"groupcast/server/lockfile"
)

// answerTimeout bounds the question whether a process listens on a socket. A
// live one answers at once; one with a full queue is alive, too.
const answerTimeout = time.Second

// abstract reports whether a is a name of Linux's abstract namespace, which no
// file stands for.
func (a Address) abstract() bool { return strings.HasPrefix(a.text, "@") }

// makeWay gets the right to the socket's path, and removes the file that a crashed
// groupcast has left there.
func (d *Door) makeWay() error {
	lock, err := lockfile.Take(d.address.text + lockfile.Extension)
	if held, ok := errors.AsType[*lockfile.HeldError](err); ok {
		return fmt.Errorf("%w: pid %d has it", syscall.EADDRINUSE, held.PID)
	}
	if err != nil {
		return Reason(err)
	}
	if err := removeStale(d.address.text, lock); err != nil {
		return errors.Join(err, lock.Release())
	}
	d.lock = lock
	return nil
}

// release gives the right to the path up again.
func (d *Door) release() error {
	if d.lock == nil {
		return nil
	}
	return d.lock.Release()
}

// removeStale removes the socket at path that a crashed groupcast has left behind,
// whose lock is held by this process now.
func removeStale(path string, lock *lockfile.Lock) error {
	stale, err := isStale(path, lock)
	if err != nil || !stale {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the stale socket: %w", Reason(err))
	}
	return nil
}

// isStale reports whether a socket is at path that a crashed groupcast has left
// behind. Anything else there is an error: a socket that a process answers on, one of
// another program, which may be just about to listen, and what is not a socket. lock
// is the path's, and nil if it has none.
func isStale(path string, lock *lockfile.Lock) (bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, Reason(err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return false, errors.New("the file exists and is not a socket")
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		err = conn.Close()
		return false, errors.Join(Reason(syscall.EADDRINUSE), err)
	}
	// Only a refusal proves that nobody listens. ENOENT: another process
	// removed it just now.
	switch {
	case errors.Is(err, syscall.ECONNREFUSED) && lock.Guards(info):
		return true, nil
	case errors.Is(err, syscall.ECONNREFUSED):
		return false, errors.New("another program's socket is there, and nobody listens on it: remove it if it is left over")
	case errors.Is(err, syscall.ENOENT):
		return false, nil
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, context.DeadlineExceeded):
		return false, Reason(syscall.EADDRINUSE)
	}
	return false, Reason(err)
}

// modeBeforeBind gives the socket its mode before it has a name: Linux makes
// the file with the socket's own mode less the umask, so that at no moment
// more people may connect than are meant to.
func modeBeforeBind(mode fs.FileMode) func(string, string, syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), uint32(mode.Perm())) })
		return errors.Join(err, failed)
	}
}

// claim gives the new socket file its exact mode, whatever the umask took
// away, and remembers which file it is.
func (d *Door) claim(mode fs.FileMode) error {
	// The listener would unlink by name, even if the name is another's by then.
	if l, ok := d.Listener.(*net.UnixListener); ok {
		l.SetUnlinkOnClose(false)
	}
	info, err := os.Lstat(d.address.text)
	if err != nil {
		return err
	}
	d.socket = info
	if err := d.lock.Guard(lockfile.Inode(info)); err != nil {
		return err
	}
	return os.Chmod(d.address.text, mode)
}

// unlink removes the socket file if it is still the one that was bound here: a
// successor may have put its own in its place.
func (d *Door) unlink() error {
	if d.socket == nil {
		return nil
	}
	bound := d.socket
	d.socket = nil
	now, err := os.Lstat(d.address.text)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !os.SameFile(bound, now) {
		return nil
	}
	err = os.Remove(d.address.text)
	if errors.Is(err, fs.ErrPermission) {
		return nil // after --user: the next start removes it
	}
	return err
}
