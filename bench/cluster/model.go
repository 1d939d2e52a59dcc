package main

import (
	"errors"
	"fmt"
	"os"
)

// modelCommand computes what follows from the parts.
type modelCommand struct {
	Points string `arg:"" type:"existingfile" help:"What --points of cost has written."`
}

// parts are prices in microseconds of CPU.
type parts struct {
	publish, deliver, send, receive float64 // of nodes
	nats, natsNode                  float64 // a message, and each node that gets it
}

// message is the price of one with members on so many other nodes, a member each.
func (p parts) message(others int) float64 {
	return p.publish + p.send + p.nats + float64(others)*(p.natsNode+p.receive+p.deliver)
}

// load is the table's name of the load that the model is of.
const modelLoad = "20,000 messages a second, 100 bytes"

func readParts(r *results) (p parts, err error) {
	spent := func(run int, process string) float64 {
		v, there := r.median("CPU, us a message: "+modelLoad, costRuns[run].name, process)
		if !there {
			err = errors.New("there are no figures of cost for " + modelLoad)
		}
		return v
	}
	p.publish = spent(0, "node A")
	p.send = spent(2, "node A") - p.publish
	p.deliver = spent(5, "node B") - spent(4, "node B")
	p.receive = spent(4, "node B") - p.deliver
	p.nats = spent(2, "nats-server")
	p.natsNode = spent(4, "nats-server") - p.nats
	return p, err
}

// Run predicts the runs with three nodes by those with one and two, and then what was not measured.
func (m *modelCommand) Run(r *results) error {
	file, err := os.Open(m.Points)
	if err != nil {
		return err
	}
	defer file.Close()
	measured, err := readPoints(file)
	if err != nil {
		return err
	}
	p, err := readParts(measured)
	if err != nil {
		return err
	}
	all := func(run int) (sum float64) {
		for _, process := range []string{"node A", "nats-server", "node B", "node C"} {
			v, _ := measured.median("CPU, us a message: "+modelLoad, costRuns[run].name, process)
			sum += v
		}
		return sum
	}
	check := "The model beside what was measured, us of CPU a message, all processes"
	for _, one := range []struct{ run, others int }{{2, 0}, {4, 1}, {6, 1}, {7, 2}} {
		r.add(check, costRuns[one.run].name, "model", p.message(one.others))
		r.add(check, costRuns[one.run].name, "measured", all(one.run))
	}
	table := "Model: a message, us of CPU of all processes, by how many other nodes have a member"
	for _, nodes := range []int{3, 10, 100} {
		row := fmt.Sprintf("%d nodes", nodes)
		r.add(table, row, "none", p.message(0))
		r.add(table, row, "1", p.message(1))
		r.add(table, row, "half of them", p.message((nodes-1)/2))
		r.add(table, row, "all", p.message(nodes-1))
		r.add(table, row, "all, by node", p.message(nodes-1)/float64(nodes))
	}
	return nil
}
