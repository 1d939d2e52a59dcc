package main

import (
	"fmt"
	"strings"
	"time"

	"groupcast/server/monitor"
)

// writeCluster says how this node and the others are doing, where there is a cluster.
func (p paper) writeCluster(b *strings.Builder, s monitor.Status, wide int) {
	c := s.Cluster
	if c == nil {
		return
	}
	p.writeRule(b, "CLUSTER", wide)
	p.writeLine(b, clusterState(s))
	p.writeFields(b,
		"epoch: "+printable(c.Epoch),
		named("server", c.Server),
		late("round trip", c.RoundTrip),
		some("reconnects", c.Reconnects),
		"subjects: "+thousands(c.Subjects),
		flagged("wildcard", c.Wildcard),
		some("joins waiting", uint64(c.WaitingJoins)),
	)
	p.writeFields(b,
		"messages in: "+thousands(c.MessagesIn),
		"out: "+thousands(c.MessagesOut),
		"avoided: "+thousands(c.MessagesAvoided),
		some("lost", c.MessagesLost),
		some("losses told", c.LossesTold),
		some("slow consumer", c.SlowConsumer),
		held("kept", c.BufferedBytes),
		late("lag", c.LagSeconds),
	)
	if c.LastError != "" {
		p.writeLine(b, []cell{{"last error: " + printable(c.LastError), yellow}})
	}
	if len(c.Nodes) == 0 {
		p.writeFields(b, "no other node is known")
		return
	}
	columns, rows := nodeTable(s)
	p.writeTable(b, columns, p.arrange(columns, rows, nil), rows)
}

// clusterState is the first line: which node this is, and whether it has the others.
func clusterState(s monitor.Status) []cell {
	c := s.Cluster
	colours := map[string]colour{monitor.ClusterUp: green, "connecting": yellow, "away": red, "refused": red}
	line := []cell{
		{"node: " + printable(c.Node) + "    bus: ", plain},
		{printable(c.State), colours[c.State]},
		{" for " + span(s.TakenAt.Sub(c.Since)), plain},
	}
	switch {
	case c.NameTaken:
		line = append(line, cell{"    another node has this one's name: it is out of the cluster", red})
	case c.State != monitor.ClusterUp:
		line = append(line, cell{" (" + monitor.ExplainCluster(c.State) + ")", plain})
	case c.Joined:
		line = append(line, cell{"    joined", green})
	default:
		line = append(line, cell{"    not joined yet", yellow})
	}
	return line
}

// nodeTable has a row for each other node.
func nodeTable(s monitor.Status) (columns []column, rows [][]cell) {
	columns = []column{
		{title: "node", least: 6},
		{title: "state"},
		{title: "version", rank: 4, least: 5},
		{title: "host", rank: 5, least: 5},
		{title: "sessions", right: true, rank: 1},
		{title: "groups", right: true, rank: 2},
		{title: "lag", right: true, rank: 3},
		{title: "heard", right: true},
		{title: "has", rank: 6},
	}
	colours := map[string]colour{monitor.NodeUp: green, monitor.NodeSilent: yellow, monitor.NodeGone: red}
	for _, n := range s.Cluster.Nodes {
		has := ""
		if n.Joined {
			has = "--channel-join"
		}
		rows = append(rows, []cell{
			{printable(n.Name), plain},
			{printable(n.State), colours[n.State]},
			{printable(n.Version), plain},
			{printable(n.Host), plain},
			{thousands(n.Sessions), plain},
			{thousands(n.Groups), plain},
			{latency(n.LagSeconds), plain},
			{span(max(0, time.Duration(n.HeardSeconds*float64(time.Second)))), plain},
			{has, plain},
		})
	}
	return columns, rows
}

// named is a text if there is one.
func named(name, text string) string {
	if text == "" {
		return ""
	}
	return name + ": " + printable(text)
}

func flagged(name string, is bool) string {
	if !is {
		return ""
	}
	return name
}

// held is a size if it is one.
func held(name string, bytes int) string {
	if bytes == 0 {
		return ""
	}
	return fmt.Sprintf("%s: %s", name, size(bytes))
}

// late is a time if there is one.
func late(name string, seconds float64) string {
	if seconds == 0 {
		return ""
	}
	return name + ": " + latency(seconds)
}
