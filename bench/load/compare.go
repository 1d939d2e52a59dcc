package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// compare runs one scenario against several servers in turn: A B C A B C ... Machines drift, and two runs of the same
// binary differ by a tenth; so what counts is the ratio to the reference within a round, and the median of those.
//
// Every run is a process of its own, generator and server, on a fresh port: no run inherits another one's heap, sockets
// or warm caches.
type compare struct {
	Candidate  []string      `help:"${candidate_help}" placeholder:"NAME=CMD" required:"" sep:"none"`
	Reference  string        `help:"Whom the others are compared with; by default the first." placeholder:"NAME"`
	Rounds     int           `help:"How often each candidate is run." default:"9"`
	Pause      time.Duration `help:"Rest between two runs." default:"500ms"`
	ServerCPUs string        `name:"server-cpus" help:"Pin the servers." default:"0"`
	LoadCPUs   string        `name:"load-cpus" help:"Pin the generator." default:"1"`
	JSON       string        `name:"json" help:"Write the comparison and every run to this file." placeholder:"FILE"`
	Markdown   string        `help:"Write a table for a results page to this file." placeholder:"FILE"`
	Scenario   []string      `arg:"" passthrough:"" help:"The scenario and its flags, after all other flags."`
}

// candidate is one server.
type candidate struct {
	Name    string `json:"name"`
	Command string `json:"command"`
	Dialect string `json:"dialect,omitempty"` // groupcast's own, unless told
	TLS     bool   `json:"tls,omitempty"`
	Tokens  string `json:"tokens,omitempty"`
}

// Run runs the rounds and prints what came of them. Runs that failed are told of, and make it an error at the end.
func (c *compare) Run(ctx context.Context) error {
	candidates, err := c.candidates()
	if err != nil {
		return err
	}
	if c.Rounds < 1 {
		return errors.New("--rounds is at least 1")
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	all := comparison{
		Scenario: strings.Join(c.Scenario, " "), Reference: c.Reference, Candidates: candidates,
		Machine: thisMachine(), Began: time.Now().UTC().Truncate(time.Second),
	}
	for n := 1; n <= c.Rounds && ctx.Err() == nil; n++ {
		round := make([]*result, len(candidates))
		for i, candidate := range candidates {
			fmt.Fprintf(os.Stderr, "round %d of %d  %-16s ", n, c.Rounds, candidate.Name)
			r, err := c.once(ctx, self, candidate)
			round[i] = r
			if r != nil {
				all.Description = r.Description
				fmt.Fprintf(os.Stderr, "%s", r.headline())
				if r.OtherCores > 0.1 {
					fmt.Fprintf(os.Stderr, "  (neighbours used %.0f %% of a core)", 100*r.OtherCores)
				}
			}
			if err != nil {
				all.Failures = append(all.Failures, fmt.Sprintf("round %d, %s: %v", n, candidate.Name, err))
				fmt.Fprintf(os.Stderr, "  %v", err)
			}
			fmt.Fprintln(os.Stderr)
			if ctx.Err() != nil {
				break
			}
			time.Sleep(c.Pause)
		}
		all.Rounds = append(all.Rounds, round)
	}
	return c.report(&all)
}

func (c *compare) candidates() ([]candidate, error) {
	var all []candidate
	found := c.Reference == ""
	for _, text := range c.Candidate {
		name, command, ok := strings.Cut(text, "=")
		if !ok || name == "" || command == "" {
			return nil, fmt.Errorf("--candidate %q is not NAME=CMD", text)
		}
		for _, other := range all {
			if other.Name == name {
				return nil, fmt.Errorf("two candidates are named %q", name)
			}
		}
		one := candidate{Name: name, Command: command}
		if secured, ok := strings.CutPrefix(one.Command, "@tls "); ok {
			one.TLS, one.Command = true, secured
		}
		if named, ok := strings.CutPrefix(one.Command, "@tokens="); ok {
			if one.Tokens, one.Command, ok = strings.Cut(named, " "); !ok || one.Tokens == "" {
				return nil, fmt.Errorf("--candidate %q: wants @tokens=FILE CMD", text)
			}
		} else if strings.HasPrefix(one.Command, "@") {
			if one.Dialect, one.Command, ok = strings.Cut(one.Command[1:], " "); !ok || dialects[one.Dialect] == nil {
				return nil, fmt.Errorf("--candidate %q: no such dialect", text)
			}
		}
		all = append(all, one)
		found = found || name == c.Reference
	}
	if !found {
		return nil, fmt.Errorf("the reference %q is not among the candidates", c.Reference)
	}
	if c.Reference == "" {
		c.Reference = all[0].Name
	}
	return all, nil
}

// once runs the scenario against one candidate. There may be both a result and an error: figures of a run that lost
// something.
func (c *compare) once(ctx context.Context, self string, s candidate) (*result, error) {
	args := append([]string{}, c.Scenario...)
	args = append(args, "--json", "--quiet", "--server", s.Command)
	args = append(args, "--server-cpus", c.ServerCPUs, "--load-cpus", c.LoadCPUs)
	if s.TLS {
		args = append(args, "--tls")
	}
	if s.Tokens != "" {
		args = append(args, "--tokens", s.Tokens)
	}
	if s.Dialect != "" {
		args = append(args, "--dialect", s.Dialect)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C comes here, and is passed on once
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	if err != nil {
		words := strings.TrimSpace(strings.TrimPrefix(said.String(), "load:"))
		err = fmt.Errorf("%s", strings.Join(strings.Fields(words), " "))
	}
	var r result
	if json.Unmarshal(out.Bytes(), &r) != nil || r.Error != "" { // a run that broke off has no figures to compare
		if err == nil {
			err = errors.New("no result")
		}
		return nil, err
	}
	return &r, err
}

func (c *compare) report(all *comparison) error {
	fmt.Print(all.text())
	if c.Markdown != "" {
		if err := os.WriteFile(c.Markdown, []byte(all.markdown()), 0o644); err != nil {
			return fmt.Errorf("write the table: %w", err)
		}
	}
	if c.JSON != "" {
		all.summarize()
		b, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			return fmt.Errorf("encode the comparison: %w", err)
		}
		if err := os.WriteFile(c.JSON, append(b, '\n'), 0o644); err != nil {
			return fmt.Errorf("write the comparison: %w", err)
		}
	}
	if len(all.Failures) > 0 {
		return fmt.Errorf("%d runs failed", len(all.Failures))
	}
	return nil
}
