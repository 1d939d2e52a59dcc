package examples

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	_ "groupcast/server" // so that the test cache knows what is built of it
)

// patience is how long a test waits for what should come at once.
const patience = 60 * time.Second

// group has a name that has to survive every language's strings.
const group = "grün 1"

// TestClients: each client's message reaches the group, the client prints its own copy and what others send,
// and it ends without an error when the server does.
func TestClients(t *testing.T) {
	dependOn(t, "client.*", "go/*.go", "../cmd/groupcast/*.go")
	server := build(t, "../cmd/groupcast")
	for _, c := range []struct {
		name    string
		command func(*testing.T) []string
		channel bool // it speaks Workerman's protocol
	}{
		{"JavaScript", javaScript, false},
		{"Python", python, false},
		{"PHP", php, true},
		{"Go", goProgram, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			command := c.command(t)
			s := start(t, server, "start", "--listen", "127.0.0.1:0", "--channel", "127.0.0.1:0", "--api", "none",
				"--control", "none", "--log-level", "warn")
			socket, channel := s.addresses()
			m := join(t, "ws://"+socket)
			address := "ws://" + socket
			if c.channel {
				address = channel
			}
			hello := `hello from "` + c.name + `", 世界`
			client := start(t, append(command, address, group, hello)...)
			m.want(hello)
			client.want(hello)
			m.publish("an answer")
			client.want("an answer")
			if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			m.closed()
			client.ends()
			s.ends()
		})
	}
}

// dependOn tells the test cache of files that only other programs read. The rest of the server is imported.
func dependOn(t *testing.T, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil || files == nil {
			t.Fatalf("no file is called %s: %v", pattern, err)
		}
		for _, file := range files {
			if _, err := os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// build is the path of a program of this module, built as `make build` does but for the profile.
func build(t *testing.T, source string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-pgo=off", "-o", path, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// missing skips a client whose language is not here; where everything has to be, it fails.
func missing(t *testing.T, what, debian string) {
	t.Helper()
	text := "NO " + what + ": client not tested; to do so: sudo apt-get install " + debian + ", as make test-deps does"
	if os.Getenv("CI") != "" {
		t.Fatal(text)
	}
	t.Skip(text)
}

func goProgram(t *testing.T) []string {
	t.Helper()
	return []string{build(t, "./go")}
}

func javaScript(t *testing.T) []string {
	t.Helper()
	// A Node that is not Debian's does not look where Debian's packages are.
	t.Setenv("NODE_PATH", "/usr/share/nodejs")
	if exec.Command("node", "-e", "globalThis.WebSocket ?? require('ws')").Run() != nil {
		missing(t, "NODE WITH WEBSOCKET", "node-ws")
	}
	return []string{"node", "client.js"}
}

func python(t *testing.T) []string {
	t.Helper()
	// The first python3 may be one of several, without Debian's packages.
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import websockets").Run() == nil {
			return []string{python, "client.py"}
		}
	}
	missing(t, "PYTHON WITH WEBSOCKETS", "python3-websockets")
	return nil
}

func php(t *testing.T) []string {
	t.Helper()
	if _, err := exec.LookPath("php"); err != nil {
		missing(t, "PHP", "php-cli")
	}
	return []string{"php", "-n", "client.php"}
}

// process is a program that runs, and what it prints, line by line.
// Owner: the test.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
	ended chan struct{} // closed, after err is set
	err   error
}

func start(t *testing.T, command ...string) *process {
	t.Helper()
	p := &process{
		t: t, cmd: exec.Command(command[0], command[1:]...),
		lines: make(chan string, 64), ended: make(chan struct{}),
	}
	for _, kv := range os.Environ() { // without what would make these programs behave otherwise
		if !strings.HasPrefix(kv, "GROUPCAST_") && !strings.HasPrefix(kv, "PYTHON") {
			p.cmd.Env = append(p.cmd.Env, kv)
		}
	}
	p.cmd.Stderr = t.Output()
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.lines <- lines.Text()
		}
		close(p.lines)
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // one that has ended does not mind
		for range p.lines {
		}
		<-p.ended
	})
	return p
}

func (p *process) next() string {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			<-p.ended
			p.t.Fatalf("%s ended: %v", p.cmd, p.err)
		}
		return line
	case <-time.After(patience):
		p.t.Fatalf("in vain waited for a line of %s", p.cmd)
	}
	return ""
}

func (p *process) want(line string) {
	p.t.Helper()
	if got := p.next(); got != line {
		p.t.Fatalf("%s printed %q, want %q", p.cmd, got, line)
	}
}

// ends waits for the end, which has to be without an error.
func (p *process) ends() {
	p.t.Helper()
	select {
	case <-p.ended:
		if p.err != nil {
			p.t.Errorf("%s: %v", p.cmd, p.err)
		}
	case <-time.After(patience):
		p.t.Errorf("in vain waited for the end of %s", p.cmd)
	}
}

// addresses reads the server's banner.
func (p *process) addresses() (socket, channel string) {
	p.t.Helper()
	for {
		line := p.next()
		switch words := strings.Fields(line); {
		case len(words) > 1 && words[0] == "websocket":
			socket = words[1]
		case len(words) > 1 && words[0] == "channel":
			channel = words[1]
		case strings.Contains(line, "Start success."):
			return socket, channel
		}
	}
}

// member is in the group, and not one of the examples.
// Owner: the test.
type member struct {
	t    *testing.T
	conn *websocket.Conn
}

func join(t *testing.T, url string) *member {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, url, nil)
	if response != nil && response.Body != nil {
		defer func() { _ = response.Body.Close() }()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	m := &member{t, conn}
	m.send(map[string]string{"cmd": "add_group", "group_id": group, "req_id": "join"})
	m.want(`{"cmd":"ack","req_id":"join"}`)
	return m
}

func (m *member) send(command map[string]string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	if err := wsjson.Write(ctx, m.conn, command); err != nil {
		m.t.Fatal(err)
	}
}

func (m *member) publish(message string) {
	m.t.Helper()
	m.send(map[string]string{"cmd": "send_to_group", "group_id": group, "message": message})
}

func (m *member) want(text string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	if _, got, err := m.conn.Read(ctx); err != nil || string(got) != text {
		m.t.Fatalf("the group got %q, want %q: %v", got, text, err)
	}
}

// closed reads until the server says that it goes away.
func (m *member) closed() {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	var err error
	for err == nil {
		_, _, err = m.conn.Read(ctx)
	}
	if status := new(websocket.CloseError); !errors.As(err, status) || status.Code != websocket.StatusGoingAway {
		m.t.Errorf("closed by %v, want 1001", err)
	}
}
