package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"groupcast/loop/leak"
	"groupcast/loop/wait"
)

// asProgram makes the test binary be groupcast: the tests run it as a process
// of its own, with the race detector if they have it themselves.
const asProgram = "BE_GROUPCAST"

// TestMain checks that the tests leave no goroutine and no descriptor behind.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	// The tests wait for processes, and for what those do every second, far longer
	// than they compute. A -parallel on the command line still counts.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(leak.Main(m))
}

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

// process is a groupcast that a test has started.
// Owner: the test; out and err may be read at any time.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err *buffer
	exited   chan struct{}
}

// buffer collects output while it is being written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// launch starts groupcast with args; env is added to an environment without
// any setting of groupcast's.
func launch(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return launchAs(t, env, os.Args[0], args...)
}

// launchWith gives it a standard input.
func launchWith(t *testing.T, env []string, stdin io.Reader, args ...string) *process {
	t.Helper()
	return launchChanged(t, env, os.Args[0], func(c *exec.Cmd) { c.Stdin = stdin }, args...)
}

// launchIn starts it in a directory.
func launchIn(t *testing.T, dir string, env []string, args ...string) *process {
	t.Helper()
	return launchChanged(t, env, os.Args[0], func(c *exec.Cmd) { c.Dir = dir }, args...)
}

func launchAs(t *testing.T, env []string, program string, args ...string) *process {
	t.Helper()
	return launchChanged(t, env, program, func(*exec.Cmd) {}, args...)
}

func launchChanged(t *testing.T, env []string, program string, change func(*exec.Cmd), args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*patience)
	p := &process{
		t: t, cmd: exec.CommandContext(ctx, program, args...),
		out: new(buffer), err: new(buffer), exited: make(chan struct{}),
	}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.err
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, envPrefix+"_") {
			p.cmd.Env = append(p.cmd.Env, kv)
		}
	}
	// Nothing that two tests, or a test and this machine's own server, would meet at.
	p.cmd.Env = append(p.cmd.Env, asProgram+"=1", "GROUPCAST_API=none", "GROUPCAST_CONTROL=none")
	// The race detector lets every process wait for a second before it ends, in
	// case somebody still races; a race that it has seen is reported without that.
	p.cmd.Env = append(p.cmd.Env, strings.TrimSpace("GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0"))
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.WaitDelay = 10 * time.Second // whoever has inherited an output must not keep the test from its end
	change(p.cmd)
	if err := p.cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // its result is in ProcessState
		cancel()
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Logf("standard output:\n%s\nstandard error:\n%s", p.out, p.err)
		}
	})
	return p
}

// ready waits for the banner and returns the WebSocket addresses in its table.
func (p *process) ready() []string {
	p.t.Helper()
	p.until("the banner", func() bool { return strings.Contains(p.out.String(), "Start success.") })
	var addresses []string
	lines := bufio.NewScanner(strings.NewReader(p.out.String()))
	for lines.Scan() {
		if words := strings.Fields(lines.Text()); len(words) == 6 && words[0] == "websocket" && words[5] == "[OK]" {
			addresses = append(addresses, words[1])
		}
	}
	return addresses
}

// until waits for what; an end of the process before that is a failure.
func (p *process) until(what string, done func() bool) {
	p.t.Helper()
	if eventually(p.t, what, p.exited, done) {
		return
	}
	p.t.Fatalf("exit %d instead of %s", p.cmd.ProcessState.ExitCode(), what)
}

// eventually waits until done, or, with false, until the end of something else.
func eventually(t *testing.T, what string, end <-chan struct{}, done func() bool) bool {
	t.Helper()
	ended := false
	wait.Until(t, what, func() bool {
		select {
		case <-end:
			ended = true
		default:
		}
		return ended || done()
	})
	return !ended || done()
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits for the end and returns its code; a death by a signal is -1.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatal("it does not end")
		return 0
	}
}

// line is standard error, which must be exactly one line.
func (p *process) line() string {
	p.t.Helper()
	text := p.err.String()
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		p.t.Errorf("want exactly one line on standard error, got %q", text)
	}
	return strings.TrimSuffix(text, "\n")
}

// in runs parse within this process, for tests of settings only.
func in(t *testing.T, args ...string) (*cli, error) {
	t.Helper()
	var out, errs bytes.Buffer
	c, err := parse(args, &out, &errs)
	if errs.Len() > 0 {
		return c, fmt.Errorf("standard error: %s", errs.String())
	}
	return c, err
}
