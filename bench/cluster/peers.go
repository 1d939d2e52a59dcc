package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"groupcast/bench/internal/process"
)

// peersCommand measures two nodes of other servers, with what they have between them, beside two of groupcast.
type peersCommand struct {
	conditions `embed:""`
	Centrifuge string        `help:"bench/peers' program centrifuge-cluster." placeholder:"FILE"`
	SocketIO   string        `help:"bench/peers' program socketio-cluster.js." placeholder:"FILE"`
	Redis      string        `default:"redis-server" help:"Where Redis is to be between them."`
	Duration   time.Duration `default:"1500ms" help:"How long each run publishes."`
	Groups     int           `default:"100" help:"Groups that are published to in turn."`
	Rate       float64       `default:"5000" help:"Messages a second."`
	Size       int           `default:"100" help:"Bytes of each."`
}

// rival is two nodes of a server, and what is between them.
type rival struct {
	name    string
	start   func(context.Context) (*cluster, error)
	running *cluster
}

// Run measures them in turn. One that cannot be had is named.
func (c *peersCommand) Run(ctx context.Context, r *results) error {
	rivals := []*rival{{name: "groupcast, NATS", start: func(ctx context.Context) (*cluster, error) {
		return startCluster(ctx, &c.conditions, setup{nodes: 2, nats: true})
	}}}
	if c.Centrifuge != "" {
		for _, broker := range []string{"nats", "redis"} {
			rivals = append(rivals, &rival{name: "Centrifuge, " + broker, start: func(ctx context.Context) (*cluster, error) {
				return c.startRival(ctx, centrifuge, broker, 1, c.Centrifuge)
			}})
		}
	}
	if c.SocketIO != "" {
		rivals = append(rivals, &rival{name: "Socket.IO, redis", start: func(ctx context.Context) (*cluster, error) {
			return c.startRival(ctx, socketIO, "redis", 0, "node", c.SocketIO)
		}})
	}
	var there []*rival
	defer func() {
		for _, one := range there {
			one.running.stop()
		}
	}()
	for _, one := range rivals {
		running, err := one.start(ctx)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: left out: %v\n", one.name, err)
			continue
		}
		one.running = running
		there = append(there, one)
	}
	if len(there) == 0 {
		return errors.New("none of the servers can be had")
	}
	for round := range c.Rounds + 1 { // the first one warms them up
		for _, one := range there {
			into := r
			if round == 0 {
				into = &results{}
			}
			if err := c.round(ctx, into, one); err != nil {
				return fmt.Errorf("%s: %w", one.name, err)
			}
			if round == 0 {
				r.fault(into.wrong...)
			}
		}
	}
	return nil
}

func (c *peersCommand) round(ctx context.Context, r *results, one *rival) error {
	table := fmt.Sprintf("Two nodes, %s messages a second of %d bytes, published at A", number(c.Rate), c.Size)
	cl := one.running
	nobody, err := spend(ctx, r, cl, one.name+", nobody", nil, c.Groups, c.Rate, c.Size, c.Duration)
	if err != nil {
		return err
	}
	atB, err := spend(ctx, r, cl, one.name+", one at B", []int{1}, c.Groups, c.Rate, c.Size, c.Duration)
	if err != nil {
		return err
	}
	twoAtB, err := spend(ctx, r, cl, one.name+", two at B", []int{1, 1}, c.Groups, c.Rate, c.Size, c.Duration)
	if err != nil {
		return err
	}
	broker := cl.nats.Name()
	deliver := twoAtB["node B"] - atB["node B"]
	r.add(table, one.name, "A, us of CPU", atB["node A"])
	r.add(table, one.name, "between", atB[broker])
	r.add(table, one.name, "B, with its member", atB["node B"])
	r.add(table, one.name, "all", atB["node A"]+atB[broker]+atB["node B"])
	r.add(table, one.name, "of B's: the member", deliver)
	r.add(table, one.name, "all, where nobody is a member", nobody["node A"]+nobody[broker]+nobody["node B"])
	places := []place{{cl.nodes[0].listen, "A"}, {cl.nodes[1].listen, "B"}}
	latency, err := travel(ctx, r, cl.spoken(), places, 1000, c.Size, c.Duration)
	if err != nil {
		return err
	}
	for _, at := range places {
		r.add(table, one.name, "to a member at "+at.name+", p50, us", float64(latency[at.name].ValueAtQuantile(50)))
		r.add(table, one.name, "p99 at "+at.name, float64(latency[at.name].ValueAtQuantile(99)))
	}
	return nil
}

// startRival starts what is between the nodes, and two of them.
func (c *peersCommand) startRival(
	ctx context.Context, d *dialect, broker string, procs int, program ...string,
) (cl *cluster, err error) {
	addresses, err := process.FreeAddresses(3)
	if err != nil {
		return nil, err
	}
	cl = &cluster{address: addresses[0], program: c.NATS, dialect: d}
	defer func() {
		if err != nil {
			cl.stop()
		}
	}()
	if broker == "nats" {
		err = cl.startNATS(ctx)
	} else {
		host, port, _ := strings.Cut(cl.address, ":")
		cl.nats, err = process.Start(process.Command{
			Name: c.Redis, Args: []string{c.Redis, "--bind", host, "--port", port, "--save", "", "--appendonly", "no"},
		})
		if err == nil {
			err = cl.nats.AwaitListening(ctx, patience, cl.address)
		}
	}
	if err != nil {
		return cl, err
	}
	for i, address := range addresses[1:] {
		n := &node{name: string(rune('A' + i)), listen: address}
		args := append(slices.Clip(program), "--addr="+address, "--broker="+broker+"://"+cl.address)
		if n.Process, err = startNode(n.name, procs, args); err != nil {
			return cl, err
		}
		cl.nodes = append(cl.nodes, n)
		if err = n.AwaitListening(ctx, patience, address); err != nil {
			return cl, err
		}
	}
	return cl, nil
}
