package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type cli struct {
	Points string `help:"Add all figures to this file, a line each." placeholder:"FILE"`

	Smoke    smokeCommand    `cmd:"" help:"Check that all arrives once, in a few seconds; no figures."`
	Cost     costCommand     `cmd:"" help:"CPU time of a message, by part and process."`
	Latency  latencyCommand  `cmd:"" help:"How long a hop takes."`
	Interest interestCommand `cmd:"" help:"What does not cross, and what the wildcard costs."`
	Memory   memoryCommand   `cmd:"" help:"A group's memory, and that of a start."`
	Joins    joinsCommand    `cmd:"" help:"Acks of joins beside many groups; a NATS server that crashes."`
	Nodes    nodesCommand    `cmd:"" help:"Heartbeats and markers of many nodes, which this program plays."`
	Peers    peersCommand    `cmd:"" help:"Other servers, two nodes each, beside groupcast."`
	Profile  profileCommand  `cmd:"" help:"What two nodes spend their time on, for go tool pprof."`
	Model    modelCommand    `cmd:"" help:"What follows from figures for 3, 10 and 100 nodes."`
	Table    tableCommand    `cmd:"" help:"Figures as tables, in Markdown."`
}

type tableCommand struct {
	Points string `arg:"" type:"existingfile" help:"What --points has written."`
}

// Run reads; main prints.
func (t *tableCommand) Run(r *results) error {
	file, err := os.Open(t.Points)
	if err != nil {
		return err
	}
	defer file.Close()
	read, err := readPoints(file)
	if err != nil {
		return fmt.Errorf("%s: %w", t.Points, err)
	}
	r.points = read.points
	return nil
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	c, r := &cli{}, &results{}
	parsed := kong.Parse(c,
		kong.Name("cluster"),
		kong.Description("Measures groupcast servers that are one over NATS, and checks every delivery."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(r))
	err := parsed.Run()
	fmt.Print(r.markdown())
	if err == nil && c.Points != "" && parsed.Command() != "table <points>" {
		err = r.write(c.Points)
	}
	if err == nil && len(r.wrong) > 0 {
		err = errors.New("not all was as it should be")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		cancel()
		os.Exit(1)
	}
}
