package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

type cli struct {
	Run    runCommand    `cmd:"" default:"withargs" help:"Start a server, attack it, and judge it."`
	Attack attackCommand `cmd:"" hidden:"" help:"Make one attack until SIGTERM: what run starts."`
	List   listCommand   `cmd:"" help:"The attacks, and what they do."`
}

type runCommand struct {
	Server   string        `default:"bin/groupcast" type:"existingfile" help:"The program that is attacked."`
	Duration time.Duration `default:"2m" help:"Rehearsal (an eighth), calm (a quarter) and siege together."`
	Only     []string      `help:"Only these attacks. Repeat the flag."`
	Sessions int           `default:"200" help:"Live sessions."`
	Groups   int           `default:"10" help:"Groups that they are in, two each."`
	Every    time.Duration `default:"100ms" help:"Between two messages to one group."`
	Untimed  bool          `help:"Report latencies and the growth of the heap, but do not judge them."`
	Old      bool          `help:"The program knows no TLS, no PROXY protocol and no age of queues: leave these attacks out."`
}

// Run fails if the server did not hold.
func (r *runCommand) Run(ctx context.Context) error {
	if r.Groups < 2 || r.Sessions < r.Groups {
		return fmt.Errorf("--sessions, --groups: wants two groups, and as many sessions, at least; got %d and %d",
			r.Sessions, r.Groups)
	}
	if r.Duration < 4*time.Second {
		return fmt.Errorf("--duration: wants 4s at least, got %v", r.Duration)
	}
	c := siege{
		program: r.Server, duration: r.Duration, old: r.Old, untimed: r.Untimed,
		population: population{sessions: r.Sessions, groups: r.Groups, every: r.Every},
		say:        func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) },
	}
	for _, name := range r.Only {
		a, err := findAttack(name)
		if err != nil {
			return err
		}
		c.attacks = append(c.attacks, a)
	}
	for _, a := range attacks {
		if len(r.Only) == 0 && !(r.Old && a.tls) {
			c.attacks = append(c.attacks, a)
		}
	}
	o, err := c.run(ctx)
	if err != nil {
		return err
	}
	o.write(os.Stdout)
	found := o.judge(r.Untimed)
	for _, what := range found {
		fmt.Println("NOT HELD:", what)
	}
	if len(found) > 0 {
		return errors.New("the server did not hold")
	}
	fmt.Println("held")
	return nil
}

type attackCommand struct {
	Name   string `arg:""`
	Target string `required:"" help:"Where the doors are, as JSON."`
}

// Run attacks until ctx ends.
func (a *attackCommand) Run(ctx context.Context) error {
	return attackAt(ctx, a.Name, a.Target, os.Stdout)
}

type listCommand struct{}

// Run lists.
func (listCommand) Run() error { //nolint:unparam // kong wants it so
	for _, a := range attacks {
		fmt.Printf("%-16s %s\n", a.name, a.does)
	}
	return nil
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	parsed := kong.Parse(&cli{},
		kong.Name("siege"),
		kong.Description("Attacks a groupcast server at all of its doors at once, and judges what its live sessions notice."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err := parsed.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "siege:", err)
		cancel()
		os.Exit(1)
	}
}
