package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"groupcast/server/control"
	"groupcast/server/door"
	"groupcast/server/monitor"
	"groupcast/server/settings"
	"groupcast/server/workerman"
)

// channelService is a Workerman Channel server behind its listeners.
type channelService struct {
	server  *workerman.Server
	log     *slog.Logger
	doors   []*door.Door
	serving sync.WaitGroup
}

// openChannel serves PHP programs where --channel says.
func (s *Server) openChannel() (service, error) {
	if len(s.options.Channel) == 0 {
		return nil, nil
	}
	doors, err := openDoors("channel", s.options.Channel, s.options.SocketMode)
	if err != nil {
		return nil, err
	}
	for _, d := range doors {
		if wrong := settings.ChannelReach(s.options, d.Bound()); wrong != nil {
			return nil, errors.Join(wrong, shutAll(doors))
		}
		if !d.Bound().IsLoopback() {
			s.log.Warn("the Channel server can be reached from other machines, and has no password",
				"address", d.Bound().String(), "allowed", fmt.Sprint(s.options.ChannelServer.Allow))
		}
	}
	o := s.options.ChannelServer
	o.MaxConns, o.MaxMessageBytes = maxChannelConns(s.maxFiles, s.options), s.options.MaxMessageBytes
	o.MaxChannelsPerFrame = o.MaxChannelsPerConn // PHP's client names all in one message
	o.Logger, o.IPv6Bits, o.Budget = s.log, s.options.IPv6PrefixBits, s.budget
	c := &channelService{log: s.log, doors: doors}
	if c.server, err = workerman.NewServer(o, s.node, s.engine); err != nil {
		return nil, errors.Join(fmt.Errorf("start the Channel server: %w", err), shutAll(doors))
	}
	s.channel.Store(c.server)
	for _, d := range doors {
		listener, err := s.along(d, s.roads.tls)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--channel: %w", err), c.close())
		}
		c.serving.Go(func() {
			err := c.server.Serve(listener)
			d.Ended()
			if err != nil && !errors.Is(err, workerman.ErrServerClosed) {
				s.log.Error("the Channel server's listener failed", "address", d.Bound().String(), "error", err)
			}
		})
	}
	return c, nil
}

func (c *channelService) listeners() []monitor.Listener {
	return shown(monitor.KindChannel, c.doors...)
}

// Both keep their own settings; the size of a message is the loops'.
func (c *channelService) prepare(next Options) (change, error) {
	return change{commit: func() error { c.server.SetMaxMessageBytes(next.MaxMessageBytes); return nil }}, nil
}
func (c *channelService) running(*Options) {}

func (j *joinService) prepare(next Options) (change, error) {
	return change{commit: func() error { j.client.SetMaxMessageBytes(next.MaxMessageBytes); return nil }}, nil
}
func (j *joinService) running(*Options) {}

// drain leaves it as it is: PHP programs talk to each other through it until the
// end, and what they publish to groups the loops refuse.
func (c *channelService) drain() {}

// flush hands the subscribers what the broker had in its order, and ends.
func (c *channelService) flush(ctx context.Context) error { return c.server.Close(ctx) }

func (c *channelService) close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // nobody is waited for
	err := errors.Join(c.server.Close(ctx), shutAll(c.doors))
	c.serving.Wait()
	return err
}

// joinService is the connection to another program's Channel server.
type joinService struct{ client *workerman.Client }

// joinChannel takes a worker's place where --channel-join says. That the server
// there is away now is no error.
func (s *Server) joinChannel() (service, error) {
	if s.options.ChannelJoin == "" {
		return nil, nil
	}
	o := joinOptions(s.options)
	o.Logger = s.log
	client, err := workerman.Join(o, s.node, s.engine)
	if err != nil {
		return nil, fmt.Errorf("--channel-join: %w", err)
	}
	s.joined.Store(client)
	return &joinService{client}, nil
}

func (j *joinService) listeners() []monitor.Listener { return nil }
func (j *joinService) drain()                        {}
func (j *joinService) close() error                  { return j.client.Close() }

// flush writes the server there what was on its way. Whether it is away, or slow,
// the client counts what it did not forward.
func (j *joinService) flush(ctx context.Context) error { return j.client.Flush(ctx) }

// channelControl is the Channel server as the control socket asks it; nil without one.
func (s *Server) channelControl() control.Channel {
	if server := s.channel.Load(); server != nil {
		return channelControl{server}
	}
	return nil
}

type channelControl struct{ server *workerman.Server }

func (c channelControl) PurgeQueue(name string) (messages int, ok bool) {
	return c.server.PurgeQueue(name)
}

func (c channelControl) Queues(limit int) (list []control.Queue, all int) {
	queues, all := c.server.Queues(limit)
	for _, q := range queues {
		list = append(list, control.Queue{
			Name: q.Name, Messages: q.Messages, Bytes: q.Bytes, Watchers: q.Watchers, Consumers: q.Consumers,
			OldestSeconds: q.Oldest.Seconds(),
		})
	}
	return list, all
}

func (c channelControl) Connections() (list []control.ChannelConnection) {
	for _, one := range c.server.Connections() {
		list = append(list, control.ChannelConnection{
			Kind: monitor.KindChannel, Peer: one.Peer, Name: one.Name, Channels: one.Channels, QueuedBytes: one.QueuedBytes,
			IdleSeconds: one.Idle.Seconds(), AgeSeconds: one.Age.Seconds(), Busy: one.Busy,
		})
	}
	return list
}

// channelStatus is what `status` shows of the Channel server; nil without one.
func (s *Server) channelStatus() *monitor.Channel {
	st := s.channelStats()
	if st == nil {
		return nil
	}
	out := &monitor.Channel{
		Connections:   st.Conns,
		Channels:      st.Channels,
		Subscriptions: st.Subscriptions,
		EventsOut:     st.EventsOut,
		Dropped:       st.EventsDropped + st.QueueDropped + st.Bridge.Dropped,
		Queued:        st.QueuedMessages,
	}
	for cause, n := range st.QueueLost.All() {
		if cause != "purged" { // which the operator did
			out.Dropped += n
		}
	}
	for _, n := range st.Bad.All() {
		out.BadFrames += n
	}
	for label, n := range st.Messages.All() {
		if label == "publish" || label == "publishLoop" {
			out.EventsIn += n
		}
	}
	return out
}

// joinStatus is the same of the connection to another one.
func (s *Server) joinStatus() *monitor.ChannelJoin {
	st := s.joinStats()
	if st == nil {
		return nil
	}
	return &monitor.ChannelJoin{
		Address: st.Address, Connected: st.Connected, Since: st.Since, Reconnects: st.Reconnects, LastError: st.LastError,
		Forwarded: st.Forwarded.Load(), NotForwarded: st.NotForwarded.Load() + st.Dropped, Received: st.Received.Load(),
	}
}

// channelStats are the Channel server's own; nil without one.
func (s *Server) channelStats() *workerman.Stats {
	server := s.channel.Load()
	if server == nil {
		return nil
	}
	return new(server.Stats())
}

// joinStats are the same of the connection to another one.
func (s *Server) joinStats() *workerman.Status {
	client := s.joined.Load()
	if client == nil {
		return nil
	}
	return new(client.Status())
}
