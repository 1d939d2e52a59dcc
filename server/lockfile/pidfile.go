package lockfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// PIDFile is a file that names this process.
// Owner: who made it.
type PIDFile struct {
	path string
	info fs.FileInfo
}

// maxPIDFileBytes bounds what is read of a file that ought to hold a number.
const maxPIDFileBytes = 64

// CheckPID says what would keep WritePID from writing path, without writing it.
func CheckPID(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return CheckDir(filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > maxPIDFileBytes {
		return fmt.Errorf("%s: exists, and is not a file with a process id", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	content := strings.TrimSpace(string(text))
	pid, err := strconv.Atoi(content)
	if content != "" && (err != nil || pid <= 0) {
		return fmt.Errorf("%s: exists, and is not a file with a process id", path)
	}
	if pid != os.Getpid() && alive(pid) && sameProgram(pid) {
		return fmt.Errorf("%s: names pid %d, a groupcast that is running", path, pid)
	}
	return CheckDir(filepath.Dir(path))
}

// CheckDir says what would keep this process from making a file in dir.
func CheckDir(dir string) error {
	file, err := os.CreateTemp(dir, ".groupcast-check.*")
	if err != nil {
		if wrapped, ok := errors.AsType[*fs.PathError](err); ok {
			err = wrapped.Err
		}
		return fmt.Errorf("%s: %w", dir, err)
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// WritePID writes this process's id into a file, in one piece: who reads it finds
// the whole number or the file before. A file that names a groupcast that is
// running, or that holds something else than a number, is left alone.
func WritePID(path string) (p *PIDFile, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if err := CheckPID(path); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintln(file, os.Getpid())
	err = errors.Join(err, file.Chmod(0o644))
	info, unknown := file.Stat()
	err = errors.Join(err, unknown, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(file.Name()))
	}
	return &PIDFile{path, info}, nil
}

// Remove removes the file if it is still this process's. A process that has given
// up its rights may not be allowed to: then it stays, and names nobody.
func (p *PIDFile) Remove() error {
	now, err := os.Lstat(p.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !os.SameFile(p.info, now):
		return nil
	}
	// A file system may give a number away again, to a successor's file say.
	text, err := os.ReadFile(p.path)
	if err != nil || strings.TrimSpace(string(text)) != strconv.Itoa(os.Getpid()) {
		return err
	}
	err = os.Remove(p.path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
