package main

import (
	"context"
	"fmt"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// smokeCommand judges, and measures nothing.
type smokeCommand struct {
	conditions `embed:""`
	Groups     int `default:"20" help:"Groups, each with a member at each node but the last."`
	Messages   int `default:"3000" help:"Messages of each node."`
}

// Run checks single subjects and the wildcard, and then a NATS server that crashes.
func (c *smokeCommand) Run(ctx context.Context, r *results) error {
	for _, s := range []setup{
		{nodes: 3, nats: true},
		{nodes: 3, nats: true, flags: []string{"--nats-subjects", "1"}},
	} {
		if err := c.all(ctx, r, s); err != nil {
			return err
		}
	}
	return c.crash(ctx, r)
}

// crash checks that each member who misses something is told so, and that nothing comes twice.
func (c *smokeCommand) crash(ctx context.Context, r *results) error {
	cl, err := startCluster(ctx, &c.conditions, setup{nodes: 3, nats: true})
	if err != nil {
		return err
	}
	defer cl.stop()
	figures := &results{} // that nobody wants
	err = (&joinsCommand{Away: time.Second / 2}).crash(ctx, figures, cl, "smoke")
	r.fault(figures.wrong...)
	return err
}

// all has each node publish to groups of its own, which have members at A and B and none at C.
func (c *smokeCommand) all(ctx context.Context, r *results, s setup) error {
	wildcard := len(s.flags) > 0
	name := "single subjects"
	if wildcard {
		name = "wildcard"
	}
	cl, err := startCluster(ctx, &c.conditions, s)
	if err != nil {
		return err
	}
	defer cl.stop()
	cr := &crowd{latency: make(map[string]*hdr.Histogram)}
	defer cr.leave()
	var publishers []*publisher
	for _, from := range cl.nodes {
		names := newGroups(c.Groups)
		for _, at := range cl.nodes[:2] {
			if err := cr.joinAll(ctx, groupcast, place{at.listen, at.name}, names); err != nil {
				return err
			}
		}
		p, err := newPublisher(ctx, from.listen, groupcast, names, smokeBytes)
		if err != nil {
			return err
		}
		defer p.close()
		publishers = append(publishers, p)
	}
	want := int64(0)
	for range c.Messages {
		for _, p := range publishers {
			p.put()
			want += 2
		}
	}
	for _, p := range publishers {
		if err := p.flush(); err != nil {
			return err
		}
	}
	cr.await(want)
	time.Sleep(200 * time.Millisecond) // a second copy would come behind the first
	r.fault(cr.faults(name, want)...)
	last := cl.nodes[2]
	if wildcard { // it has no members of its own, and so listens to nothing: what crossed is counted elsewhere
		return cl.nodes[0].awaitMetric(ctx, "bus_wildcard", func(v float64) bool { return v == 1 })
	}
	// C has no members: what nodes say to each other is all that may have come.
	counted, err := last.metrics(ctx)
	published, came := float64(2*c.Messages*smokeBytes), counted[`bus_bytes_total{direction="in"}`]
	if err == nil && came > published/10 {
		r.fault(fmt.Sprintf("%s: bytes that came to C, which has no members: got %g of %g published", name, came, published))
	}
	return err
}

const smokeBytes = 100
