package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// joinsCommand measures the acks of joins beside many groups, and how the cluster comes back from a NATS server that
// has crashed with all of their subscriptions.
type joinsCommand struct {
	conditions `embed:""`
	Groups     int           `default:"100000" help:"Groups that each of the three nodes has all the time."`
	PerSession int           `default:"1000" help:"Of one session."`
	Rates      []float64     `default:"1000,10000" help:"Joins a second, and as many leaves, of all nodes together."`
	Sessions   int           `default:"150" help:"Sessions that join and leave."`
	Duration   time.Duration `default:"6s" help:"How long each rate lasts."`
	Linger     time.Duration `default:"2s" help:"--nats-linger, within the duration, so that nodes unsubscribe as well."`
	Away       time.Duration `default:"1s" help:"How long the NATS server is away."`
}

// Run does without --nats first, for the acks of one node each. What waits in a cluster for other goroutines
// depends on how many run at a time, so that GOMAXPROCS is tried both ways.
func (c *joinsCommand) Run(ctx context.Context, r *results) error {
	cluster := []string{"--nats-subjects", "1000000", "--nats-linger", c.Linger.String()}
	for range c.Rounds {
		for _, one := range []struct {
			name  string
			procs int
			what  setup
		}{
			{"without --nats", c.Procs, setup{nodes: 3}},
			{"a cluster of three, GOMAXPROCS=1", 1, setup{nodes: 3, nats: true, flags: cluster}},
			{"a cluster of three, GOMAXPROCS=2", 2, setup{nodes: 3, nats: true, flags: cluster}},
		} {
			o := c.conditions
			o.Procs = one.procs
			if err := c.round(ctx, r, one.name, &o, one.what); err != nil {
				return fmt.Errorf("%s: %w", one.name, err)
			}
		}
	}
	return nil
}

func (c *joinsCommand) round(ctx context.Context, r *results, name string, o *conditions, s setup) error {
	cl, err := startCluster(ctx, o, s)
	if err != nil {
		return err
	}
	defer cl.stop()
	var held []*crowd
	defer func() {
		for _, h := range held {
			h.leave()
		}
	}()
	for _, n := range cl.nodes {
		h, err := hold(ctx, cl, n, c.Groups, c.PerSession, true)
		held = append(held, h)
		if err != nil {
			return err
		}
	}
	for _, rate := range c.Rates {
		settle()
		if err := c.walk(ctx, r, cl, name, rate); err != nil {
			return err
		}
	}
	if s.nats {
		return c.crash(ctx, r, cl, name)
	}
	return nil
}

// walkers join and leave.
type walkers struct {
	acks, partial atomic.Int64
	mu            sync.Mutex
	took          *hdr.Histogram // microseconds
	err           error
}

// walk has sessions join groups that nobody is in, and leave them a second later.
func (c *joinsCommand) walk(ctx context.Context, r *results, cl *cluster, name string, rate float64) error {
	w := &walkers{took: hdr.New(1, 60_000_000, 3)}
	var walking sync.WaitGroup
	before, start := cl.spentBy(), time.Now()
	markers := 0.0
	for _, n := range cl.nodes {
		all, err := n.metrics(ctx)
		if err != nil {
			return err
		}
		markers -= all[`bus_markers_total{answered="by_all"}`]
	}
	every := time.Duration(float64(time.Second) * float64(c.Sessions) / rate)
	for i := range c.Sessions {
		client, err := dial(ctx, cl.nodes[i%len(cl.nodes)].listen, groupcast)
		if err != nil {
			return err
		}
		walking.Go(func() {
			defer client.close()
			first := start.Add(every * time.Duration(i) / time.Duration(c.Sessions))
			if err := w.walk(ctx, client, first, every, c.Duration); err != nil {
				w.mu.Lock()
				w.err = err
				w.mu.Unlock()
			}
		})
	}
	walking.Wait()
	took, after := time.Since(start), cl.spentBy()
	if w.err != nil {
		return w.err
	}
	for _, n := range cl.nodes {
		all, err := n.metrics(ctx)
		if err != nil {
			return err
		}
		markers += all[`bus_markers_total{answered="by_all"}`]
	}
	table := "Acks of joins beside " + number(float64(c.Groups)) + " groups a node, as many leaves at the same time"
	row := fmt.Sprintf("%s joins a second, %s", number(rate), name)
	acks := float64(w.acks.Load())
	r.add(table, row, "joins a second", acks/took.Seconds())
	r.add(table, row, "ack p50, us", float64(w.took.ValueAtQuantile(50)))
	r.add(table, row, "ack p99, us", float64(w.took.ValueAtQuantile(99)))
	r.add(table, row, "slowest, ms", float64(w.took.Max())/1000)
	r.add(table, row, `"cluster":false`, float64(w.partial.Load()))
	spent := 0.0
	for _, n := range cl.nodes {
		spent += float64((after[n.Process.Name()] - before[n.Process.Name()]).Microseconds())
	}
	r.add(table, row, "nodes, us of CPU a join and leave", spent/acks)
	if cl.nats != nil {
		r.add(table, row, "nats-server", float64((after["nats-server"]-before["nats-server"]).Microseconds())/acks)
		r.add(table, row, "markers a second", markers/took.Seconds())
	}
	return nil
}

