package monitor

import "time"

// Cluster is this node's part in a cluster over NATS, and what it knows of the other nodes.
type Cluster struct {
	Node  string `json:"node"`  // this one's name
	Epoch string `json:"epoch"` // of this one's life
	// State is that of the connection to NATS: connecting, up, away, refused or closed.
	State      string    `json:"state"`
	Since      time.Time `json:"since"`             // of State
	Server     string    `json:"server,omitempty"`  // which this node is connected to
	Servers    []string  `json:"servers,omitempty"` // those of --nats
	LastError  string    `json:"last_error,omitempty"`
	Reconnects uint64    `json:"reconnects"`
	RoundTrip  float64   `json:"round_trip_seconds"` // the last one to the NATS server and back
	// Joined says that this node's messages go to the others at once. It is false until a
	// connection that has come is settled, and where NameTaken.
	Joined    bool `json:"joined"`
	NameTaken bool `json:"name_taken"` // another node has this one's name: it is out of the cluster

	MessagesIn      uint64 `json:"messages_in"`
	MessagesOut     uint64 `json:"messages_out"`
	MessagesAvoided uint64 `json:"messages_avoided"` // of others, for which this node has no members
	MessagesLost    uint64 `json:"messages_lost"`    // that did not cross
	LossesTold      uint64 `json:"losses_told"`      // times that members were told of messages that they have missed
	SlowConsumer    uint64 `json:"slow_consumer"`    // times that messages came faster than they could be published

	BufferedBytes int     `json:"buffered_bytes"` // of messages that wait for NATS to be back
	LagSeconds    float64 `json:"lag_seconds"`    // how long the oldest message on its way to NATS has waited
	Subjects      int     `json:"subjects"`       // groups that this node is subscribed to one by one
	Wildcard      bool    `json:"wildcard"`       // it is subscribed to all groups at once
	WaitingJoins  int     `json:"waiting_joins"`  // whose acks wait until the other nodes know of them

	Nodes []ClusterNode `json:"nodes"` // the others, by name
}

// ClusterNode is another node, as this one knows it. One that is gone is forgotten after an hour.
type ClusterNode struct {
	Name    string `json:"name"`
	Epoch   string `json:"epoch"`
	Version string `json:"version"`
	Host    string `json:"host"`
	PID     int    `json:"pid"`
	// State is up; silent, when its heartbeats are missed; gone, when they were for --nats-lease; left,
	// when it has said that it goes; or unknown, while this node has no connection to NATS.
	State        string  `json:"state"`
	Sessions     int     `json:"sessions"`
	Groups       int     `json:"groups"`
	LagSeconds   float64 `json:"lag_seconds"`
	HeardSeconds float64 `json:"heard_seconds"` // since its last heartbeat
	Joined       bool    `json:"channel_join"`  // it has --channel-join
}

// States of a cluster's connection that are told apart here, and of nodes.
const (
	ClusterUp = "up"

	NodeUp      = "up"
	NodeSilent  = "silent"
	NodeGone    = "gone"
	NodeLeft    = "left"
	NodeUnknown = "unknown"
)

// ExplainCluster says in words what a state of the connection to NATS means for this node.
func ExplainCluster(state string) string {
	switch state {
	case "connecting":
		return "there was no connection to NATS yet"
	case "away":
		return "no NATS server can be reached"
	case "refused":
		return "NATS does not take this node's credentials"
	case "closed":
		return "this node has left the cluster"
	}
	return ""
}

// clusterCounters tells note what has been counted of a cluster.
func clusterCounters(c *Cluster, note func(c counter, n uint64)) {
	note(counter{EventBusLost, ""}, c.MessagesLost)
	note(counter{EventBusLosses, ""}, c.LossesTold)
	note(counter{EventBusSlow, ""}, c.SlowConsumer)
}

// clusterStates tells note what is not as it should be in a cluster.
func clusterStates(s *Status, note func(c counter)) {
	c := s.Cluster
	if c.State != ClusterUp {
		note(counter{EventBusAway, c.State})
	}
	if c.NameTaken {
		note(counter{EventNameTaken, c.Node})
	}
	for i := range c.Nodes {
		n := &c.Nodes[i]
		if n.State == NodeSilent {
			note(counter{EventNodeSilent, n.Name})
		}
		if n.Joined && s.ChannelJoin != nil && (n.State == NodeUp || n.State == NodeSilent) {
			note(counter{EventJoinTwice, n.Name})
		}
	}
}

// departures tells note which nodes were there a sample ago, and are not now. What was there is
// for the next sample.
func departures(c *Cluster, there map[string]bool, note func(c counter)) {
	for i := range c.Nodes {
		n := &c.Nodes[i]
		kind := map[string]string{NodeGone: EventNodeGone, NodeLeft: EventNodeLeft}[n.State]
		if kind != "" && there[n.Name] {
			note(counter{kind, n.Name})
		}
		if n.State != NodeUnknown {
			there[n.Name] = kind == ""
		}
	}
}
