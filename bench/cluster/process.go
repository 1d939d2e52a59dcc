package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a program that this one has started, and will end.
// Owner: the run.
type process struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{}
	said  said
}

// said is what a program has printed.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// quoted is the end of it.
func (s *said) quoted() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	const most = 2048
	text := s.text.String()
	return text[max(0, len(text)-most):]
}

// patience is how long anything may take that is no figure.
const patience = 60 * time.Second

// startProcess starts a program with that many CPUs for Go code at a time; 0 leaves that to the program.
func startProcess(name string, procs int, program string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	p.cmd.WaitDelay = time.Second
	if procs > 0 {
		p.cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(procs))
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() { // the thread that started it must live as long: see prctl(2), PR_SET_PDEATHSIG
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // what it says is looked at when it is missed
			close(p.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// awaitListening returns when the program accepts connections there.
func (p *process) awaitListening(address string) error {
	return p.await(func() error {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// await calls done until it returns nil.
func (p *process) await(done func() error) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := done()
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s has ended; it said: %s", p.name, p.said.quoted())
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: %w; it said: %s", p.name, err, p.said.quoted())
		}
	}
}

// stop ends it: SIGTERM, and SIGKILL if it takes longer.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		p.kill()
	}
}

// kill ends it as a crash does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// cpu is the CPU time of all of its threads, those that have ended too. The clock is named by the process's id, as
// clock_getcpuclockid(3) does it.
func (p *process) cpu() time.Duration {
	const schedulerClock = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|schedulerClock), &t); err != nil {
		return 0 // it has ended, which who speaks with it notices
	}
	return time.Duration(t.Nano())
}

// resident is its memory without pages of files, in bytes.
func (p *process) resident() int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// freeAddresses are below the range that connections are given their ports from.
func freeAddresses(n int) ([]string, error) {
	var found []string
	for range 1000 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(20000+rand.IntN(10000)))
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		defer listener.Close() // all at the end, so that none is found twice
		if found = append(found, address); len(found) == n {
			return found, nil
		}
	}
	return nil, errors.New("no free ports found")
}
