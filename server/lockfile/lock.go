package lockfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Extension is what a lock file's name has behind the name of what it guards.
const Extension = ".lock"

// line is all that is in a lock file. It is always as long, so that it can be
// written over itself in one piece.
const line = "groupcast lock, pid %10d, socket %20d\n"

// Lock is the right to a path. It ends with Release, or with the process.
// Owner: who took it.
type Lock struct {
	path   string
	file   *os.File
	socket uint64
}

// HeldError means that another process has the lock.
type HeldError struct {
	Path string
	PID  int // as it has written itself, in its own namespace of processes
}

func (e *HeldError) Error() string { return fmt.Sprintf("pid %d has %s", e.PID, e.Path) }

// Times that Take waits.
const (
	// sweepWithin is how long a lock is waited for whose file names a process that
	// is no more: another one is looking whether it can be swept away.
	sweepWithin = time.Second
	sweepEvery  = 5 * time.Millisecond
	// maxTurns bounds how often a lock file may vanish while it is being taken.
	maxTurns = 1000
)

// Take locks the file at path, and makes it if it is not there. The error is a
// *HeldError if another process has it. A file that is not a lock file of this
// user's groupcast is left alone.
func Take(path string) (*Lock, error) { return take(path, true) }

// TakeOld is Take for a lock file that must be there already.
func TakeOld(path string) (*Lock, error) { return take(path, false) }

func take(path string, create bool) (*Lock, error) {
	deadline := time.Now().Add(sweepWithin)
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for range maxTurns {
		l, err := open(path)
		if create && errors.Is(err, fs.ErrNotExist) {
			l, err = makeNew(path)
		}
		if errors.Is(err, errAgain) {
			continue
		}
		held, isHeld := errors.AsType[*HeldError](err)
		if isHeld && !alive(held.PID) && time.Now().Before(deadline) {
			<-ticker.C
			continue
		}
		if err != nil {
			return nil, err
		}
		return l, nil
	}
	return nil, fmt.Errorf("%s: is removed again and again", path)
}

// errAgain means that the file has changed under the hands of open or makeNew.
var errAgain = errors.New("once more")

// open locks a file that is there.
func open(path string) (*Lock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	l := &Lock{path: path, file: file}
	if err := l.lockOld(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return l, nil
}

func (l *Lock) lockOld() error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || !info.Mode().IsRegular() || info.Size() != int64(len(fmt.Sprintf(line, 0, 0))) || stat.Nlink > 2:
		return l.notOurs()
	case int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("%s: belongs to user %d", l.path, stat.Uid)
	}
	pid, _, err := l.read()
	if err != nil {
		return l.notOurs()
	}
	err = unix.Flock(int(l.file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return &HeldError{l.path, pid}
	case err != nil:
		return fmt.Errorf("lock %s: %w", l.path, err)
	}
	// The one who had it may have removed it on leaving.
	now, err := os.Lstat(l.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(info, now) {
		return errAgain
	}
	if err != nil {
		return err
	}
	// Read again: by now it cannot change.
	if _, l.socket, err = l.read(); err != nil {
		return l.notOurs()
	}
	return nil
}

func (l *Lock) notOurs() error {
	return fmt.Errorf("%s: is not a lock file of groupcast's", l.path)
}

func (l *Lock) read() (pid int, socket uint64, err error) {
	text := make([]byte, len(fmt.Sprintf(line, 0, 0)))
	if _, err := l.file.ReadAt(text, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	_, err = fmt.Sscanf(string(text), line, &pid, &socket)
	return pid, socket, err
}

// makeNew makes the file, locked and written before it has its name: at no moment
// is there an empty one, which could be anybody's.
func makeNew(path string) (l *Lock, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	defer func() {
		removed := os.Remove(file.Name())
		if err == nil {
			err = removed
		}
		if err != nil {
			_ = file.Close()
		}
	}()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	l = &Lock{path: path, file: file}
	if err := l.Guard(0); err != nil {
		return nil, err
	}
	err = os.Link(file.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return nil, errAgain
	}
	return l, err
}

// Guard writes down the socket file that this lock is for, by its inode. 0 is none.
func (l *Lock) Guard(socket uint64) error {
	l.socket = socket
	_, err := l.file.WriteAt(fmt.Appendf(nil, line, os.Getpid(), socket), 0)
	return err
}

// Guards reports whether the file is the one that was written down, by the holder
// of the lock or by the one before. A nil lock guards nothing.
func (l *Lock) Guards(info fs.FileInfo) bool {
	return l != nil && l.socket != 0 && l.socket == Inode(info)
}

// Release removes the file and gives the lock up. Where the file cannot be
// removed, which a process that has given up its rights may not do, it stays
// behind without a holder.
func (l *Lock) Release() error {
	if l.file == nil {
		return nil
	}
	err := os.Remove(l.path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		err = nil
	}
	err = errors.Join(err, l.file.Close())
	l.file = nil
	return err
}

// Abandon gives the lock up and leaves the file as it was found, or as a crash does.
func (l *Lock) Abandon() error { return l.file.Close() }

// Inode is the file's number; 0 if the system has none.
func Inode(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino
	}
	return 0
}

// alive reports whether there is a process of that number.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return pid > 0 && (err == nil || errors.Is(err, syscall.EPERM))
}
