package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"groupcast/server/door"
	"groupcast/server/metrics"
	"groupcast/server/monitor"
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
	doors, err := openDoors("--channel", s.options.Channel, s.options.SocketMode)
	if err != nil {
		return nil, err
	}
	settings := workerman.DefaultOptions()
	settings.MaxConns = min(settings.MaxConns, maxChannelConns(s.maxFiles))
	settings.Logger = s.log
	c := &channelService{log: s.log, doors: doors}
	if c.server, err = workerman.NewServer(settings, s.node, s.engine); err != nil {
		return nil, errors.Join(fmt.Errorf("start the Channel server: %w", err), shutAll(doors))
	}
	s.channel.Store(c.server)
	for _, d := range doors {
		c.serving.Go(func() {
			err := c.server.Serve(d.Listener)
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

func (c *channelService) reload(Options) error { return nil }

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

// joinService is the connection to somebody else's Channel server.
type joinService struct{ client *workerman.Client }

// joinChannel takes a worker's place where --channel-join says. That the server
// there is away now is no error.
func (s *Server) joinChannel() (service, error) {
	if s.options.ChannelJoin == "" {
		return nil, nil
	}
	settings := workerman.DefaultClientOptions()
	settings.Address = s.options.ChannelJoin
	settings.Logger = s.log
	client, err := workerman.Join(settings, s.node, s.engine)
	if err != nil {
		return nil, &OptionError{"--channel-join", err.Error()}
	}
	s.joined.Store(client)
	return &joinService{client}, nil
}

func (j *joinService) listeners() []monitor.Listener { return nil }
func (j *joinService) reload(Options) error          { return nil }
func (j *joinService) drain()                        {}
func (j *joinService) close() error                  { return j.client.Close() }

// flush writes the server there what was on its way. Whether it is away, or slow,
// the client counts what it did not forward.
func (j *joinService) flush(ctx context.Context) error { return j.client.Flush(ctx) }

// channelStatus is what `status` shows of the Channel server; nil without one.
func (s *Server) channelStatus() *monitor.Channel {
	server := s.channel.Load()
	if server == nil {
		return nil
	}
	st := server.Stats()
	out := &monitor.Channel{
		Connections:   st.Conns,
		Channels:      st.Channels,
		Subscriptions: st.Subscriptions,
		EventsOut:     st.EventsOut,
		Dropped:       st.EventsDropped + st.QueueDropped + st.Bridge.Dropped,
		Queued:        st.QueuedMessages,
	}
	for _, c := range st.Bad {
		out.BadFrames += c.N
	}
	for _, c := range st.Messages {
		if c.Label == "publish" || c.Label == "publishLoop" {
			out.EventsIn += c.N
		}
	}
	return out
}

// joinStatus is the same of the connection to another one.
func (s *Server) joinStatus() *monitor.ChannelJoin {
	client := s.joined.Load()
	if client == nil {
		return nil
	}
	st := client.Status()
	return &monitor.ChannelJoin{
		Address: st.Address, Connected: st.Connected, Since: st.Since, Reconnects: st.Reconnects, LastError: st.LastError,
		Forwarded: st.Forwarded, NotForwarded: st.NotForwarded + st.Dropped, Received: st.Received,
	}
}

// channelMetrics is what metrics tell of the Channel server; nil without one.
func (s *Server) channelMetrics() *metrics.Channel {
	server := s.channel.Load()
	if server == nil {
		return nil
	}
	st := server.Stats()
	b := st.Bridge
	return &metrics.Channel{
		Conns: st.Conns, Peers: st.Peers,
		Channels: st.Channels, Subscriptions: st.Subscriptions, Watches: st.Watches,
		SendBytes: st.SendBytes, PartialBytes: st.PartialBytes,
		Queues: st.Queues, QueuedMessages: st.QueuedMessages, QueuedBytes: st.QueuedBytes,

		ConnsAccepted: st.ConnsAccepted, ConnsRefused: st.ConnsRefused, ConnsClosed: metricCounts(st.ConnsClosed),
		AcceptErrors: st.AcceptErrors,
		FramesIn:     st.FramesIn, Pings: st.Pings,
		Messages: metricCounts(st.Messages), Bad: metricCounts(st.Bad), Limited: metricCounts(st.Limited),
		BytesIn: st.BytesIn, BytesOut: st.BytesOut,
		EventsOut: st.EventsOut, EventsDropped: st.EventsDropped, EventsUnheard: st.EventsUnheard,
		FramesDiscarded: st.FramesDiscarded,
		Enqueued:        st.Enqueued, Dequeued: st.Dequeued, QueueDropped: st.QueueDropped,
		Bridge: metrics.Bridge{
			ToGroups: b.ToGroups, ToSubscribers: b.ToSubscribers, Refused: metricCounts(b.Refused),
			Own: b.Own, Stripped: b.Stripped, TooFar: b.TooFar,
			QueuedMessages: b.QueuedMessages, QueuedBytes: b.QueuedBytes, Dropped: b.Dropped,
		},
	}
}

func (s *Server) joinMetrics() *metrics.ChannelJoin {
	client := s.joined.Load()
	if client == nil {
		return nil
	}
	st := client.Status()
	return &metrics.ChannelJoin{
		Connected: st.Connected, Since: st.Since, Reconnects: st.Reconnects,
		Forwarded: st.Forwarded, NotForwarded: st.NotForwarded, Received: st.Received,
		Refused: metricCounts(st.Refused), Bad: metricCounts(st.Bad),
		Returned: []metrics.Count{{Label: "own", N: st.Own}, {Label: "twice", N: st.Twice}},
		Stripped: st.Stripped, TooFar: st.TooFar, Dropped: st.Dropped,
	}
}

func metricCounts(list []workerman.Count) []metrics.Count {
	all := make([]metrics.Count, len(list))
	for i, c := range list {
		all[i] = metrics.Count{Label: c.Label, N: c.N}
	}
	return all
}
