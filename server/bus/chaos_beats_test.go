package bus

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"groupcast/server/bus/wire"
)

// twoServers are two NATS servers whose route goes through a pipe.
func twoServers(t *testing.T) (all []*server.Server, route *pipe) {
	t.Helper()
	member := func(name string, routes ...*url.URL) func(*server.Options) {
		return func(o *server.Options) {
			o.ServerName = name
			// NoAdvertise: else they would learn each other's address, and go past the pipe.
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: -1, NoAdvertise: true}
			o.Routes = routes
		}
	}
	first := runServer(t, member("n0"))
	route = newPipe(t, first.ClusterAddr().String())
	second := runServer(t, member("n1", &url.URL{Scheme: "nats", Host: route.ln.Addr().String()}))
	all = []*server.Server{first, second}
	eventually(t, "the route is there", func() bool { return first.NumRoutes() >= routesOfPeer })
	return all, route
}

// TestRouteBreakIsTold: the route between two NATS servers ends and is back before a node is missed: no node's
// connection has ended, and what was sent meanwhile is told of all the same.
func TestRouteBreakIsTold(t *testing.T) {
	servers, route := twoServers(t)
	nodes := startNodes(t, 2, servers)
	member := dialNode(t, nodes[1], envelope)
	member.join("g")
	nodes[0].publish(t, "g", "1")
	member.want(`{"type":"message","group_id":"g","message":"1"}`)

	sent := 1
	publish := func() {
		sent++
		nodes[0].publish(t, "g", fmt.Sprint(sent))
	}
	route.cut()
	eventually(t, "the route has ended", func() bool { return servers[0].NumRoutes() == 0 })
	publish()
	before := beatOf(t, servers[0], "a")
	eventually(t, "a heartbeat is lost", func() bool { return before() })
	route.mend()
	eventually(t, "the route is back", func() bool { return servers[0].NumRoutes() >= routesOfPeer })
	eventually(t, "the member is told", func() bool {
		publish()
		text := member.next()
		if strings.Contains(text, `"message":"2"`) {
			t.Fatalf("%s crossed without a route", text)
		}
		return text == `{"type":"gap","group_id":"g","missed":"unknown"}`
	})
}

// beatOf reports, once, whether a heartbeat of the node has come since the call.
func beatOf(t *testing.T, s *server.Server, node string) func() bool {
	t.Helper()
	came := make(chan struct{}, 64)
	_, err := foreign(t, s).Subscribe("groupcast.n.all", func(m *nats.Msg) {
		if c, bad := wire.ReadControl(m.Data); bad == nil && c.Heartbeat != nil && c.Node == node {
			came <- struct{}{}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() bool { return len(came) > 0 }
}

// beatAs is a heartbeat with a number.
func (s *stranger) beatAs(place, number uint64) {
	s.t.Helper()
	s.says("groupcast.n.all", wire.Control{Heartbeat: &wire.Heartbeat{
		Program: "test", Place: place, Connection: 1, Number: number,
	}})
}

// answers has the stranger say to node a, whatever it asks, that its last message, at place, was to that group.
func (s *stranger) answers(place uint64, group string) {
	s.t.Helper()
	_, err := s.conn.Subscribe("groupcast.n.*", func(m *nats.Msg) {
		c, bad := wire.ReadControl(m.Data)
		switch {
		case bad != nil || c.Node == s.name:
		case c.Marker != nil:
			s.says("groupcast.n.a", wire.Control{Marked: &wire.Marked{ID: c.Marker.ID, Place: place}})
		case c.Range != nil:
			s.says("groupcast.n.a", wire.Control{Ranged: &wire.Ranged{
				ID: c.Range.ID, Place: place, Hashes: []uint64{wire.Hash(group)},
			}})
		}
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.flushed()
}

// TestHiddenNode: a node comes into sight that has been there for long, behind a partition. What it sent meanwhile is
// told of, although the members' joins had been acknowledged by all nodes that were known.
func TestHiddenNode(t *testing.T) {
	s := runServer(t)
	n := startNode(t, "a", one(s))
	member := dialNode(t, n, envelope)
	member.join("g")
	other := newStranger(t, s, "other")
	other.beatAs(0, 1)
	n.joinedBy(t, 1)
	eventually(t, "the node is there for long", func() bool { return n.Status().Nodes[0].State == NodeSilent })
	hidden := newStranger(t, s, "hidden", nats.NoEcho())
	hidden.answers(5, "g")
	hidden.beatAs(5, 10)
	member.want(`{"type":"gap","group_id":"g","missed":"unknown"}`)
}

// TestStallIsNoLoss: a node that says nothing for a while and then goes on where it was has lost nothing, and members
// are told of nothing; if it goes on behind heartbeats that have not come, they are.
func TestStallIsNoLoss(t *testing.T) {
	for name, test := range map[string]struct {
		number uint64
		gap    bool
	}{"stall": {3, false}, "partition": {4, true}} {
		t.Run(name, func(t *testing.T) {
			s := runServer(t)
			n := startNode(t, "a", one(s))
			p := newStranger(t, s, "p", nats.NoEcho())
			place := uint64(0)
			beat := func(number uint64) { p.beatAs(place, number) }
			publish := func(text string) {
				place++
				at := wire.Place{Node: p.name, Epoch: p.epoch, Order: place}
				m := wire.Message{Payload: []byte(text), IsText: true, Origin: at}
				err := p.conn.PublishMsg(&nats.Msg{Subject: "groupcast.g.g", Data: m.Payload, Header: m.Header()})
				if err != nil {
					t.Fatal(err)
				}
			}
			p.answers(2, "g")
			beat(1)
			n.joinedBy(t, 1)
			member := dialNode(t, n, envelope)
			member.join("g")
			publish("before")
			member.want(`{"type":"message","group_id":"g","message":"before"}`)
			beat(2)
			state := func(want string) func() bool {
				return func() bool { return n.Status().Nodes[0].State == want }
			}
			eventually(t, "it is missed", state(NodeSilent))
			publish("behind")
			beat(test.number)
			member.want(`{"type":"message","group_id":"g","message":"behind"}`)
			eventually(t, "it is there again", func() bool { return state(NodeUp)() && n.doubts.Load() == 0 })
			publish("end")
			if test.gap {
				member.want(`{"type":"gap","group_id":"g","missed":"unknown"}`)
			}
			member.want(`{"type":"message","group_id":"g","message":"end"}`)
		})
	}
}
