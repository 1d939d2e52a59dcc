package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// patience is how long a process may take to start or to end, and a request to be answered.
const patience = 15 * time.Second

// process is a program that this one has started; it dies with it.
type process struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // valid once ended is closed
	log   string
}

// startProcess runs a program in a process group of its own; what it says goes behind what is in its log already.
func startProcess(dir, name string, args []string) (*process, error) {
	p := &process{name: name, ended: make(chan struct{}), log: filepath.Join(dir, name+".log")}
	said, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer said.Close()
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = said, said
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() { // the thread that started it must live as long: see prctl(2), PR_SET_PDEATHSIG
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// signal sends one, to a process that has not ended.
func (p *process) signal(s syscall.Signal) {
	if p.alive() {
		_ = p.cmd.Process.Signal(s)
	}
}

// kill ends it at once.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// stop has it end by itself, and reports whether it did.
func (p *process) stop() bool {
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return true
	case <-time.After(patience):
		p.kill()
		return false
	}
}

// said is the end of its log.
func (p *process) said() string {
	text, _ := os.ReadFile(p.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}

// await returns once is does.
func await(ctx context.Context, what string, within time.Duration, is func() bool) error {
	for deadline := time.Now().Add(within); !is(); time.Sleep(5 * time.Millisecond) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %v: %s", within, what)
		}
	}
	return nil
}

// accepts reports whether a NATS server greets who connects.
func accepts(address string) bool {
	conn, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	var b [4]byte
	_, err = conn.Read(b[:])
	return err == nil && string(b[:]) == "INFO"
}

// freePorts finds n ports below the range that connections are given theirs from.
func freePorts(n int) ([]int, error) {
	var found []int
	for port := 20000 + os.Getpid()%5000; port < 32000; port++ {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer listener.Close() // all at the end, so that none is found twice
		if found = append(found, port); len(found) == n {
			return found, nil
		}
	}
	return nil, errors.New("no free ports found")
}
