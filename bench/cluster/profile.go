package main

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// profileCommand shows what two nodes spend their time on: A publishes, B has the members.
type profileCommand struct {
	conditions `embed:""`
	Directory  string  `arg:"" type:"existingdir" help:"Where A.pprof, B.pprof and B.allocs.pprof go."`
	Seconds    int     `default:"6" help:"How long."`
	Groups     int     `default:"100" help:"Groups that are published to in turn."`
	Rate       float64 `default:"20000" help:"Messages a second."`
	Size       int     `default:"100" help:"Bytes of each."`
}

// Run publishes for as long as the profiles take.
func (c *profileCommand) Run(ctx context.Context, r *results) error {
	cl, err := startCluster(ctx, &c.conditions, setup{nodes: 2, nats: true})
	if err != nil {
		return err
	}
	defer cl.stop()
	duration := time.Duration(c.Seconds+1) * time.Second
	kept := make(chan error, len(cl.nodes))
	for _, n := range cl.nodes {
		go func() {
			time.Sleep(duration / 10)
			page := "/debug/pprof/profile?seconds=" + number(float64(c.Seconds))
			kept <- c.keep(ctx, n, page, n.name+".pprof")
		}()
	}
	spent, err := spend(ctx, r, cl, "profile", []int{1}, c.Groups, c.Rate, c.Size, duration)
	if err != nil {
		return err
	}
	for range cl.nodes {
		if err := <-kept; err != nil {
			return err
		}
	}
	for _, p := range cl.nodesAndNATS() {
		r.add("CPU, us a message, while it was profiled", p.Name(), "us", spent[p.Name()])
	}
	return c.keep(ctx, cl.nodes[1], "/debug/pprof/allocs", "B.allocs.pprof")
}

func (c *profileCommand) keep(ctx context.Context, n *node, page, file string) error {
	text, err := get(ctx, n.pprof, page)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.Directory, file), []byte(text), 0o644)
}
