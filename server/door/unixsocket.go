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
)

// answerTimeout bounds the question whether somebody listens on a socket. A
// live one answers at once; one with a full queue is alive, too.
const answerTimeout = time.Second

// abstract reports whether a is a name of Linux's abstract namespace, which no
// file stands for.
func (a Address) abstract() bool { return strings.HasPrefix(a.text, "@") }

// removeStale makes way for a socket at path: the file that a crashed process
// left behind is removed. A socket that somebody answers on stays, and so does
// everything that is not a socket.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return Reason(err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("the file exists and is not a socket")
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		err = conn.Close()
		return errors.Join(Reason(syscall.EADDRINUSE), err)
	}
	// Only a refusal proves that nobody listens. ENOENT: another process
	// removed it just now.
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the stale socket: %w", Reason(err))
		}
		return nil
	case errors.Is(err, syscall.ENOENT):
		return nil
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, context.DeadlineExceeded):
		return Reason(syscall.EADDRINUSE)
	}
	return Reason(err)
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
	return os.Remove(d.address.text)
}
