package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

type cli struct {
	Run  runCommand  `cmd:"" default:"withargs" help:"Make faults in clusters of real processes, and judge what clients got."`
	List listCommand `cmd:"" help:"The scenarios, and what each does."`
}

type runCommand struct {
	Groupcast string        `default:"bin/groupcast" type:"existingfile" help:"The program that nodes are."`
	Nats      string        `default:"bin/nats-server" type:"existingfile" help:"The program that NATS servers are."`
	Only      []string      `help:"Only these scenarios. Repeat the flag."`
	Duration  time.Duration `default:"1m" help:"Of the scenario reconnects."`
	Outage    time.Duration `default:"10s" help:"How long NATS is away in the scenarios of the bus."`
	Keep      bool          `help:"Keep the logs of the processes."`
	Inside    bool          `hidden:"" help:"This process has a network namespace of its own."`
}

// run is one scenario under way.
type run struct {
	*scenario
	groupcast, nats  string
	dir              string
	duration, outage time.Duration
	inside           bool
	keep             bool
	figures          []string
	findings         []string
}

// figure says what was measured.
func (r *run) figure(format string, args ...any) {
	r.figures = append(r.figures, fmt.Sprintf(format, args...))
}

// check finds fault unless ok.
func (r *run) check(ok bool, format string, args ...any) {
	if !ok {
		r.findings = append(r.findings, fmt.Sprintf(format, args...))
	}
}

// Run fails if a scenario does.
func (c *runCommand) Run(ctx context.Context) error {
	chosen := scenarios
	if len(c.Only) > 0 {
		chosen = nil
		for _, name := range c.Only {
			s := find(name)
			if s == nil {
				return fmt.Errorf("--only: wants a scenario of `chaos list`, got %q", name)
			}
			chosen = append(chosen, s)
		}
	}
	dir, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		return err
	}
	failed := 0
	for _, s := range chosen {
		r := &run{
			scenario: s, groupcast: c.Groupcast, nats: c.Nats, dir: dir, duration: c.Duration, outage: c.Outage,
			inside: c.Inside, keep: c.Keep,
		}
		if !r.one(ctx) {
			failed++
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d scenarios failed; the processes' logs are in %s", failed, len(chosen), dir)
	}
	if c.Keep {
		fmt.Println("the processes' logs are in", dir)
		return nil
	}
	return os.RemoveAll(dir)
}

// one makes a scenario, prints its line, and reports whether all held.
func (r *run) one(ctx context.Context) bool {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, r.bound+r.duration)
	defer cancel()
	err := r.do(ctx, r)
	var skip skipError
	switch {
	case errors.As(err, &skip):
		fmt.Printf("%-18s skipped: %v\n", r.name, err)
		return true
	case errors.Is(err, errPrinted):
		return true
	case err != nil:
		r.findings = append(r.findings, err.Error())
	}
	verdict := "ok"
	if len(r.findings) > 0 {
		verdict = "FAILED"
	}
	fmt.Printf("%-18s %-6s %4.0f s  %s\n", r.name, verdict, time.Since(began).Seconds(), strings.Join(r.figures, "; "))
	for _, what := range r.findings {
		fmt.Println("    NOT HELD:", what)
	}
	return len(r.findings) == 0
}

// skipError is why a scenario cannot be made on this machine.
type skipError string

func (e skipError) Error() string { return string(e) }

// errPrinted: another process of this program has made the scenario, and has printed its line.
var errPrinted = errors.New("printed")

type listCommand struct{}

// Run lists.
func (listCommand) Run() error { //nolint:unparam // kong wants it so
	for _, s := range scenarios {
		fmt.Printf("%-18s %s\n", s.name, s.does)
	}
	return nil
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	parsed := kong.Parse(&cli{},
		kong.Name("chaos"),
		kong.Description("Makes faults in clusters of real processes, and judges what their clients got."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err := parsed.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		cancel()
		os.Exit(1)
	}
}
