package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"groupcast/bench/internal/process"
)

// patience is how long anything may take that is no figure.
const patience = 60 * time.Second

// conditions are which programs are measured, and how they are started.
type conditions struct {
	Server string `default:"bin/groupcast" type:"existingfile" help:"The groupcast that is measured."`
	NATS   string `name:"nats-server" default:"bin/nats-server" type:"existingfile" help:"The NATS server."`
	Procs  int    `default:"1" help:"GOMAXPROCS of each groupcast; 0: as the machine has it."`
	Rounds int    `default:"3" help:"How often each is measured, in turn."`
}

// node is one groupcast.
type node struct {
	*process.Process
	name, listen, api, pprof string
}

// cluster is some nodes, and the NATS server between them, if there is one.
// Owner: the run.
type cluster struct {
	nats    *process.Process
	address string // of the NATS server
	program string // of that
	nodes   []*node
	dialect *dialect // nil: groupcast's
}

// spoken is what clients speak with it.
func (c *cluster) spoken() *dialect { return cmp.Or(c.dialect, groupcast) }

// setup says what a cluster is made of.
type setup struct {
	nodes int
	nats  bool // nodes have --nats
	flags []string
}

// startCluster returns when all nodes know of each other.
func startCluster(ctx context.Context, o *conditions, s setup) (c *cluster, err error) {
	addresses, err := process.FreeAddresses(1 + 3*s.nodes)
	if err != nil {
		return nil, err
	}
	c = &cluster{address: addresses[0], program: o.NATS}
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	flags := s.flags
	if s.nats {
		if err := c.startNATS(ctx); err != nil {
			return c, err
		}
		flags = append([]string{"--nats", "nats://" + c.address}, flags...)
	}
	for i := range s.nodes {
		n := &node{
			name: string(rune('A' + i)), listen: addresses[1+3*i], api: addresses[2+3*i], pprof: addresses[3+3*i],
		}
		args := []string{
			"start", "--listen", n.listen, "--api", n.api, "--pprof", n.pprof, "--control", "none", "--loops", "1",
			"--log-level", "warn", "--max-groups-per-session", "100000",
		}
		if s.nats {
			args = append(args, "--nats-node", "node-"+n.name)
		}
		program := append([]string{o.Server}, append(args, flags...)...)
		if n.Process, err = startNode(n.name, o.Procs, program); err != nil {
			return c, err
		}
		c.nodes = append(c.nodes, n)
	}
	for _, n := range c.nodes {
		for _, address := range []string{n.listen, n.api} {
			if err := n.AwaitListening(ctx, patience, address); err != nil {
				return c, err
			}
		}
		if s.nats {
			if err := n.awaitMetric(ctx, "bus_nodes", func(v float64) bool { return v == float64(s.nodes) }); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

func (c *cluster) startNATS(ctx context.Context) (err error) {
	host, port, _ := strings.Cut(c.address, ":")
	if c.nats, err = process.Start(process.Command{
		Name: "nats-server", Args: []string{c.program, "-a", host, "-p", port},
	}); err != nil {
		return err
	}
	return c.nats.AwaitListening(ctx, patience, c.address)
}

// startNode starts a program with that many CPUs for Go code at a time; 0 leaves that to the program.
func startNode(name string, procs int, program []string) (*process.Process, error) {
	c := process.Command{Name: "node " + name, Args: program}
	if procs > 0 {
		c.Env = []string{"GOMAXPROCS=" + strconv.Itoa(procs)}
	}
	return process.Start(c)
}

// grace is what a process has to end by itself.
const grace = 10 * time.Second

func (c *cluster) stop() {
	for _, n := range c.nodes {
		n.Stop(grace)
	}
	if c.nats != nil {
		c.nats.Stop(grace)
	}
}

// get is the body of a page of one of the process's own servers.
func get(ctx context.Context, address, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

// metrics are those of the server, by name and labels, without the name's common beginning.
func (n *node) metrics(ctx context.Context) (map[string]float64, error) {
	page, err := get(ctx, n.api, "/metrics")
	if err != nil {
		return nil, err
	}
	all := make(map[string]float64)
	for line := range strings.Lines(page) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			all[strings.TrimPrefix(name, "groupcast_")] = v
		}
	}
	return all, nil
}

// awaitMetric returns when the server has such a value.
func (n *node) awaitMetric(ctx context.Context, name string, good func(float64) bool) error {
	return n.Await(ctx, patience, func() error {
		all, err := n.metrics(ctx)
		if err != nil {
			return err
		}
		if v, there := all[name]; !there || !good(v) {
			return fmt.Errorf("metric %s is %v (there: %v)", name, v, there)
		}
		return nil
	})
}

// heap is what the server's heap holds behind a collection, in bytes.
func (n *node) heap(ctx context.Context) (int64, error) {
	page, err := get(ctx, n.pprof, "/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(page, "# HeapAlloc = ")
	text, _, _ := strings.Cut(rest, "\n")
	bytes, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("node %s: its profile does not say what its heap holds", n.name)
	}
	return bytes, nil
}

// settle gives what was started or joined time to come to rest.
func settle() { time.Sleep(500 * time.Millisecond) }
