package control

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// other is a user who is not this one, and has no rights.
const other = 12345

// anotherUser makes the test binary be a process of another user who listens on a
// socket, prints what he is sent, and answers as a server would.
const anotherUser = "GROUPCAST_TEST_ANOTHER_USER_AT"

func beAnotherUser(path string) {
	l, err := net.Listen("unix", path)
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		os.Exit(1)
	}
	_ = os.Chmod(path, 0o666)
	fmt.Fprintln(os.Stdout, "listening")
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			buf := make([]byte, 4096)
			for {
				n, err := conn.Read(buf)
				if err != nil {
					return
				}
				fmt.Fprintf(os.Stdout, "got %q\n", buf[:n])
				_, _ = io.WriteString(conn,
					"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{\"pid\":99}")
			}
		}()
	}
}

// theft is another user's process behind a socket.
type theft struct {
	mu  sync.Mutex
	out strings.Builder
}

func (s *theft) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

func (s *theft) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// steal has another user listen at path; needs root.
func steal(t *testing.T, path string) *theft {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	// The test binary is in a directory of root's.
	binary := filepath.Join(filepath.Dir(filepath.Dir(path)), "thief")
	if text, err := os.ReadFile("/proc/self/exe"); err != nil {
		t.Fatal(err)
	} else if err := os.WriteFile(binary, text, 0o755); err != nil { //nolint:gosec // to be run by another user
		t.Fatal(err)
	}
	s := &theft{}
	c := exec.Command(binary)
	c.Env = append(os.Environ(), anotherUser+"="+path, "GOCOVERDIR=")
	c.Stdout, c.Stderr = s, s
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: other, Gid: other}}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	eventually(t, "the other user's socket", func() bool { return strings.Contains(s.String(), "listening") })
	return s
}

// Another user puts a directory, and in it a socket, where root's commands look:
// they find nothing there, say so, and nothing is sent.
func TestAnotherUsersSocket(t *testing.T) {
	base := shortDir(t)
	if err := os.Chmod(base, os.ModeSticky|0o777); err != nil { //nolint:gosec // like /tmp
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		mode  os.FileMode
		owner int
	}{
		"theirs": {0o755, other},
		"open":   {0o777, 0},
		"sticky": {os.ModeSticky | 0o777, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(base, name)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "1234.sock")
			if os.Geteuid() == 0 {
				if err := errors.Join(os.Chown(dir, c.owner, c.owner), os.Chmod(dir, c.mode)); err != nil {
					t.Fatal(err)
				}
			}
			s := steal(t, path)
			search := Look(t.Context(), []string{dir})
			if len(search.Found) != 0 || len(search.Skipped) != 1 || !strings.Contains(search.Skipped[0].Error(), dir+": ") {
				t.Errorf("got %+v", search)
			}
			search = LookIn(t.Context(), dir)
			if wanted := name == "theirs"; len(search.Found) == 1 != wanted || len(search.Skipped) == 0 != wanted {
				t.Errorf("named: got %+v", search)
			}
			if name != "theirs" { // which root may name, as nobody else can write there
				client := NewClient(path)
				defer client.Close()
				if _, err := client.Publish(t.Context(), "g", []byte("secret")); !errors.Is(err, ErrNotTrusted) {
					t.Errorf("got %v", err)
				}
				if _, err := client.Peer(t.Context()); !errors.Is(err, ErrNotTrusted) {
					t.Errorf("got %v", err)
				}
			} else if found := Probe(t.Context(), path); found.Err != nil || found.Info.PID != 99 {
				t.Errorf("root may look at another's server: %+v", found)
			}
			if strings.Contains(s.String(), "secret") || name != "theirs" && strings.Contains(s.String(), "got") {
				t.Errorf("it was sent: %s", s)
			}
		})
	}
}

// Where only root can have made it, root looks into what belongs to a service.
func TestOnlyRootIn(t *testing.T) {
	for dir, want := range map[string]bool{
		"/": true, "/usr": true, os.TempDir(): false, shortDir(t): false,
		"/nowhere": false,
	} {
		if got := onlyRootIn(dir); got != want {
			t.Errorf("%s: got %v", dir, got)
		}
	}
}

// A service's own directory, as a service manager makes it in /run.
func TestServiceDirectory(t *testing.T) {
	if os.Geteuid() != 0 || !onlyRootIn("/run") {
		t.Skip("only root can look at another's server, and only where nobody else can make directories")
	}
	base, err := os.MkdirTemp("/run", "groupcast-test") //nolint:usetesting // where only root can
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	dir := filepath.Join(base, "d")
	if err := errors.Join(os.Chmod(base, 0o755), os.Mkdir(dir, 0o700),
		os.Chown(dir, other, other)); err != nil { //nolint:gosec // as systemd does
		t.Fatal(err)
	}
	steal(t, filepath.Join(dir, "1234.sock"))
	search := Look(t.Context(), []string{dir})
	if len(search.Found) != 1 || search.Found[0].Err != nil || search.Found[0].Info.PID != 99 || len(search.Skipped) != 0 {
		t.Errorf("got %+v", search)
	}
}

// Who may not look into a directory is told that, and not that there is nothing.
func TestDeniedDirectory(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may look everywhere; the commands' tests have another user")
	}
	dir := shortDir(t)
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	if search := Look(t.Context(), []string{dir}); len(search.Skipped) != 1 || !errors.Is(search.Skipped[0], ErrDenied) {
		t.Errorf("got %+v", search)
	}
}