func (w *walkers) walk(ctx context.Context, c *client, start time.Time, every, duration time.Duration) error {
	var in []string
	stay := max(1, int(time.Second/every))
	for i := 0; ; i++ {
		at := start.Add(time.Duration(i) * every)
		if at.Sub(start) > duration || ctx.Err() != nil {
			return ctx.Err()
		}
		time.Sleep(time.Until(at))
		group := newGroups(1)[0]
		in = append(in, group)
		asked := time.Now()
		c.put([]byte(groupcast.join(group, i)))
		if len(in) > stay {
			c.put([]byte(`{"cmd":"leave_group","group_id":` + strconv.Quote(in[0]) + `}`))
			in = in[1:]
		}
		if err := c.flush(); err != nil {
			return err
		}
		text, err := c.next()
		if err != nil {
			return err
		}
		id, whole, ok := groupcast.joined(text)
		if !ok || id != i {
			return fmt.Errorf("the ack of join %d is %s", i, text)
		}
		w.acks.Add(1)
		if !whole {
			w.partial.Add(1)
		}
		w.mu.Lock()
		_ = w.took.RecordValue(max(1, time.Since(asked).Microseconds()))
		w.mu.Unlock()
	}
}

// crash ends the NATS server while each node publishes to members of the other two, and starts it again.
func (c *joinsCommand) crash(ctx context.Context, r *results, cl *cluster, name string) error {
	cr := &crowd{latency: make(map[string]*hdr.Histogram)}
	defer cr.leave()
	var publishers []*publisher
	defer func() {
		for _, p := range publishers {
			p.close()
		}
	}()
	for i, n := range cl.nodes {
		names := newGroups(1)
		for j, other := range cl.nodes {
			if i == j {
				continue
			}
			if err := cr.joinAll(ctx, envelopes, place{other.listen, "all"}, names); err != nil {
				return err
			}
		}
		p, err := newPublisher(ctx, n.listen, groupcast, names, 100)
		if err != nil {
			return err
		}
		publishers = append(publishers, p)
	}
	run := 6*time.Second + c.Away
	errs := make(chan error, len(publishers))
	for _, p := range publishers {
		go func() { errs <- p.pace(ctx, 200, run) }()
	}
	time.Sleep(time.Second)
	before := cl.spentBy()
	cl.nats.Kill()
	time.Sleep(c.Away)
	back := time.Now()
	if err := cl.startNATS(ctx); err != nil {
		return err
	}
	for _, n := range cl.nodes {
		if err := n.awaitMetric(ctx, `bus_state{state="up"}`, func(v float64) bool { return v == 1 }); err != nil {
			return err
		}
	}
	up := time.Since(back)
	for _, n := range cl.nodes {
		for _, name := range []string{"bus_interest_waiting", "bus_buffered_bytes"} {
			if err := n.awaitMetric(ctx, name, func(v float64) bool { return v == 0 }); err != nil {
				return err
			}
		}
	}
	joined := time.Since(back)
	for range publishers {
		if err := <-errs; err != nil {
			return err
		}
	}
	want := int64(0)
	for _, p := range publishers {
		want += int64(2 * p.sent)
	}
	cr.await(want)
	after := cl.spentBy()
	table := fmt.Sprintf("The NATS server is killed, and started again %g s later, beside %s groups a node",
		c.Away.Seconds(), number(float64(c.Groups)))
	longest := float64(cr.latency["all"].Max()) / 1e6
	r.add(table, "until all nodes are connected again, s", name, up.Seconds())
	r.add(table, "until all have sent what they kept, and all groups are covered, s", name, joined.Seconds())
	r.add(table, "the longest way of a message, from before the crash on, s", name, longest)
	r.add(table, "CPU of the three nodes, the load of the probes included, s", name, (after["node A"] - before["node A"] +
		after["node B"] - before["node B"] + after["node C"] - before["node C"]).Seconds())
	r.add(table, "CPU of the new NATS server, s", name, after["nats-server"].Seconds())
	r.add(table, "probes sent, of all three", name, float64(want/2))
	r.add(table, "deliveries missed, of twice as many", name, float64(want-cr.came.Load()))
	r.add(table, "came twice", name, float64(cr.twice.Load()))
	r.add(table, "members", name, float64(len(cr.members)))
	r.add(table, "gaps that they were told", name, float64(cr.gaps.Load()))
	cr.leave()
	for _, m := range cr.members { // of all who missed something, each was told
		if m.missed > 0 && m.gaps == 0 {
			r.fault(fmt.Sprintf("crash: a member missed %d, and was told of no gap", m.missed))
		}
	}
	if missed := want - cr.came.Load(); missed != cr.missed.Load() {
		r.fault(fmt.Sprintf("crash: deliveries missed in front of others: got %d, want %d", cr.missed.Load(), missed))
	}
	if n := cr.twice.Load() + cr.damaged.Load() + cr.closed.Load(); n > 0 {
		r.fault(fmt.Sprintf("crash: came twice, damaged, or closed: got %d, want 0", n))
	}
	return nil
}
