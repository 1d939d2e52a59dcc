package server

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"

	"github.com/gobwas/ws"

	"groupcast/loop"
	"groupcast/server/bus"
)

// place is one server, or a cluster of several, as clients meet it behind a load balancer: each comes to the
// next node.
type place struct {
	t     *testing.T
	nodes []*Server
	next  int
}

// onOneAndThree runs a test on one node and on three. change may be nil.
func onOneAndThree(t *testing.T, change func(*Options), test func(p *place)) {
	t.Helper()
	t.Run("one node", func(t *testing.T) {
		test(&place{t: t, nodes: []*Server{startServer(t, change)}})
	})
	t.Run("three nodes", func(t *testing.T) {
		p := &place{t: t}
		port := runNATS(t, 0).Addr().(*net.TCPAddr).Port
		for _, name := range []string{"a", "b", "c"} {
			p.nodes = append(p.nodes, startServer(t, func(o *Options) {
				o.Bus.Servers, o.Bus.Node = []string{"nats://127.0.0.1:" + strconv.Itoa(port)}, name
				o.Bus.JoinWait = bus.MaxJoinWait // a busy machine makes no join uncovered
				if change != nil {
					change(o)
				}
			}))
		}
		for _, s := range p.nodes {
			eventually(t, "the others are there", func() bool {
				st := s.bus.Load().Status()
				return st.Joined && len(st.Nodes) == 2
			})
		}
		test(p)
	})
}

// connect opens a session at the next node.
func (p *place) connect(protocols ...string) *client {
	p.t.Helper()
	_, c := p.connectAt(protocols...)
	return c
}

// connectAt says at which it is, too.
func (p *place) connectAt(protocols ...string) (node int, c *client) {
	p.t.Helper()
	node = p.next % len(p.nodes)
	p.next++
	return node, connect(p.t, p.nodes[node].Addresses()[0], protocols...)
}

// stats are all nodes' together.
func (p *place) stats() (sum loop.ReactorStats, conns int, order uint64) {
	p.t.Helper()
	for _, s := range p.nodes {
		stats, err := s.Stats(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		one := stats.Sum()
		sum.Add(&one)
		conns += stats.Conns
		order = max(order, stats.Order)
	}
	return sum, conns, order
}

// drain drains one node after the other.
func (p *place) drain(code ws.StatusCode) (result loop.DrainResult, err error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for _, s := range p.nodes {
		one, failed := s.Drain(ctx, code)
		result.Left += one.Left
		result.CutSessions += one.CutSessions
		err = errors.Join(err, failed)
	}
	return result, err
}
