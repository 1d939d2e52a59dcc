package server

import (
	"fmt"
	"time"

	"groupcast/server/bus"
	"groupcast/server/monitor"
	"groupcast/server/settings"
)

// clusterStatus is what `status` shows of the cluster; nil without one.
func (s *Server) clusterStatus() *monitor.Cluster {
	b := s.bus.Load()
	if b == nil {
		return nil
	}
	st, counted := b.Status(), b.Stats()
	c := &monitor.Cluster{
		Node: st.Node, Epoch: st.Epoch, State: st.State.String(), Since: st.Since, Server: st.Server, Servers: st.Servers,
		LastError: st.LastError, Reconnects: st.Reconnects, RoundTrip: counted.RoundTrip.Seconds(),
		Joined: st.Joined, NameTaken: counted.NameTaken,
		MessagesIn: counted.In.Load(), MessagesOut: counted.Out.Load(), MessagesAvoided: counted.Avoided.Load(),
		MessagesLost: counted.Lost.Load() + counted.TooLarge.Load() + counted.LostOverloaded.Load() + counted.Dropped,
		SlowConsumer: counted.SlowConsumer.Load(), BufferedBytes: counted.Buffered, LagSeconds: counted.Lag.Seconds(),
		Subjects: counted.Subjects, Wildcard: counted.Wildcard != 0,
		Nodes: make([]monitor.ClusterNode, len(st.Nodes)),
	}
	if st.State != bus.StateUp {
		c.RoundTrip = 0 // of a connection that is gone
	}
	for _, n := range counted.LostGroups.All() {
		c.LossesTold += n
	}
	now := time.Now()
	for i, n := range st.Nodes {
		c.Nodes[i] = monitor.ClusterNode{
			Name: n.Name, Epoch: n.Epoch, Version: n.Program, Host: n.Host, PID: n.PID, State: nodeState(&st, &n),
			Sessions: n.Sessions, Groups: n.Groups, LagSeconds: n.Lag.Seconds(), HeardSeconds: now.Sub(n.Heard).Seconds(),
			Joined: n.Joined,
		}
	}
	return c
}

// nodeState is how another node is, by what can be known here: while there is no NATS, nothing is
// heard of anybody, and nobody counts as silent.
func nodeState(st *bus.Status, n *bus.Node) string {
	switch {
	case n.Left:
		return monitor.NodeLeft
	case n.State == bus.NodeGone:
		return monitor.NodeGone
	case st.State != bus.StateUp:
		return monitor.NodeUnknown
	case n.State == bus.NodeSilent:
		return monitor.NodeSilent
	}
	return monitor.NodeUp
}

// notReady is why no new clients should come here although the loops are well; "" if they should.
func (s *Server) notReady() string {
	b := s.bus.Load()
	if b == nil {
		return ""
	}
	st, o := b.Status(), s.Options()
	other := ""
	if o.ChannelJoin != "" {
		other = joinedBefore(&st)
	}
	switch {
	case st.NameTaken:
		return "another node of the cluster has the name " + st.Node
	case other != "":
		return fmt.Sprintf("node %s of the cluster has %s as well: one is to have it, or messages come twice", other,
			settings.Flag("channel-join"))
	case o.Bus.Ready && !st.Joined && st.State == bus.StateUp:
		return "the cluster's bus is there, and this node's messages do not go to the others yet"
	case o.Bus.Ready && !st.Joined:
		return fmt.Sprintf("the cluster's bus is %s: %s", st.State, monitor.ExplainCluster(st.State.String()))
	}
	return ""
}

// joinedBefore is the node that has --channel-join where this one should not have it as well: of
// several, the first by its name is right, so that one of them stays ready.
func joinedBefore(st *bus.Status) string {
	for i := range st.Nodes {
		if n := &st.Nodes[i]; n.Joined && n.State != bus.NodeGone && n.Name < st.Node {
			return n.Name
		}
	}
	return ""
}
