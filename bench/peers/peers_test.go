// Package peers_test starts every peer that is there, the way a comparison does, and speaks with it.
package peers_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const patience = 30 * time.Second

// bin is where the peers in Go are, all built at once: one after the other would
// compile what they share several times.
var bin string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "peers"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	if out, err := exec.Command("go", "build", "-o", bin, "./cmd/...").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func TestPeers(t *testing.T) {
	for _, name := range []string{"gws", "gorilla", "coder", "centrifuge"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			speak(t, start(t, filepath.Join(bin, name), "-addr", "127.0.0.1:0"))
		})
	}
	t.Run("ws", func(t *testing.T) {
		t.Parallel()
		need(t, "node")
		if _, err := os.Stat("node/node_modules/ws"); err != nil {
			t.Skip("not installed: npm ci, in node/")
		}
		speak(t, start(t, "node", "node/ws.js", "--addr=127.0.0.1:0"))
	})
	for name, flags := range map[string][]string{"workerman": nil, "workerman-channel": {"--workers=2", "--channel"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			need(t, "php")
			if os.Getenv("WORKERMAN") == "" {
				t.Skip("WORKERMAN is not set")
			}
			args := append([]string{"workerman/start.php", "start", "-q", "--addr=127.0.0.1:" + freePort(t)}, flags...)
			speak(t, start(t, "php", args...))
		})
	}
}

// TestOtherDialects: those that speak in their own way are joined, sent to, and heard.
func TestOtherDialects(t *testing.T) {
	t.Run("centrifuge-own", func(t *testing.T) {
		t.Parallel()
		addr := start(t, filepath.Join(bin, "centrifuge-own"), "-addr", "127.0.0.1:0") + "/connection/websocket"
		a, b := dial(t, addr), dial(t, addr)
		for _, c := range []*client{a, b} {
			c.say(`{"id":1,"connect":{}}`)
			c.hearPart(`"connect":`)
			c.say(`{"id":2,"subscribe":{"channel":"g"}}`)
			c.hearPart(`"subscribe":`)
		}
		a.say(`{"id":3,"publish":{"channel":"g","data":"hello"}}`)
		b.hearPart(`"pub":{"data":"hello"`)
	})
	t.Run("socket.io", func(t *testing.T) {
		t.Parallel()
		need(t, "node")
		if _, err := os.Stat("node/node_modules/socket.io"); err != nil {
			t.Skip("not installed: npm ci, in node/")
		}
		addr := start(t, "node", "node/socketio.js", "--addr=127.0.0.1:0") + "/socket.io/?EIO=4&transport=websocket"
		a, b := dial(t, addr), dial(t, addr)
		for _, c := range []*client{a, b} {
			c.hearPart(`0{"sid":`)
			c.say("40")
			c.hearPart("40{")
			c.say(`420["join","g"]`)
			c.hear("430[]")
		}
		a.say(`42["send","g","hello"]`)
		b.hear(`42["m","hello"]`)
	})
	t.Run("nchan", func(t *testing.T) {
		t.Parallel()
		need(t, "nginx")
		if _, err := os.Stat("/usr/lib/nginx/modules/ngx_nchan_module.so"); err != nil {
			t.Skip("nginx has no module Nchan (Debian: libnginx-mod-nchan)")
		}
		port := freePort(t)
		cmd := exec.Command("sh", "nchan/start.sh", port)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
			_ = cmd.Wait()
		})
		addr := "127.0.0.1:" + port
		for deadline := time.Now().Add(patience); ; <-time.After(20 * time.Millisecond) {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				_ = c.Close()
				break
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
		a, b := dial(t, addr+"/pubsub/g"), dial(t, addr+"/pubsub/g")
		heard := make(chan string, 1)
		go func() { heard <- b.listen() }()
		for deadline := time.Now().Add(patience); ; { // nobody says when the subscription is there
			a.say("hello")
			select {
			case got := <-heard:
				if got != "hello" {
					t.Errorf("got %q", got)
				}
				return
			case <-time.After(200 * time.Millisecond):
			}
			if time.Now().After(deadline) {
				t.Fatal("nothing is heard")
			}
		}
	})
}

