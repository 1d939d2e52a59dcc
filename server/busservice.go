package server

import (
	"context"
	"errors"
	"fmt"

	"groupcast/server/bus"
	"groupcast/server/monitor"
	"groupcast/server/settings"
)

// busService is this node's part in a cluster.
type busService struct{ bus *bus.Bus }

// joinCluster joins the nodes of --nats. It stands in front of the other services, since joins
// wait for the bus from then on: so it begins before anybody is let in, and ends behind all that
// may still publish.
func (s *Server) joinCluster() (service, error) {
	o := s.options.Bus
	if len(o.Servers) == 0 {
		return nil, nil
	}
	info := s.monitorInfo()
	if o.Node == "" {
		o.Node = bus.NodeName(info.Host)
	}
	o.Logger, o.Budget = s.log, s.budget
	b, err := bus.Start(o, s.engine, bus.Info{
		Program: info.Version, Host: info.Host, PID: info.PID, Joined: s.options.ChannelJoin != "", Load: s.load,
	})
	switch {
	case errors.Is(err, bus.ErrNameTaken):
		return nil, fmt.Errorf("%s: %w", settings.Flag("nats-node"), err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", settings.Flag("nats"), err)
	}
	s.bus.Store(b)
	s.directory.join(b)
	return &busService{b}, nil
}

// load is what the other nodes are told of this one. It waits for nobody.
func (s *Server) load() (sessions, groups int) {
	total := s.monitor.Status().Total
	return total.Sessions, total.Groups
}

func (b *busService) listeners() []monitor.Listener { return nil }

// prepare has nothing to change: settings of the cluster are for the start.
func (b *busService) prepare(Options) (change, error) {
	return change{commit: func() error { return nil }}, nil
}
func (b *busService) running(*Options) {}
func (b *busService) drain()           {}
func (b *busService) close() error     { return b.bus.Close() }

// flush has the others get what was accepted here, where the bus is there.
func (b *busService) flush(ctx context.Context) error { return b.bus.Flush(ctx) }

// busStats are what is counted of the bus; nil without one.
func (s *Server) busStats() *bus.Stats {
	b := s.bus.Load()
	if b == nil {
		return nil
	}
	return new(b.Stats())
}
