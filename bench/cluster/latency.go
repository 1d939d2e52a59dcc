package main

import (
	"context"
	"fmt"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// latencyCommand measures how long a message takes to members of the node that it is published at, and of another.
type latencyCommand struct {
	conditions `embed:""`
	Duration   time.Duration `default:"3s" help:"How long each run publishes."`
	Rates      []float64     `default:"100,5000" help:"Messages a second."`
	Size       int           `default:"100" help:"Bytes of each."`
}

// Run measures with GOMAXPROCS 1 and as the machine has it.
func (c *latencyCommand) Run(ctx context.Context, r *results) error {
	type candidate struct {
		*cluster

		name string
	}
	var all []candidate
	defer func() {
		for _, one := range all {
			one.stop()
		}
	}()
	for _, procs := range []int{1, 0} {
		o := c.conditions
		o.Procs = procs
		one, err := startCluster(ctx, &o, setup{nodes: 2, nats: true})
		if err != nil {
			return err
		}
		name := "GOMAXPROCS=1"
		if procs == 0 {
			name = "GOMAXPROCS by default"
		}
		all = append(all, candidate{one, name})
	}
	for range c.Rounds {
		for _, rate := range c.Rates {
			for _, one := range all {
				places := []place{{one.nodes[0].listen, "member at A"}, {one.nodes[1].listen, "member at B"}}
				latency, err := travel(ctx, r, groupcast, places, rate, c.Size, c.Duration)
				if err != nil {
					return err
				}
				row := fmt.Sprintf("%s messages a second, %s", number(rate), one.name)
				for _, at := range places {
					h := latency[at.name]
					r.add("Latency, us: published at A", row, at.name+", p50", float64(h.ValueAtQuantile(50)))
					r.add("Latency, us: published at A", row, at.name+", p99", float64(h.ValueAtQuantile(99)))
				}
			}
		}
	}
	return nil
}

// travel publishes to one group at the first place, which has a member at each.
func travel(
	ctx context.Context, r *results, d *dialect, places []place, rate float64, size int, duration time.Duration,
) (map[string]*hdr.Histogram, error) {
	cr := &crowd{latency: make(map[string]*hdr.Histogram)}
	defer cr.leave()
	names := newGroups(1)
	for _, at := range places {
		if err := cr.joinAll(ctx, d, at, names); err != nil {
			return nil, err
		}
	}
	p, err := newPublisher(ctx, places[0].address, d, names, size)
	if err != nil {
		return nil, err
	}
	defer p.close()
	if err := p.pace(ctx, rate, duration); err != nil {
		return nil, err
	}
	want := int64(p.sent * len(places))
	cr.await(want)
	r.fault(cr.faults(fmt.Sprintf("latency at %g messages a second", rate), want)...)
	if len(cr.latency) != len(places) {
		return nil, fmt.Errorf("of %d members, %d got anything", len(places), len(cr.latency))
	}
	return cr.latency, nil
}
