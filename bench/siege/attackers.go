package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// attacker is the process of one attack.
// Owner: the run; its fields are valid once done is closed.
type attacker struct {
	attack attack
	done   chan struct{}
	counts map[string]uint64
	cpu    time.Duration
	err    error
	stop   func()
	kill   func()
}

// lowest is the priority that leaves the processors to everybody else; see setpriority(2).
const lowest = 19

// startAttacker starts this program once more, for one attack.
func startAttacker(a attack, where target) (*attacker, error) {
	told, err := json.Marshal(where)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var out, errs bytes.Buffer
	cmd := exec.Command(self, "attack", a.name, "--target", string(told))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &attacker{attack: a, done: make(chan struct{})}
	p.stop = func() { _ = cmd.Process.Signal(syscall.SIGTERM) }
	p.kill = func() { _ = cmd.Process.Kill() }
	started := make(chan error)
	go func() { // a thread of its own: its priority is what the process inherits, and that dies with it
		runtime.LockOSThread()
		err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, lowest)
		if err == nil {
			err = cmd.Start()
		}
		started <- err
		if err != nil {
			return
		}
		defer close(p.done)
		if p.err = cmd.Wait(); p.err != nil {
			p.err = fmt.Errorf("%w: %s", p.err, strings.TrimSpace(errs.String()))
		} else if err := json.Unmarshal(out.Bytes(), &p.counts); err != nil {
			p.err = fmt.Errorf("said %q: %w", out.String(), err)
		}
		p.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("attack %s: %w", a.name, err)
	}
	return p, nil
}

// startAttackers starts all; if one cannot be started, none is left.
func startAttackers(all []attack, where target) ([]*attacker, error) {
	var started []*attacker
	for _, a := range all {
		p, err := startAttacker(a, where)
		if err != nil {
			stopAttackers(started)
			return nil, err
		}
		started = append(started, p)
	}
	return started, nil
}

// stopAttackers has all of them end, and waits until they are gone.
func stopAttackers(all []*attacker) {
	for _, p := range all {
		p.stop()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, p := range all {
		select {
		case <-p.done:
		case <-ctx.Done():
			p.kill()
			<-p.done
			p.err = errors.Join(errors.New("did not end by itself"), p.err)
		}
	}
}
