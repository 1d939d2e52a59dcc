package main

import (
	"context"
	"fmt"
	"time"

	"groupcast/bench/internal/process"
)

// costCommand measures the CPU time that each process spends on a message.
type costCommand struct {
	conditions `embed:""`
	Duration   time.Duration `default:"1500ms" help:"How long each run publishes."`
	Groups     int           `default:"100" help:"Groups that are published to in turn."`
	Loads      []string      `default:"20000/100,20000/1024,2000/100" help:"Messages a second, and bytes of each."`
}

// costRuns differ in one thing each from another. members are the nodes that have one of each group.
var costRuns = []struct {
	name    string
	nodes   int
	nats    bool
	members []int
}{
	{"1 node, no --nats, nobody", 1, false, nil},
	{"1 node, no --nats, one member", 1, false, []int{0}},
	{"1 node, --nats, nobody", 1, true, nil},
	{"1 node, --nats, one member", 1, true, []int{0}},
	{"2 nodes, one member at B", 2, true, []int{1}},
	{"2 nodes, two members at B", 2, true, []int{1, 1}},
	{"3 nodes, one member at B", 3, true, []int{1}},
	{"3 nodes, one member at B, one at C", 3, true, []int{1, 2}},
}

// Run measures and adds to the results.
func (c *costCommand) Run(ctx context.Context, r *results) error {
	started := map[string]*cluster{}
	defer func() {
		for _, one := range started {
			one.stop()
		}
	}()
	for _, run := range costRuns {
		key := clusterKey(run.nodes, run.nats)
		if started[key] != nil {
			continue
		}
		one, err := startCluster(ctx, &c.conditions, setup{nodes: run.nodes, nats: run.nats})
		if err != nil {
			return err
		}
		started[key] = one
	}
	for round := range c.Rounds + 1 { // the first one warms all of them up
		for _, load := range c.Loads {
			var rate, size int
			if _, err := fmt.Sscanf(load, "%d/%d", &rate, &size); err != nil || rate < 1 || size < stampBytes || size > 60_000 {
				return fmt.Errorf("--loads: wants RATE/BYTES, of %d bytes at least, got %s", stampBytes, load)
			}
			spent := make(map[string]spending)
			for _, run := range costRuns {
				one := started[clusterKey(run.nodes, run.nats)]
				s, err := spend(ctx, r, one, load+", "+run.name, run.members, c.Groups, float64(rate), size, c.Duration)
				if err != nil {
					return fmt.Errorf("%s: %w", run.name, err)
				}
				spent[run.name] = s
			}
			if round > 0 {
				c.tell(r, fmt.Sprintf("%s messages a second, %s bytes", number(float64(rate)), number(float64(size))), spent)
			}
		}
	}
	return nil
}

func clusterKey(nodes int, nats bool) string { return fmt.Sprint(nodes, nats) }

// spending is the CPU time of a message, in microseconds, by process.
type spending map[string]float64

// spend publishes at node A, and has members check what comes.
func spend(
	ctx context.Context, r *results, c *cluster, name string, at []int, groups int, rate float64, size int,
	duration time.Duration,
) (spending, error) {
	cr := &crowd{}
	defer cr.leave()
	names := newGroups(groups)
	for _, i := range at {
		if err := cr.joinAll(ctx, c.spoken(), place{c.nodes[i].listen, c.nodes[i].name}, names); err != nil {
			return nil, err
		}
	}
	p, err := newPublisher(ctx, c.nodes[0].listen, c.spoken(), names, size)
	if err != nil {
		return nil, err
	}
	defer p.close()
	measured := c.nodesAndNATS()
	before := make([]time.Duration, len(measured))
	for i, one := range measured {
		before[i] = one.CPUTime()
	}
	if err := p.pace(ctx, rate, duration); err != nil {
		return nil, err
	}
	want := int64(p.sent * len(at))
	cr.await(want)
	if len(at) == 0 { // nobody says when all of it is done
		time.Sleep(50 * time.Millisecond)
	}
	s := make(spending)
	for i, one := range measured {
		s[one.Name()] = float64((one.CPUTime() - before[i]).Nanoseconds()) / 1000 / float64(p.sent)
	}
	r.fault(cr.faults(name, want)...)
	return s, nil
}

// nodesAndNATS are all processes of the cluster.
func (c *cluster) nodesAndNATS() (all []*process.Process) {
	for _, n := range c.nodes {
		all = append(all, n.Process)
	}
	if c.nats != nil {
		all = append(all, c.nats)
	}
	return all
}

// tell adds what each process spent, and the differences that have a meaning.
func (c *costCommand) tell(r *results, load string, spent map[string]spending) {
	for _, run := range costRuns {
		for _, name := range []string{"node A", "nats-server", "node B", "node C"} {
			if v, there := spent[run.name][name]; there {
				r.add("CPU, us a message: "+load, run.name, name, v)
			}
		}
	}
	alone, aloneOne := spent[costRuns[0].name], spent[costRuns[1].name]
	bus, busOne := spent[costRuns[2].name], spent[costRuns[3].name]
	twoOne, twoTwo := spent[costRuns[4].name], spent[costRuns[5].name]
	threeOne, threeTwo := spent[costRuns[6].name], spent[costRuns[7].name]
	table := "Parts of a message's price, us of CPU: " + load
	const value = "us"
	r.add(table, "publish: read, order (A, no --nats)", value, alone["node A"])
	r.add(table, "deliver to a member, publishing node (no --nats)", value, aloneOne["node A"]-alone["node A"])
	r.add(table, "deliver to a member, publishing node (--nats)", value, busOne["node A"]-bus["node A"])
	r.add(table, "deliver to a member, another node (second member at B)", value, twoTwo["node B"]-twoOne["node B"])
	r.add(table, "hop: publishing node's part (--nats, no other node)", value, bus["node A"]-alone["node A"])
	r.add(table, "hop: publishing node's part (another node has a member)", value, twoOne["node A"]-alone["node A"])
	r.add(table, "hop: nats-server, nobody subscribed", value, bus["nats-server"])
	r.add(table, "hop: nats-server, one node subscribed", value, twoOne["nats-server"])
	r.add(table, "hop: nats-server, one more node", value, threeTwo["nats-server"]-threeOne["nats-server"])
	r.add(table, "hop: receiving node's part, without its member", value,
		twoOne["node B"]-(twoTwo["node B"]-twoOne["node B"]))
	r.add(table, "a node that has no member (C)", value, threeOne["node C"])
}
