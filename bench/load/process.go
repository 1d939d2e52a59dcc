package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a server that this program has started, and will end.
type process struct {
	pid   int
	addr  string
	ended chan struct{} // closed when it has exited
	words *lastWords
	how   error // of its end; valid once ended is closed
}

// startServer runs the command by the shell, with {port} replaced by a free one, pinned from its first moment on, and
// returns when it accepts connections.
func startServer(command string, cpus *unix.CPUSet) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if !strings.Contains(command, "{port}") {
		return nil, errors.New("the server's command must say {port} where its port belongs")
	}
	p := &process{addr: "127.0.0.1:" + strconv.Itoa(port), ended: make(chan struct{}), words: &lastWords{}}
	cmd := exec.Command("/bin/sh", "-c", "exec "+strings.ReplaceAll(command, "{port}", strconv.Itoa(port)))
	cmd.Stdout, cmd.Stderr = p.words, p.words
	cmd.WaitDelay = time.Second
	// A group of its own, so that Ctrl-C reaches this program only; and it dies with us, come what may.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	started := make(chan error)
	go func() { // the thread that started it must live as long (Pdeathsig), and its affinity is what the child inherits
		runtime.LockOSThread()
		if cpus != nil {
			if err := unix.SchedSetaffinity(0, cpus); err != nil {
				started <- fmt.Errorf("pin the server: %w", err)
				return
			}
		}
		if err := cmd.Start(); err != nil {
			started <- fmt.Errorf("start the server: %w", err)
			return
		}
		started <- nil
		p.how = cmd.Wait()
		close(p.ended)
	}() // not unlocked: the thread, pinned elsewhere, ends with the goroutine
	if err := <-started; err != nil {
		return nil, err
	}
	p.pid = cmd.Process.Pid
	if err := p.awaitListening(10 * time.Second); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// freePort finds one below the range that connections are given theirs from.
func freePort() (int, error) {
	for range 100 {
		port := 20000 + rand.IntN(10000)
		ln, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			return port, ln.Close()
		}
	}
	return 0, errors.New("no free port found")
}

func (p *process) awaitListening(patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; {
		c, err := net.DialTimeout("tcp", p.addr, time.Second)
		if err == nil {
			return c.Close()
		}
		if p.gone() {
			return p.obituary()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the server does not listen on %s after %v%s", p.addr, patience, p.words.quoted())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *process) obituary() error {
	how := "with success"
	if p.how != nil {
		how = p.how.Error()
	}
	return fmt.Errorf("the server has ended (%s)%s", how, p.words.quoted())
}

// stop ends it: SIGTERM, and after five seconds SIGKILL to all of its group.
func (p *process) stop() {
	if p.gone() {
		return
	}
	_ = syscall.Kill(p.pid, syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
		<-p.ended
	}
}

// lastWords keeps the end of what a server prints: it is wanted only if the server fails.
type lastWords struct {
	mu sync.Mutex
	b  []byte
}

const lastWordsBytes = 2048

func (w *lastWords) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b = append(w.b, b...)
	if n := len(w.b); n > lastWordsBytes {
		w.b = append(w.b[:0], w.b[n-lastWordsBytes:]...)
	}
	return len(b), nil
}

func (w *lastWords) quoted() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := strings.TrimSpace(string(w.b))
	if text == "" {
		return ""
	}
	return "; it said:\n" + text
}
