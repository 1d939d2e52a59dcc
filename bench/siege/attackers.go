package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"groupcast/bench/internal/process"
)

// attacker is the process of one attack.
// Owner: the run; its figures are valid behind stopAttackers.
type attacker struct {
	*process.Process
	attack attack
	said   bytes.Buffer
	counts map[string]uint64
	cpu    time.Duration
	err    error
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
	p := &attacker{attack: a}
	p.Process, err = process.Start(process.Command{
		Name: "attack " + a.name, Args: []string{self, "attack", a.name, "--target", string(told)},
		Env: []string{"GOMAXPROCS=1"}, Stdout: &p.said,
		OnThread: func() error { return syscall.Setpriority(syscall.PRIO_PROCESS, 0, lowest) },
	})
	return p, err
}

// report takes what the attacker has counted, once it has ended.
func (p *attacker) report() {
	if p.Wait() != nil {
		p.err = p.Err()
	} else if err := json.Unmarshal(p.said.Bytes(), &p.counts); err != nil {
		p.err = fmt.Errorf("said %q: %w", p.said.String(), err)
	}
	p.cpu = p.CPUTime()
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
		p.Signal(syscall.SIGTERM)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, p := range all {
		late := false
		select {
		case <-p.Done():
		case <-ctx.Done():
			late = true
			p.Kill()
		}
		if p.report(); late {
			p.err = errors.Join(errors.New("did not end by itself"), p.err)
		}
	}
}
