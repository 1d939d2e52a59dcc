package lockfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.lock")
	if _, err := TakeOld(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	l, err := Take(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Guard(77); err != nil {
		t.Fatal(err)
	}
	_, err = Take(path)
	if held, ok := errors.AsType[*HeldError](err); !ok || held.PID != os.Getpid() {
		t.Errorf("got %v", err)
	}
	// As a crash leaves it.
	if err := l.file.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Take(path)
	if err != nil || again.socket != 77 {
		t.Fatalf("got %+v, %v", again, err)
	}
	if err := errors.Join(again.Release(), again.Release()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

// What is not a lock file of ours stays as it is.
func TestOthersFilesStay(t *testing.T) {
	dir := t.TempDir()
	ours := fmt.Sprintf(line, 1, 2)
	theirs := "too many levels"
	if os.Geteuid() == 0 {
		theirs = "belongs to user 12345"
	}
	for name, c := range map[string]struct {
		make func(path string) error
		want string
	}{
		"empty": {func(p string) error { return os.WriteFile(p, nil, 0o600) }, "is not a lock file"},
		"yarn": {
			func(p string) error { return os.WriteFile(p, []byte("# yarn lockfile v1\n"), 0o600) },
			"is not a lock file",
		},
		"as long": {
			func(p string) error { return os.WriteFile(p, []byte(strings.Repeat("x", len(ours))), 0o600) },
			"is not a lock file",
		},
		"link": {func(p string) error { return os.Symlink("/etc/passwd", p) }, "too many levels of symbolic links"},
		"dir":  {func(p string) error { return os.Mkdir(p, 0o700) }, "is a directory"},
		"theirs": {func(p string) error {
			if os.Geteuid() != 0 {
				return os.Symlink("/", p) // only root can give files away
			}
			return errors.Join(os.WriteFile(p, []byte(ours), 0o600), os.Chown(p, 12345, 12345))
		}, theirs},
	} {
		path := filepath.Join(dir, name)
		if err := c.make(path); err != nil {
			t.Fatal(err)
		}
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Take(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) || before.Size() != after.Size() ||
			!before.ModTime().Equal(after.ModTime()) {
			t.Errorf("%s: is not what it was: %v", name, err)
		}
	}
}

// Whoever comes and goes, one at a time has it.
func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.lock")
	var inside, taken atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for taken.Load() < 200 {
				l, err := Take(path)
				if _, held := errors.AsType[*HeldError](err); held {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d have it", n)
				}
				taken.Add(1)
				inside.Add(-1)
				if err := l.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestPIDFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	p, err := WritePID(path)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != fmt.Sprintln(os.Getpid()) {
		t.Errorf("got %q, %v", text, err)
	}
	if err := errors.Join(p.Remove(), p.Remove()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	for text, want := range map[string]string{
		"":                              "",
		"999999999\n":                   "", // nobody
		fmt.Sprintln(os.Getppid()):      "", // another program
		"precious":                      "is not a file with a process id",
		"-1":                            "is not a file with a process id",
		strings.Repeat("1", 65):         "is not a file with a process id",
		fmt.Sprintln(os.Getpid()) + "x": "is not a file with a process id",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := WritePID(path)
		if want == "" && err == nil {
			if err := p.Remove(); err != nil {
				t.Error(err)
			}
			continue
		}
		if want == "" || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
		if left, err := os.ReadFile(path); err != nil || string(left) != text {
			t.Errorf("%q became %q, %v", text, left, err)
		}
	}
	if _, err := WritePID("/nowhere/pid"); err == nil || !strings.Contains(err.Error(), "/nowhere: no such file") {
		t.Errorf("got %v", err)
	}
}

// Who reads it finds the number, whole, at any time.
func TestPIDFileIsWrittenInOnePiece(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	want := fmt.Sprintln(os.Getpid())
	if _, err := WritePID(path); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 300 {
			if _, err := WritePID(path); err != nil {
				t.Error(err)
			}
		}
	}()
	for {
		if text, err := os.ReadFile(path); err != nil || string(text) != want {
			t.Errorf("got %q, %v", text, err)
			break
		}
		select {
		case <-done:
			return
		default:
		}
	}
	<-done
}

// A process that has ended, and whose parent does not care, names nobody.
func TestPIDFileOfAZombie(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "-test.run=^$")
	ended, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.ExtraFiles = []*os.File{end} // closed by its end
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Wait() }()
	path := filepath.Join(t.TempDir(), "pid")
	if err := errors.Join(end.Close(), os.WriteFile(path, fmt.Append(nil, c.Process.Pid), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := ended.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err := ended.Close(); err != nil {
		t.Fatal(err)
	}
	// Its descriptors are closed a moment before it is a zombie.
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(20 * time.Second); ; <-ticker.C {
		p, err := WritePID(path)
		if err == nil {
			if err := p.Remove(); err != nil {
				t.Error(err)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// A successor's file is not ours to remove.
func TestPIDFileOfASuccessor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	p, err := WritePID(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(path), os.WriteFile(path+"2", []byte("1\n"), 0o600), os.Rename(path+"2", path),
		p.Remove()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}
