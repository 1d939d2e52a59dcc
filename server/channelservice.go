package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"groupcast/server/door"
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

// checkChannel reports what is wrong with the Channel server's settings.
func (o Options) checkChannel() (errs []error) {
	wants := func(ok bool, flag, format string, args ...any) {
		if !ok {
			errs = append(errs, &OptionError{flag, fmt.Sprintf(format, args...)})
		}
	}
	for _, text := range o.Channel {
		if a, err := door.Parse(text); err == nil {
			errs = append(errs, o.checkChannelBind(a)...)
		}
	}
	for _, text := range o.ChannelAllow {
		_, err := parseNetwork(text)
		wants(err == nil, "--channel-allow", "wants a network like 10.0.0.0/8 or an address, got %q", text)
	}
	const day = 24 * time.Hour
	wants(o.ChannelStall >= time.Second && o.ChannelStall <= day, "--channel-stall", "wants 1s to %s, got %s", day, o.ChannelStall)
	wants(o.ChannelJobMax >= 0 && o.ChannelJobMax <= day, "--channel-job-max", "wants 0s to %s, got %s", day, o.ChannelJobMax)
	frame := ByteSize(workerman.DefaultOptions().MaxFrameBytes)
	wants(o.ChannelMaxSend >= frame && o.ChannelMaxSend <= 1<<40, "--channel-max-send", "wants at least one frame (%s), got %s", frame, o.ChannelMaxSend)
	n := o.ChannelMaxChannels
	wants(n >= 1 && n <= 1<<20, "--channel-max-channels", "wants 1 to %d, got %d", 1<<20, n)
	return errs
}

// checkChannelBind refuses to be reachable from other machines by accident. a is
// what is to be listened on, and once more what was bound: a name may be any address.
func (o Options) checkChannelBind(a door.Address) []error {
	if o.ChannelOpen || a.IsLoopback() {
		return nil
	}
	return []error{&OptionError{"--channel", fmt.Sprintf("%s can be reached from other machines, and the Channel protocol has no password: "+
		"--channel-open says that it is meant, or listen on 127.0.0.1, [::1] or a unix socket", a)}}
}

// parseNetwork reads a network, or one address.
func parseNetwork(text string) (netip.Prefix, error) {
	if one, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(one.WithZone(""), one.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

// channelOptions is what the Channel server takes of o.
func (s *Server) channelOptions(o Options) workerman.Options {
	w := workerman.DefaultOptions()
	w.MaxConns = min(w.MaxConns, maxChannelConns(s.maxFiles))
	w.MaxMessageBytes = int(o.MaxMessageBytes)
	w.MaxChannelsPerConn, w.MaxChannelsPerFrame = o.ChannelMaxChannels, o.ChannelMaxChannels
	w.StallTimeout, w.JobTimeout, w.MaxSendBytes = o.ChannelStall, o.ChannelJobMax, int(o.ChannelMaxSend)
	for _, text := range o.ChannelAllow {
		if network, err := parseNetwork(text); err == nil { // Validate has looked at it
			w.Allow = append(w.Allow, network)
		}
	}
	w.Logger = s.log
	return w
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
	for _, d := range doors {
		if errs := s.options.checkChannelBind(d.Bound()); errs != nil {
			return nil, errors.Join(append(errs, shutAll(doors))...)
		}
		if !d.Bound().IsLoopback() {
			s.log.Warn("the Channel server can be reached from other machines, and has no password",
				"address", d.Bound().String(), "allowed", strings.Join(s.options.ChannelAllow, ","))
		}
	}
	c := &channelService{log: s.log, doors: doors}
	if c.server, err = workerman.NewServer(s.channelOptions(s.options), s.node, s.engine); err != nil {
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

func (c *channelService) reload(o Options) error {
	c.server.SetMaxMessageBytes(int(o.MaxMessageBytes))
	return nil
}

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
	settings.MaxMessageBytes = int(s.options.MaxMessageBytes)
	settings.Logger = s.log
	client, err := workerman.Join(settings, s.node, s.engine)
	if err != nil {
		return nil, &OptionError{"--channel-join", err.Error()}
	}
	s.joined.Store(client)
	return &joinService{client}, nil
}

func (j *joinService) listeners() []monitor.Listener { return nil }
func (j *joinService) drain()                        {}
func (j *joinService) close() error                  { return j.client.Close() }

func (j *joinService) reload(o Options) error {
	j.client.SetMaxMessageBytes(int(o.MaxMessageBytes))
	return nil
}

// flush writes the server there what was on its way. Whether it is away, or slow,
// the client counts what it did not forward.
func (j *joinService) flush(ctx context.Context) error { return j.client.Flush(ctx) }

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
