package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"groupcast/server/control"
	"groupcast/server/monitor"
)

// place is a directory for control sockets that one test has for itself, as an
// environment.
func place(t *testing.T) (dir string, env []string) {
	t.Helper()
	// t.TempDir has the test's name in it: too long for a socket.
	dir, err := os.MkdirTemp("", "groupcast") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir, []string{"GROUPCAST_CONTROL=" + dir}
}

// command runs groupcast to its end.
func command(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := launch(t, env, args...)
	code = p.exit()
	return code, p.out.String(), p.err.String()
}

// must runs a command that has to succeed, and is what it prints.
func must(t *testing.T, env []string, args ...string) string {
	t.Helper()
	code, out, errs := command(t, env, args...)
	if code != exitStopped || errs != "" {
		t.Fatalf("groupcast %s: exit %d, %s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

var clientCommands = [][]string{
	{"status"},
	{"status", "--json"},
	{"status", "-d"},
	{"connections"},
	{"queues"},
	{"queues", "--purge", "q"},
	{"stop"},
	{"stop", "-g"},
	{"restart"},
	{"reload"},
	{"publish", "g", "m"},
}

// Without a server, each command says so in one line, and where it looked.
func TestNoServer(t *testing.T) {
	t.Parallel()
	dir, env := place(t)
	stale := filepath.Join(dir, "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	for _, args := range clientCommands {
		code, out, errs := command(t, env, args...)
		if code != exitRefused || out != "" || errs != "groupcast: no server is running (looked in "+dir+")\n" {
			t.Errorf("%v: exit %d, %q, %q", args, code, out, errs)
		}
		code, out, errs = command(t, env, append(args, "--control", stale)...)
		if code != exitRefused || out != "" || errs != "groupcast: "+stale+": no server is running there\n" {
			t.Errorf("%v: exit %d, %q, %q", args, code, out, errs)
		}
	}
	if code, _, errs := command(t, []string{"GROUPCAST_CONTROL=none"}, "status"); code != exitRefused ||
		!strings.Contains(errs, `--control: wants the path`) {
		t.Errorf("exit %d, %q", code, errs)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	dir, env := place(t)
	p := launch(t, env, "start", "--listen=127.0.0.1:0", "--loops=2", "--close-timeout=100ms")
	address := p.ready()[0]
	if !strings.Contains(p.out.String(), "without HTTP API: --api none") {
		t.Errorf("the banner does not say that there is no API:\n%s", p.out)
	}
	if !strings.Contains(p.out.String(), "unix:"+dir) {
		t.Errorf("the banner does not say where the control socket is:\n%s", p.out)
	}
	if status := dial(t, address).upgrade(); status != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %d", status)
	}
	var s monitor.Status
	p.until("a session in the status", func() bool {
		line := must(t, env, "status", "--json")
		if strings.Count(line, "\n") != 1 {
			t.Fatalf("not one line: %q", line)
		}
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		return s.Total.Sessions == 1
	})
	if s.PID != p.cmd.Process.Pid || s.State != monitor.StateOK || len(s.Reactors) != 2 || s.Connections != 1 ||
		s.ResidentBytes == 0 {
		t.Errorf("%+v", s)
	}
	text := must(t, env, "status")
	for _, want := range []string{
		"GROUPCAST STATUS", "pid: " + strconv.Itoa(s.PID), "state: ok", "connections: 1 of",
		address, dir,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Errorf("colour where no terminal is: %q", text)
	}
	// -d into a pipe: one after the other, until Ctrl+C.
	for _, args := range [][]string{{"status", "-d"}, {"status", "-d", "--json"}} {
		live := launch(t, env, args...)
		live.until("two of them", func() bool { return strings.Count(live.out.String(), strconv.Itoa(s.PID)) >= 2 })
		live.signal(syscall.SIGINT)
		if code := live.exit(); code != exitStopped || live.err.String() != "" ||
			strings.Contains(live.out.String(), "\x1b") {
			t.Errorf("%v: exit %d, %q", args, code, live.err)
		}
	}
	must(t, env, "reload")
	p.until("the reload is among what has happened", func() bool {
		text := must(t, env, "status")
		return strings.Contains(text, "WHAT HAS HAPPENED") && strings.Contains(text, "settings reloaded")
	})
	// And until the server has gone.
	live := launch(t, env, "status", "-d")
	live.until("one of them", func() bool { return strings.Contains(live.out.String(), "state: ok") })
	must(t, env, "stop")
	if code := live.exit(); code != exitRefused || !strings.Contains(live.line(), control.ErrGone.Error()) {
		t.Errorf("exit %d", code)
	}
}

func TestConnections(t *testing.T) {
	t.Parallel()
	_, env := place(t)
	p := launch(t, env, "start", "--listen=127.0.0.1:0", "--loops=2")
	address := p.ready()[0]
	const n = 1100 // more than a page
	clients := make([]*raw, n)
	for i := range clients {
		clients[i] = dial(t, address)
		if status := clients[i].upgrade(); status != http.StatusSwitchingProtocols {
			t.Fatalf("upgrade: %d", status)
		}
	}
	ids := make(map[string]bool)
	for line := range strings.Lines(must(t, env, "connections", "--json")) {
		var s struct{ ID, Remote string }
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		ids[s.ID] = true
	}
	if len(ids) != n {
		t.Errorf("%d sessions, want %d", len(ids), n)
	}
	text := must(t, env, "connections")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) != n+1 || !strings.HasPrefix(lines[0], "id") ||
		!strings.Contains(text, clients[0].conn.LocalAddr().String()) {
		t.Errorf("%d lines, the first %q", len(lines), lines[0])
	}
	for _, limit := range []int{1, 7, 1000, 1001, 5000} {
		if got := strings.Count(must(t, env, "connections", "--json", "--limit", strconv.Itoa(limit)),
			"\n"); got != min(limit, n) {
			t.Errorf("--limit %d: %d", limit, got)
		}
	}
}

// php is a connection to the Channel server.
func php(t *testing.T, address string, bodies ...string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	for _, body := range bodies {
		if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// TestChannel: the Channel server's connections and queues are listed, and a queue is emptied.
func TestChannel(t *testing.T) {
	t.Parallel()
	_, env := place(t)
	p := launch(t, env, "start", "--listen=127.0.0.1:0", "--loops=1", "--channel=127.0.0.1:0")
	p.ready()
	var s monitor.Status
	if err := json.Unmarshal([]byte(must(t, env, "status", "--json")), &s); err != nil {
		t.Fatal(err)
	}
	address := ""
	for _, l := range s.Listeners {
		if l.Kind == monitor.KindChannel {
			address = l.Address
		}
	}
	if text := must(t, env, "queues"); strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "queue") {
		t.Errorf("no queues:\n%s", text)
	}
	first := php(t, address, `a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";a:2:{i:0;s:1:"a";i:1;s:1:"b";}}`)
	second := php(t, address,
		`a:3:{s:4:"type";s:7:"enqueue";s:8:"channels";a:2:{i:0;s:4:"mail";i:1;s:2:"`+"\x1b["+`";}s:4:"data";i:1;}`)
	p.until("both queues", func() bool { return strings.Count(must(t, env, "queues", "--json"), `"messages":1`) == 2 })
	if text := must(t, env, "queues"); !strings.Contains(text, "mail") || !strings.Contains(text, `\x1b[`) ||
		strings.Contains(text, "\x1b") {
		t.Errorf("got\n%q", text)
	}
	if text := must(t, env, "queues", "--limit=1"); !strings.HasSuffix(text, "and 1 more (--limit)\n") {
		t.Errorf("got\n%s", text)
	}
	p.until("both connections", func() bool {
		text := must(t, env, "connections")
		return strings.Contains(text, first.LocalAddr().String()+"  -            2") &&
			strings.Contains(text, second.LocalAddr().String()+"  -            0")
	})
	if text := must(t, env, "connections", "--json"); strings.Count(text, `"kind":"channel"`) != 2 {
		t.Errorf("got\n%s", text)
	}
	if text := must(t, env, "connections", "--json", "--limit=1"); strings.Count(text, "\n") != 1 {
		t.Errorf("got\n%s", text)
	}
	if text := must(t, env, "queues", "--purge", "mail"); text != "mail: 1 message thrown away\n" {
		t.Errorf("%q", text)
	}
	if code, _, errs := command(t, env, "queues", "--purge", "mail"); code != exitRefused ||
		errs != "groupcast: there is no queue \"mail\"\n" {
		t.Errorf("exit %d, %q", code, errs)
	}
}

// TestQueuesWithoutChannel says why there are none.
func TestQueuesWithoutChannel(t *testing.T) {
	t.Parallel()
	_, env := place(t)
	launch(t, env, "start", "--listen=127.0.0.1:0", "--loops=1").ready()
	if code, _, errs := command(t, env, "queues"); code != exitRefused ||
		errs != "groupcast: this server has no Channel server (--channel)\n" {
		t.Errorf("exit %d, %q", code, errs)
	}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	_, env := place(t)
	p := launch(t, env, "start", "--listen=127.0.0.1:0", "--max-message=1KiB")
	member := dial(t, p.ready()[0])
	if status := member.upgrade(); status != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %d", status)
	}
	member.join(t, "room/1")
	for i, c := range []struct {
		args  []string
		stdin string
		want  string
	}{
		{[]string{"publish", "room/1", "hello"}, "", "hello"},
		{[]string{"publish", "room/1", "-"}, "from a\npipe\n", "from a\npipe\n"},
		{[]string{"publish", "room/1", "--", "--dashes"}, "", "--dashes"},
		{[]string{"publish", "room/1", `{"a":1}`}, "", `{"a":1}`},
	} {
		p := launchWith(t, env, strings.NewReader(c.stdin), c.args...)
		if code := p.exit(); code != exitStopped || p.out.String() != fmt.Sprintln(i+1) {
			t.Errorf("%v: exit %d, %q, %q", c.args, code, p.out, p.err)
		}
		if got := member.message(t); got != c.want {
			t.Errorf("%v: got %q", c.args, got)
		}
	}
	for want, args := range map[string][]string{
		"groupcast: the message is over the server's limit of 1024 bytes (--max-message)\n": {
			"publish", "g",
			strings.Repeat("x", 1025),
		},
		"groupcast: message is not UTF-8\n": {"publish", "g", "\xff"},
		"groupcast: GROUP: wants at most 256 bytes (--max-group-name), got 257\n": {
			"publish",
			strings.Repeat("g", 257), "m",
		},
		"groupcast: GROUP: wants a name, got an empty one\n": {"publish", "", "m"},
		"groupcast: GROUP: wants UTF-8, got \"\\xff\"\n":     {"publish", "\xff", "m"},
		"groupcast: --limit: wants 0 or more, got -1\n":      {"connections", "--limit=-1"},
		"groupcast: --timeout: wants 0s or more, got -1s\n":  {"stop", "--timeout=-1s"},
		"groupcast: --timeout: wants 0s or more, got -2s\n":  {"restart", "--timeout=-2s"},
	} {
		if code, out, errs := command(t, env, args...); code != exitRefused || out != "" || errs != want {
			t.Errorf("exit %d, %q, %q", code, out, errs)
		}
	}
	endless := launchWith(t, env, endlessReader{}, "publish", "g", "-")
	if code := endless.exit(); code != exitRefused || !strings.Contains(endless.line(), "over the server's limit") {
		t.Errorf("endless input: exit %d", code)
	}
}

// A user is published to by name, with and without a group.
func TestPublishToUsers(t *testing.T) {
	t.Parallel()
	dir, env := place(t)
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("0123456789abcdef0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, env, "start", "--listen=127.0.0.1:0", "--token-key-file="+secret)
	code, text, errs := command(t, env, "token", "--token-key-file="+secret, "--sub=7", "--groups=g")
	if code != exitStopped {
		t.Fatal(errs)
	}
	member := dial(t, p.ready()[0])
	request := strings.Replace(upgradeRequest, "GET /", "GET /?token="+strings.TrimSpace(text), 1)
	if _, err := member.conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	if status := member.status(); status != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %d", status)
	}
	for _, c := range []struct {
		args  []string
		order string
		want  string
	}{
		{[]string{"publish", "--user=7", "hello"}, "1\n", "hello"},
		{[]string{"publish", "--user", "8", "--user", "7", "g", "to both"}, "3\n", "to both"},
		{[]string{"publish", "--user=7", ""}, "4\n", ""},
		{[]string{"publish", "--user=8", "g", "to the group"}, "6\n", "to the group"},
		{[]string{"publish", "--user=8", "not to 7"}, "7\n", ""},
		{[]string{"publish", "g", "last"}, "8\n", "last"},
	} {
		if code, out, errs := command(t, env, c.args...); code != exitStopped || out != c.order {
			t.Errorf("%v: exit %d, %q, %q", c.args, code, out, errs)
		}
		if c.args[len(c.args)-1] == "not to 7" {
			continue
		}
		if got := member.message(t); got != c.want {
			t.Errorf("%v: got %q", c.args, got)
		}
	}
	for want, args := range map[string][]string{
		"publish: wants GROUP MESSAGE, or --user USER MESSAGE, got one argument": {"publish", "g"},
		"publish: wants GROUP MESSAGE, or --user USER MESSAGE, got none":         {"publish"},
		"publish: wants --user USER MESSAGE, got no message":                     {"publish", "--user=7"},
		`--user: wants UTF-8, 1 to 256 bytes, got ""`:                            {"publish", "--user=", "m"},
		`--user: wants UTF-8, 1 to 256 bytes, got "\xff"`:                        {"publish", "--user=\xff", "m"},
		"message is not UTF-8":                  {"publish", "--user=7", "\xff"},
		"GROUP: wants a name, got an empty one": {"publish", "--user=7", "", "m"},
	} {
		if code, out, errs := command(t, env, args...); code != exitRefused || out != "" ||
			errs != "groupcast: "+want+"\n" {
			t.Errorf("exit %d, %q, %q", code, out, errs)
		}
	}
}

type endlessReader struct{}

func (endlessReader) Read(b []byte) (int, error) {
	return copy(b, bytes.Repeat([]byte("x"), len(b))), nil
}

// Several servers on one machine: each has its own socket, and a command must be
// told which one is meant.
func TestSeveralServers(t *testing.T) {
	t.Parallel()
	dir, env := place(t)
	first := launch(t, env, "start", "--listen=127.0.0.1:0")
	a := first.ready()[0]
	second := launch(t, env, "start", "--listen=127.0.0.1:0")
	b := second.ready()[0]
	socket := func(address string) string { return filepath.Join(dir, strings.ReplaceAll(address, ":", "_")+".sock") }
	for _, args := range clientCommands {
		code, out, errs := command(t, env, args...)
		lines := strings.Split(strings.TrimSpace(errs), "\n")
		if code != exitRefused || out != "" || len(lines) != 3 ||
			!strings.HasPrefix(lines[0], "groupcast: several servers are running") {
			t.Errorf("%v: exit %d, %q, %q", args, code, out, errs)
			continue
		}
		for p, address := range map[*process]string{first: a, second: b} {
			want := fmt.Sprintf("--control %s (pid %d, %s)", socket(address), p.cmd.Process.Pid, address)
			if !strings.Contains(errs, want) {
				t.Errorf("%q is missing in %q", want, errs)
			}
		}
	}
	must(t, env, "stop", "--control", socket(b))
	if code := second.exit(); code != exitStopped {
		t.Errorf("exit %d", code)
	}
	must(t, env, "status") // one is left
	// The same listener again: that is the error, and the first runs on.
	third := launch(t, env, "start", "--listen="+a)
	if code := third.exit(); code != exitRefused || !strings.Contains(third.line(),
		fmt.Sprintf("listen on %s: address already in use: pid %d (", a, first.cmd.Process.Pid)) {
		t.Errorf("exit %d", code)
	}
	must(t, env, "status")
	// The same control socket, with other listeners.
	fourth := launch(t, env, "start", "--listen=127.0.0.1:0", "--control", socket(a))
	if code := fourth.exit(); code != exitRefused || !strings.Contains(fourth.line(),
		"control socket: listen on unix:"+socket(a)+": address already in use") {
		t.Errorf("exit %d", code)
	}
	// Killed: what it leaves is in nobody's way.
	first.signal(syscall.SIGKILL)
	first.exit()
	again := launch(t, env, "start", "--listen="+a)
	again.ready()
	must(t, env, "stop")
	if code := again.exit(); code != exitStopped {
		t.Errorf("exit %d", code)
	}
}

// A server that is stopped dead (SIGSTOP) is not taken for none.
func TestServerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	_, env := place(t)
	p := launch(t, env, "start", "--listen=127.0.0.1:0")
	p.ready()
	p.signal(syscall.SIGSTOP)
	code, _, errs := command(t, env, "status")
	p.signal(syscall.SIGCONT)
	if code != exitRefused || !strings.Contains(errs, "the server does not answer") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	dir, env := place(t)
	p := launch(t, env, "start", "--listen=127.0.0.1:0")
	p.ready()
	if out := must(t, env, "stop"); !strings.HasPrefix(out, fmt.Sprintf("Stopped: pid %d, in ", p.cmd.Process.Pid)) {
		t.Errorf("got %q", out)
	}
	if code := p.exit(); code != exitStopped {
		t.Errorf("exit %d", code)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if !strings.Contains(p.err.String(), `asked="control socket"`) {
		t.Errorf("the log: %s", p.err)
	}
}

// -g waits for the sessions; a plain stop meanwhile ends the waiting.
func TestStopGracefully(t *testing.T) {
	t.Parallel()
	_, env := place(t)
	p := launch(t, env, "start", "--listen=127.0.0.1:0", "--drain=5s", "--close-timeout=1s")
	address := p.ready()[0]
	staying := dial(t, address)
	if status := staying.upgrade(); status != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %d", status)
	}
	if code, _, errs := command(t, env, "stop", "-g", "--timeout=50ms"); code != exitRefused ||
		!strings.Contains(errs, "was told to stop, and is still there after 50ms") {
		t.Errorf("exit %d, %q", code, errs)
	}
	if err := staying.ping("still served"); err != nil {
		t.Error(err)
	}
	p.until("shut doors", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	waiting := launch(t, env, "stop", "-g")
	p.until("the status to say so", func() bool { return strings.Contains(must(t, env, "status"), "state: draining") })
	must(t, env, "publish", "g", "publishing goes on")
	_ = staying.conn.Close()
	if code := waiting.exit(); code != exitStopped {
		t.Errorf("exit %d, %q", code, waiting.err)
	}
	if code := p.exit(); code != exitStopped {
		t.Errorf("exit %d", code)
	}

	// Out of patience.
	p = launch(t, env, "start", "--listen=127.0.0.1:0", "--drain=200ms")
	staying = dial(t, p.ready()[0])
	if status := staying.upgrade(); status != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %d", status)
	}
	waiting = launch(t, env, "stop", "-g")
	p.until("the wait", func() bool { return strings.Contains(p.err.String(), "graceful=true") })
	must(t, env, "stop")
	if code := waiting.exit(); code != exitStopped {
		t.Errorf("exit %d, %q", code, waiting.err)
	}
	if code := p.exit(); code != exitStopped || !strings.Contains(p.err.String(), "not waiting any longer") {
		t.Errorf("exit %d", code)
	}
}

// A restart in the foreground: the sessions are told to come back, and the new
// server has the old one's arguments, environment and directory.
func TestRestartInTheForeground(t *testing.T) {
	t.Parallel()
	dir, env := place(t)
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	old := launchIn(t, work, append(env, "GROUPCAST_MAX_GROUPS=77"), "start", "--listen=127.0.0.1:"+port,
		"--listen=unix:here", "--config=c.yaml")
	old.exit() // no such file
	if err := os.WriteFile(filepath.Join(work, "c.yaml"), []byte("drain: 3s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	old = launchIn(t, work, append(env, "GROUPCAST_MAX_GROUPS=77"), "start", "--listen=127.0.0.1:"+port,
		"--listen=unix:here", "--config=c.yaml")
	old.ready()
	session := dial(t, "127.0.0.1:"+port)
	if status := session.upgrade(); status != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %d", status)
	}
	// What could not start again is not stopped.
	if err := os.WriteFile(filepath.Join(work, "c.yaml"), []byte("drain: 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := command(t, env, "restart")
	if code != exitRefused || out != "" || !strings.Contains(errs, "groupcast: --drain (c.yaml:1): wants a time") ||
		!strings.Contains(errs, "groupcast: not restarted") {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
	if err := session.ping("1"); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(work, "c.yaml"), []byte("drain: 4s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	closed := make(chan string, 1)
	go func() {
		close := session.closing()
		_ = session.conn.Close()
		closed <- close
	}()
	next := launch(t, env, "restart")
	addresses := next.ready()
	if code := old.exit(); code != exitStopped {
		t.Errorf("the old one: exit %d", code)
	}
	if got := <-closed; got != "1012" {
		t.Errorf("closed with %s", got)
	}
	if len(addresses) != 2 || addresses[0] != "127.0.0.1:"+port || addresses[1] != "unix:here" {
		t.Errorf("addresses %v", addresses)
	}
	if _, err := os.Stat(filepath.Join(work, "here")); err != nil {
		t.Errorf("in another directory: %v", err)
	}
	info := control.NewClient(control.Discover(t.Context(), []string{dir})[0].Path)
	defer info.Close()
	if command, err := info.Command(t.Context()); err != nil ||
		!strings.Contains(strings.Join(command.Env, "\n"), "GROUPCAST_MAX_GROUPS=77") || command.Dir != work {
		t.Errorf("%+v, %v", command, err)
	}
	if told, err := info.Info(t.Context()); err != nil || told.DrainSeconds != 4 || told.PID != next.cmd.Process.Pid {
		t.Errorf("%+v, %v", told, err)
	}
	next.signal(syscall.SIGTERM)
	if code := next.exit(); code != exitStopped {
		t.Errorf("exit %d", code)
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	dir, env := place(t)
	config := filepath.Join(dir, "c.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("max-message: 2KiB\n")
	log := filepath.Join(dir, "log")
	p := launch(t, env, "start", "--listen=127.0.0.1:0", "--config", config, "--max-groups=5", "--log-file", log)
	p.ready()
	if out := must(t, env, "reload", "-g"); out != "Reloaded: no setting has changed.\n" {
		t.Errorf("got %q", out)
	}
	write("max-message: 1KiB\nmax-groups: 9\nring-slots: 2048\nlog-level: debug\n")
	want := "Reloaded. In force now:\n  --max-message from 2KiB to 1KiB\n  --log-level from info to debug\n" +
		"As before, until a restart:\n  --ring-slots from 1024 to 2048: it is a size that is built in at the start\n"
	if out := must(t, env, "reload"); out != want { // --max-groups was a flag, which beats the file
		t.Errorf("got %q", out)
	}
	if code, _, errs := command(t, env, "publish", "g", strings.Repeat("x", 1025)); code != exitRefused ||
		!strings.Contains(errs, "1024 bytes") {
		t.Errorf("the new limit is not in force: exit %d, %q", code, errs)
	}
	write("max-message: 1KB\nnonsense: 1\n")
	code, out, errs := command(t, env, "reload")
	if code != exitRefused || out != "" || !strings.HasPrefix(errs, "groupcast: "+config+":") ||
		!strings.HasSuffix(errs, "groupcast: nothing was changed\n") {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
	// SIGHUP does the same; so does logrotate, with the log moved away before.
	write("max-message: 3KiB\nring-slots: 2048\n")
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGHUP)
	p.until("the reload in the new log", func() bool {
		text, err := os.ReadFile(log)
		return err == nil && bytes.Contains(text, []byte("--max-message --log-level"))
	})
	var done control.Reloaded
	if err := json.Unmarshal([]byte(must(t, env, "reload", "--json")), &done); err != nil || len(done.Changed) != 0 ||
		len(done.NeedRestart) != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	write("max-message: [\n")
	p.signal(syscall.SIGHUP)
	p.until("the refusal in the log", func() bool {
		text, err := os.ReadFile(log)
		return err == nil && bytes.Contains(text, []byte("not reloaded"))
	})
	must(t, env, "stop")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	_, env := place(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if out := must(t, env, "start", "--check", "-d", "--listen=127.0.0.1:0", "--listen",
		taken.Addr().String()); out != "The settings are valid.\n" {
		t.Errorf("got %q", out)
	}
	if code, _, errs := command(t, env, "start", "--check", "--loops=300"); code != exitRefused ||
		!strings.Contains(errs, "--loops") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

// The control socket and its directory are the user's own.
func TestControlIsPrivate(t *testing.T) {
	t.Parallel()
	dir, env := place(t)
	p := launch(t, env, "start", "--listen=127.0.0.1:0")
	p.ready()
	found := control.Discover(t.Context(), []string{dir})
	if len(found) != 1 {
		t.Fatalf("found %+v", found)
	}
	if info, err := os.Stat(found[0].Path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
