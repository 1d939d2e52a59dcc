package main

import (
	"context"
	"time"
)

// interestCommand measures what does not cross since no member is there, and what the wildcard costs instead.
type interestCommand struct {
	conditions `embed:""`
	Duration   time.Duration `default:"2500ms" help:"How long each run publishes."`
	Groups     int           `default:"100" help:"Groups that are published to in turn."`
	Rate       float64       `default:"10000" help:"Messages a second."`
	Size       int           `default:"100" help:"Bytes of each."`
}

// Run publishes at A with members at none, one and two of the other two, by single subjects and by the wildcard.
func (c *interestCommand) Run(ctx context.Context, r *results) error {
	single, err := startCluster(ctx, &c.conditions, setup{nodes: 3, nats: true})
	if err != nil {
		return err
	}
	defer single.stop()
	wide, err := startCluster(ctx, &c.conditions, setup{nodes: 3, nats: true, flags: []string{"--nats-subjects", "1"}})
	if err != nil {
		return err
	}
	defer wide.stop()
	keep := &crowd{} // the members who keep the wildcard
	defer keep.leave()
	for _, n := range wide.nodes {
		if err := keep.joinAll(ctx, groupcast, place{n.listen, n.name}, newGroups(10)); err != nil {
			return err
		}
	}
	for _, n := range wide.nodes {
		if err := n.awaitMetric(ctx, "bus_wildcard", func(v float64) bool { return v == 1 }); err != nil {
			return err
		}
	}
	for range c.Rounds {
		for _, run := range []struct {
			name    string
			cluster *cluster
			at      []int
		}{
			{"no member, single subjects", single, nil},
			{"no member, wildcard", wide, nil},
			{"members at A alone, single subjects", single, []int{0}},
			{"members at A alone, wildcard", wide, []int{0}},
			{"members at A and B, single subjects", single, []int{0, 1}},
			{"members at A and B, wildcard", wide, []int{0, 1}},
			{"members at A, B and C, single subjects", single, []int{0, 1, 2}},
			{"members at A, B and C, wildcard", wide, []int{0, 1, 2}},
		} {
			if err := c.cross(ctx, r, run.cluster, run.name, run.at); err != nil {
				return err
			}
		}
	}
	return nil
}

// crossings are the counters of the bus that matter here.
type crossings struct{ avoided, unwanted, in float64 }

func (n *node) crossings(ctx context.Context) (x crossings, err error) {
	all, err := n.metrics(ctx)
	return crossings{
		all["bus_avoided_total"], all["bus_unwanted_total"], all[`bus_messages_total{direction="in"}`],
	}, err
}

// cross publishes, and reads the counters of B and C.
func (c *interestCommand) cross(ctx context.Context, r *results, one *cluster, name string, at []int) error {
	time.Sleep(1100 * time.Millisecond) // a heartbeat: what the last run left is counted
	var before, after [3]crossings
	var err error
	for i, n := range one.nodes {
		if before[i], err = n.crossings(ctx); err != nil {
			return err
		}
	}
	s, err := spend(ctx, r, one, name, at, c.Groups, c.Rate, c.Size, c.Duration)
	if err != nil {
		return err
	}
	time.Sleep(1100 * time.Millisecond)
	const table = "What crossed, of what A published"
	published := c.Rate * c.Duration.Seconds()
	for i, n := range one.nodes {
		if after[i], err = n.crossings(ctx); err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		r.add(table, name, n.name+": kept off, %", 100*(after[i].avoided-before[i].avoided)/published)
		r.add(table, name, n.name+": unwanted, %", 100*(after[i].unwanted-before[i].unwanted)/published)
	}
	for _, p := range one.nodesAndNATS() {
		r.add(table, name, p.Name()+", us a message", s[p.Name()])
	}
	return nil
}
