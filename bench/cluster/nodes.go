package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"github.com/nats-io/nats.go"
)

// nodesCommand measures what many nodes cost one of them. One is real; this program plays the others, each with a
// connection of its own, by the messages that are seen on the bus: so the NATS server has the work of all of them.
type nodesCommand struct {
	conditions `embed:""`
	Nodes      []int         `default:"1,3,10,30,100" help:"Nodes, the real one included."`
	Duration   time.Duration `default:"3s" help:"How long each is looked at."`
	Joins      float64       `default:"100" help:"Joins a second at the real node, one marker each."`
	Markers    float64       `default:"200" help:"Markers a second of all others together."`
}

// said by nodes to each other, as far as it is needed here.
type word struct {
	V          int    `json:"v"`
	Type       string `json:"type"`
	Node       string `json:"node"`
	Epoch      string `json:"epoch"`
	ID         uint64 `json:"id,omitempty"`
	Generation uint64 `json:"generation,omitempty"`
	Place      uint64 `json:"place"`
	Program    string `json:"program,omitempty"`
	Reads      []int  `json:"reads,omitempty"`
	Host       string `json:"host,omitempty"`
	PID        int    `json:"pid,omitempty"`
}

const (
	toAll    = "groupcast.n.all"
	toNode   = "groupcast.n."
	realNode = "node-A"
)

// actor plays one node.
// Owner: nats.go's goroutine of its subscription, and the one that has it speak.
type actor struct {
	conn  *nats.Conn
	name  string
	epoch string
	asked atomic.Uint64
}

func newActor(address string, i int) (*actor, error) {
	conn, err := nats.Connect("nats://"+address, nats.NoEcho())
	if err != nil {
		return nil, err
	}
	a := &actor{conn: conn, name: fmt.Sprintf("played-%d", i), epoch: fmt.Sprintf("%016x", i+1)}
	_, err = conn.Subscribe(toAll, func(m *nats.Msg) {
		var w word
		// Others of this program's are not answered: it would have the work of all of them.
		if json.Unmarshal(m.Data, &w) == nil && w.Type == "marker" && w.Node == realNode {
			a.say(toNode+w.Node, word{Type: "marked", ID: w.ID})
		}
	})
	if err == nil {
		_, err = conn.Subscribe(toNode+a.name, func(*nats.Msg) { a.asked.Add(1) })
	}
	return a, err
}

func (a *actor) say(subject string, w word) {
	w.V, w.Node, w.Epoch = 1, a.name, a.epoch
	if data, err := json.Marshal(w); err == nil {
		_ = a.conn.Publish(subject, data) // a connection that is gone is missed by the real node
	}
}

func (a *actor) beat() {
	a.say(toAll, word{Type: "heartbeat", Program: "devel", Reads: []int{1}, Host: a.name + ".example", PID: 1})
}

// Run measures.
func (c *nodesCommand) Run(ctx context.Context, r *results) error {
	for range c.Rounds {
		for _, nodes := range c.Nodes {
			if err := c.round(ctx, r, nodes); err != nil {
				return fmt.Errorf("%d nodes: %w", nodes, err)
			}
		}
	}
	return nil
}

func (c *nodesCommand) round(ctx context.Context, r *results, nodes int) error {
	cl, err := startCluster(ctx, &c.conditions, setup{nodes: 1, nats: true})
	if err != nil {
		return err
	}
	defer cl.stop()
	ctx, cancel := context.WithCancel(ctx)
	var playing sync.WaitGroup
	defer playing.Wait()
	defer cancel()
	actors := make([]*actor, nodes-1)
	for i := range actors {
		if actors[i], err = newActor(cl.address, i); err != nil {
			return err
		}
		defer actors[i].conn.Close()
	}
	playing.Go(func() { play(ctx, actors, float64(len(actors)), (*actor).beat) })
	n := cl.nodes[0]
	if err := n.awaitMetric(ctx, "bus_nodes", func(v float64) bool { return v == float64(nodes) }); err != nil {
		return err
	}
	time.Sleep(time.Second) // what is said to new nodes is said
	table, row := "One node of many, where nothing is published", number(float64(nodes))+" nodes"
	idle := measure(cl, c.Duration)
	r.add(table, row, "node, us of CPU a second", idle["node A"])
	r.add(table, row, "nats-server", idle["nats-server"])

	walking := &walkers{took: hdr.New(1, 60_000_000, 3)}
	client, err := dial(ctx, n.listen, groupcast)
	if err != nil {
		return err
	}
	defer client.close()
	failed := make(chan error, 1)
	playing.Go(func() {
		failed <- walking.walk(ctx, client, time.Now(), time.Duration(float64(time.Second)/c.Joins), c.Duration)
	})
	joining := measure(cl, c.Duration)
	if err := <-failed; err != nil {
		return err
	}
	acks := float64(walking.acks.Load())
	per := func(with map[string]float64, name string, times float64) float64 {
		return (with[name] - idle[name]) / times
	}
	r.add(table, row, "a join: ack p50, us", float64(walking.took.ValueAtQuantile(50)))
	r.add(table, row, "p99, us", float64(walking.took.ValueAtQuantile(99)))
	r.add(table, row, `"cluster":false`, float64(walking.partial.Load()))
	r.add(table, row, "a join: node, us of CPU", per(joining, "node A", acks/c.Duration.Seconds()))
	r.add(table, row, "a join: nats-server", per(joining, "nats-server", acks/c.Duration.Seconds()))
	if nodes == 1 {
		return nil
	}
	before := answers(actors)
	others, stop := context.WithCancel(ctx)
	var id atomic.Uint64
	playing.Go(func() {
		play(others, actors, c.Markers, func(a *actor) { a.say(toAll, word{Type: "marker", ID: id.Add(2)}) })
	})
	marked := measure(cl, c.Duration)
	stop()
	got := float64(answers(actors)-before) / c.Duration.Seconds()
	r.add(table, row, "others' markers answered a second", got)
	r.add(table, row, "each: node, us of CPU", per(marked, "node A", got))
	r.add(table, row, "each: nats-server", per(marked, "nats-server", got))
	return nil
}

func answers(actors []*actor) (n uint64) {
	for _, a := range actors {
		n += a.asked.Load()
	}
	return n
}

// play has actors speak in turn, so often a second in all.
func play(ctx context.Context, actors []*actor, rate float64, speak func(*actor)) {
	if len(actors) == 0 {
		return
	}
	start := time.Now()
	for said := 0; ctx.Err() == nil; time.Sleep(time.Millisecond) {
		for due := int(time.Since(start).Seconds() * rate); said < due; said++ {
			speak(actors[said%len(actors)])
		}
	}
}

// measure is the CPU time of each process in microseconds a second, over that duration.
func measure(cl *cluster, duration time.Duration) map[string]float64 {
	before, start := cl.spentBy(), time.Now()
	time.Sleep(duration)
	after, took := cl.spentBy(), time.Since(start).Seconds()
	all := make(map[string]float64)
	for name, cpu := range after {
		all[name] = float64((cpu - before[name]).Nanoseconds()) / 1000 / took
	}
	return all
}