// hearPart wants part in the next thing that is said and is no ping.
func (c *client) hearPart(part string) {
	c.t.Helper()
	got := c.listen()
	for got == "{}" || got == "2" {
		got = c.listen()
	}
	if !strings.Contains(got, part) {
		c.t.Fatalf("got %.200q, want %.200q in it", got, part)
	}
}

// speak is a peer's whole life on the wire: join, send, receive, leave, close.
func speak(t *testing.T, addr string) {
	t.Helper()
	a, b, stranger := dial(t, addr), dial(t, addr), dial(t, addr)
	for _, c := range []*client{a, b} {
		c.say(`{"cmd":"add_group","group_id":"g","req_id":7}`)
		c.hear(`{"cmd":"ack","req_id":7}`)
	}
	stranger.say(`{"cmd":"add_group","group_id":"other","req_id":1}`)
	stranger.hear(`{"cmd":"ack","req_id":1}`)

	a.say(`{"cmd":"add_group","group_id":"g","req_id":8}`) // twice is once
	a.hear(`{"cmd":"ack","req_id":8}`)
	for i := range 100 { // in order, the sender's own too, whatever the sizes
		size := i * i
		a.say(`{"cmd":"send_to_group","group_id":"g","message":"%d %s"}`, i, strings.Repeat("x", size))
		want := fmt.Sprintf("%d %s", i, strings.Repeat("x", size))
		a.hear(want)
		b.hear(want)
	}
	a.say(`{"cmd":"send_to_group","group_id":"g","message":"\"gr\u00fc\u00df\" \n"}`)
	b.hear("\"grüß\" \n")
	a.say(`{"cmd":"send_to_group","group_id":"g","message":{"a":[1,"x"]}}`)
	b.hear(`{"a":[1,"x"]}`)

	b.say(`{"cmd":"leave_group","group_id":"g","req_id":9}`)
	b.hear(`{"cmd":"ack","req_id":9}`)
	b.say(`{"cmd":"add_group","group_id":"g","req_id":10}`)
	b.hear(`{"cmd":"ack","req_id":10}`)

	// The closed one is gone, and whoever comes after it gets one copy.
	if err := a.ws.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("close: %v", err)
	}
	c := dial(t, addr)
	c.say(`{"cmd":"add_group","group_id":"g","req_id":11}`)
	c.hear(`{"cmd":"ack","req_id":11}`)
	stranger.say(`{"cmd":"send_to_group","group_id":"g","message":"from outside"}`)
	stranger.say(`{"cmd":"send_to_group","group_id":"g","message":"and again"}`)
	for _, member := range []*client{b, c} {
		member.hear("from outside")
		member.hear("and again")
	}
	stranger.say(`{"cmd":"send_to_group","group_id":"other","message":"mine"}`)
	stranger.hear("mine") // and nothing of g before it

	stranger.say(`not JSON`)
	if said := stranger.listen(); !strings.HasPrefix(said, `{"cmd":"error"`) {
		t.Errorf("a bad command is answered %q", said)
	}
}

// client is one connection, in the words of a test.
type client struct {
	t  *testing.T
	ws *websocket.Conn
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+addr, nil)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	return &client{t, ws}
}

func (c *client) say(format string, args ...any) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, format, args...)); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func (c *client) listen() string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	kind, b, err := c.ws.Read(ctx)
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	if kind != websocket.MessageText {
		c.t.Errorf("%q came as %v", b, kind)
	}
	return string(b)
}

func (c *client) hear(want string) {
	c.t.Helper()
	if got := c.listen(); got != want {
		c.t.Fatalf("got %.200q, want %.200q", got, want)
	}
}

func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skip(err)
	}
}

// start starts a server, returns the address it says, and ends it with the test.
func start(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stderr = t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	said := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if addr, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
				said <- addr
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		<-read
		_ = cmd.Wait()
	})
	select {
	case addr := <-said:
		return addr
	case <-read:
		t.Fatal("it has ended")
	case <-time.After(patience):
		t.Fatal("it does not listen")
	}
	return ""
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}
