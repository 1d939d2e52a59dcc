package monitor

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"groupcast/loop"
)

// The joins that wait are counted by the loops, the rest by the bus; without one there is no cluster.
func TestClusterStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newFakeEngine(2)
		cluster := atomic.Pointer[Cluster]{}
		m, pass := run(t, e, Info{Cluster: func() *Cluster {
			if c := cluster.Load(); c != nil {
				return new(*c)
			}
			return nil
		}})
		pass(0)
		if c := m.Status().Cluster; c != nil {
			t.Errorf("without a cluster: %+v", c)
		}
		e.change(func(s *loop.Stats) { s.Reactors[0].JoinsWaiting, s.Reactors[1].JoinsWaiting = 2, 3 })
		cluster.Store(&Cluster{Node: "a", State: ClusterUp})
		pass(Every)
		if c := m.Status().Cluster; c == nil || c.Node != "a" || c.WaitingJoins != 5 {
			t.Errorf("got %+v", c)
		}
	})
}

// Every counter and state of a cluster is an event. A node that goes is one, and not one for as long
// as it is known to be gone; while there is no NATS nothing is known of nodes, and nobody goes.
func TestEventsOfACluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newFakeEngine(1)
		cluster, join := atomic.Pointer[Cluster]{}, atomic.Pointer[ChannelJoin]{}
		cluster.Store(&Cluster{State: ClusterUp})
		m, pass := run(t, e, Info{Cluster: func() *Cluster { return new(*cluster.Load()) }, ChannelJoin: join.Load})
		up := Cluster{Node: "a", State: ClusterUp}
		nodes := func(state string, joined bool) Cluster {
			c := up
			c.Nodes = []ClusterNode{{Name: "b", State: state, Joined: joined}, {Name: "c", State: NodeUp}}
			return c
		}
		join.Store(&ChannelJoin{Connected: true})
		for _, step := range []struct {
			is   Cluster
			want Event // the zero one: none
		}{
			{nodes(NodeGone, false), Event{}}, // it was gone before this one came
			{nodes(NodeUp, false), Event{}},
			{nodes(NodeSilent, false), Event{Kind: EventNodeSilent, Cause: "b"}},
			{nodes(NodeGone, false), Event{Kind: EventNodeGone, Cause: "b"}},
			{nodes(NodeGone, true), Event{}},
			{nodes(NodeUp, true), Event{Kind: EventJoinTwice, Cause: "b"}},
			{nodes(NodeLeft, true), Event{Kind: EventNodeLeft, Cause: "b"}},
			{nodes(NodeUp, false), Event{}},
			{nodes(NodeUnknown, true), Event{}},
			{nodes(NodeGone, false), Event{Kind: EventNodeGone, Cause: "b"}},
			{Cluster{Node: "a", State: "away"}, Event{Kind: EventBusAway, Cause: "away"}},
			{Cluster{Node: "a", State: ClusterUp, NameTaken: true}, Event{Kind: EventNameTaken, Cause: "a"}},
			{Cluster{State: ClusterUp, MessagesLost: 3}, Event{Kind: EventBusLost, Count: 3}},
			{Cluster{State: ClusterUp, LossesTold: 2, MessagesLost: 3}, Event{Kind: EventBusLosses, Count: 2}},
			{
				Cluster{State: ClusterUp, LossesTold: 2, MessagesLost: 3, SlowConsumer: 1},
				Event{Kind: EventBusSlow, Count: 1},
			},
		} {
			<-time.After(2 * eventQuiet) // what comes again is an event of its own
			cluster.Store(&step.is)
			pass(2 * Every)
			all := m.History().Events
			switch {
			case step.want == (Event{}):
				if len(all) > 0 && time.Since(all[0].To) < eventQuiet {
					t.Errorf("%+v: got %+v, want no event", step.is, all[0])
				}
			case len(all) == 0 || withoutTimes(all[0]) != step.want:
				t.Errorf("%+v: got %+v, want %+v", step.is, all, step.want)
			}
		}
	})
}

func withoutTimes(e Event) Event {
	e.From, e.To = time.Time{}, time.Time{}
	return e
}
