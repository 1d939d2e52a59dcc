package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"groupcast/bench/internal/process"
)

// memoryCommand measures what a group with one member costs, where sessions have many groups each: descriptors
// of this machine would not do for a session each.
type memoryCommand struct {
	conditions `embed:""`
	Groups     []int  `default:"10000,100000" help:"Groups of the node."`
	PerSession int    `default:"1000" help:"Groups of one session."`
	OldServer  string `help:"A program from before there was a bus, to compare the memory at the start." placeholder:"FILE"`
}

// memoryRuns are how a node hears of its groups' messages.
var memoryRuns = []struct {
	name  string
	nats  bool
	flags []string
}{
	{"no --nats", false, nil},
	{"single subjects", true, []string{"--nats-subjects", "1000000"}},
	{"wildcard", true, []string{"--nats-subjects", "1"}},
}

// Run measures each in a process of its own.
func (c *memoryCommand) Run(ctx context.Context, r *results) error {
	for range c.Rounds {
		if err := c.atStart(ctx, r); err != nil {
			return err
		}
		for _, groups := range c.Groups {
			for _, run := range memoryRuns {
				if err := c.grow(ctx, r, run.name, groups, setup{nodes: 1, nats: run.nats, flags: run.flags}); err != nil {
					return fmt.Errorf("%s, %d groups: %w", run.name, groups, err)
				}
			}
		}
	}
	return nil
}

// atStart is the memory of a process that has done nothing yet.
func (c *memoryCommand) atStart(ctx context.Context, r *results) error {
	old := c.conditions
	old.Server = c.OldServer
	for _, one := range []struct {
		name string
		o    *conditions
		nats bool
	}{
		{"before there was a bus", &old, false},
		{"without --nats", &c.conditions, false},
		{"with --nats", &c.conditions, true},
	} {
		if one.o.Server == "" {
			continue
		}
		cl, err := startCluster(ctx, one.o, setup{nodes: 1, nats: one.nats})
		if err != nil {
			return err
		}
		time.Sleep(3 * time.Second)
		r.add("Memory at the start, MiB", one.name, "resident", mib(resident(cl.nodes[0].Process)))
		heap, err := cl.nodes[0].heap(ctx)
		r.add("Memory at the start, MiB", one.name, "heap", mib(heap))
		cl.stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// resident is a program's memory without pages of files, in bytes.
func resident(p *process.Process) int64 { return process.StatusBytes(p.PID(), "RssAnon") }

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// grow joins groups, and reads the memory before and behind.
func (c *memoryCommand) grow(ctx context.Context, r *results, name string, groups int, s setup) error {
	cl, err := startCluster(ctx, &c.conditions, s)
	if err != nil {
		return err
	}
	defer cl.stop()
	n := cl.nodes[0]
	settle()
	heapBefore, err := n.heap(ctx)
	if err != nil {
		return err
	}
	residentBefore := resident(n.Process)
	var natsBefore int64
	if cl.nats != nil {
		natsBefore = resident(cl.nats)
	}
	cpuBefore, began := cl.spentBy(), time.Now()
	h, err := hold(ctx, cl, n, groups, c.PerSession, name == memoryRuns[1].name)
	if err != nil {
		return err
	}
	took, cpu := time.Since(began), cl.spentBy()
	defer h.leave()
	settle()
	heap, err := n.heap(ctx)
	if err != nil {
		return err
	}
	table := "A group with one member, " + number(float64(groups)) + " of them"
	per := func(after, before int64) float64 { return float64(after-before) / float64(groups) }
	r.add(table, name, "node's heap, bytes", per(heap, heapBefore))
	r.add(table, name, "node, resident, bytes", per(resident(n.Process), residentBefore))
	perJoin := func(name string) float64 {
		return float64((cpu[name] - cpuBefore[name]).Microseconds()) / float64(groups)
	}
	r.add(table, name, "node, us of CPU a join", perJoin(n.Process.Name()))
	if cl.nats != nil {
		r.add(table, name, "nats-server, resident, bytes", per(resident(cl.nats), natsBefore))
		r.add(table, name, "nats-server, us of CPU a join", perJoin("nats-server"))
	}
	r.add(table, name, "all joined within, s", took.Seconds())
	return nil
}

// spentBy is the CPU time of each process so far.
func (c *cluster) spentBy() map[string]time.Duration {
	all := make(map[string]time.Duration)
	for _, p := range c.nodesAndNATS() {
		all[p.Name()] = p.CPUTime()
	}
	return all
}

// hold has sessions join many groups of one node, and returns when it is subscribed to all of them.
func hold(ctx context.Context, cl *cluster, n *node, groups, perSession int, single bool) (*crowd, error) {
	cr := &crowd{}
	for first := 0; first < groups; first += perSession {
		c, err := dial(ctx, n.listen, groupcast)
		if err != nil {
			return cr, err
		}
		m := &member{client: c, dialect: groupcast}
		cr.members = append(cr.members, m)
		mine := newGroups(min(perSession, groups-first))
		for _, group := range mine[1:] {
			m.put([]byte(`{"cmd":"add_group","group_id":` + strconv.Quote(group) + `}`))
		}
		m.put([]byte(groupcast.join(mine[0], 1)))
		joined := make(chan error, 1)
		cr.reading.Go(func() { cr.read(m, joined) })
		if err := m.flush(); err != nil {
			return cr, err
		}
		select {
		case err = <-joined:
		case <-time.After(patience):
			err = fmt.Errorf("a join of node %s is not acknowledged", n.name)
		}
		if err != nil {
			return cr, err
		}
	}
	if cl.nats == nil {
		return cr, nil
	}
	if single {
		if err := n.awaitMetric(ctx, "bus_subjects", func(v float64) bool { return v >= float64(groups) }); err != nil {
			return cr, err
		}
	}
	return cr, n.awaitMetric(ctx, "bus_interest_waiting", func(v float64) bool { return v == 0 })
}
