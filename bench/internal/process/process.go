package process

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Command says what to start.
type Command struct {
	Name     string       // what errors call it, such as "the server"
	Args     []string     // the program and its arguments
	Env      []string     // NAME=VALUE, beside what this process has
	Log      string       // the file that it prints to, behind what is there; "" keeps PrintedBytes in memory
	Stdout   io.Writer    // where its standard output goes; nil: where its standard error does
	OnThread func() error // prepares the thread that starts it, whose CPUs and priority the program inherits
}

// Process is a program that was started here.
// Owner: the one who started it, and who stops it. All methods may be called from any goroutine.
type Process struct {
	name    string
	log     string
	cmd     *exec.Cmd
	printed tail
	done    chan struct{}
	exit    error // of its end; valid once done is closed
}

// drainTime is how long the pipe is read on behind a program's end, if one that it has started holds it open.
const drainTime = time.Second

// Start starts a program. It has to be ended by Stop or Kill, unless it ends by itself.
func Start(c Command) (*Process, error) {
	p := &Process{name: c.Name, log: c.Log, done: make(chan struct{})}
	var output io.Writer = &p.printed
	if c.Log != "" {
		file, err := os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", c.Name, err)
		}
		defer file.Close()
		output = file
	}
	p.cmd = exec.Command(c.Args[0], c.Args[1:]...)
	p.cmd.Env = append(os.Environ(), c.Env...)
	p.cmd.Stdout, p.cmd.Stderr = cmp.Or(c.Stdout, output), output
	p.cmd.WaitDelay = drainTime
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go p.run(c.OnThread, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	return p, nil
}

// run has a thread of its own, which lives as long as the program: the kernel sends the Pdeathsig when that thread
// ends, not when the process does; see prctl(2). It is not unlocked, so that it ends with the goroutine, and no other
// one gets a thread that prepare has changed.
func (p *Process) run(prepare func() error, started chan<- error) {
	runtime.LockOSThread()
	var err error
	if prepare != nil {
		err = prepare()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	started <- err
	if err != nil {
		return
	}
	p.exit = p.cmd.Wait()
	close(p.done)
}

// Name is what errors call it.
func (p *Process) Name() string { return p.name }

// PID is its id, which is its process group's as well.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done returns a channel that is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Alive reports whether the program has not ended.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Wait returns when the program has ended: nil if its exit status is 0.
func (p *Process) Wait() error {
	<-p.done
	return p.exit
}

// Err is nil while the program runs. Behind its end it says how it ended and what it printed, with success too: a
// server that ends by itself is missed.
func (p *Process) Err() error {
	if p.Alive() {
		return nil
	}
	if p.exit == nil {
		return fmt.Errorf("%s has ended (with success)%s", p.name, p.quoted())
	}
	return fmt.Errorf("%s has ended (%w)%s", p.name, p.exit, p.quoted())
}

// Signal sends one to the program alone, if it has not ended.
func (p *Process) Signal(s syscall.Signal) {
	_ = p.cmd.Process.Signal(s) // one that has ended needs none
}

// Kill ends the program as a crash does, and with it what it has started and left in its process group.
func (p *Process) Kill() {
	if p.Alive() {
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
		p.Signal(syscall.SIGKILL) // it may have left its group
	}
	<-p.done
}

// Stop has the program end, also one that SIGSTOP has stopped, and kills it if that takes longer than grace. It reports
// whether the program ended by itself.
func (p *Process) Stop(grace time.Duration) bool {
	p.Signal(syscall.SIGCONT)
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return true
	case <-time.After(grace):
		p.Kill()
		return false
	}
}
