package workerman

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"groupcast/loop"
	memory "groupcast/loop/budget"
	"groupcast/protocol/workerman"
	"groupcast/server/door"
)

// GroupChannel is the channel whose events are the groups' messages, as in the
// program that this protocol comes from.
const GroupChannel = "send_to_group"

// Options are the limits of a Server. The zero value is not usable, start from
// DefaultOptions.
type Options struct {
	// Channel is the channel that is bridged to the groups.
	Channel string

	// MaxMessageBytes is the broker's limit of a message. It bounds what is encoded
	// for a group, before the broker looks at it.
	MaxMessageBytes int

	// Allow are the networks that may connect over TCP; none is all. Unix sockets
	// have their file's mode.
	Allow []netip.Prefix

	// MaxConns bounds the connections. When it is reached, one that has said nothing
	// makes room for the next; where there is none, the next is closed.
	MaxConns int
	// MaxFrameBytes bounds a frame, its length included, in both directions.
	MaxFrameBytes int
	// MaxSilentPerAddress bounds the connections of one address that have said
	// nothing yet: for one more, the oldest of them is closed.
	MaxSilentPerAddress int
	// IPv6Bits is how much of an IPv6 address counts as one; 0 is 64.
	IPv6Bits int
	// MaxPartialBytes bounds what is kept of frames that are not all there, over
	// all connections; beyond it the connection that holds most is closed.
	MaxPartialBytes int
	// FrameTimeout is how long a frame may take from its first byte to its last.
	FrameTimeout time.Duration
	// MaxDepth bounds how deep arrays lie in each other.
	MaxDepth int
	// MaxChannelsPerFrame bounds the channels that one message names: the others
	// are ignored. PHP's client names all its channels in one after a reconnect.
	MaxChannelsPerFrame int

	// MaxChannelBytes bounds a channel's or queue's name.
	MaxChannelBytes int
	// MaxChannelsPerConn bounds what one connection subscribes to and watches.
	MaxChannelsPerConn int
	// MaxSubscriptions bounds the same over all connections.
	MaxSubscriptions int
	// SendBufferBytes bounds what waits for one connection: one that has as much
	// is sent nothing more until it has read some. A frame is taken whole, so
	// that one frame more may wait.
	SendBufferBytes int
	// MaxSendBytes bounds what waits for all connections, each byte counted once
	// however many connections it waits for: beyond it those are closed for which
	// most waits.
	MaxSendBytes int
	// StallTimeout is how long a connection may take nothing of what waits for it;
	// then it is closed, unless it holds a job.
	StallTimeout time.Duration
	// JobTimeout is how long a connection that was handed a message of a queue, and
	// has not asked for the next, counts as busy with it: neither PingTimeout nor
	// IdleTimeout nor StallTimeout closes it.
	JobTimeout time.Duration

	// MaxQueues bounds the queues. When it is reached, the connection that made most
	// of those that nobody watches loses one to the next; where none made more than
	// another, the next is refused.
	MaxQueues int
	// MaxQueueMessages and MaxQueueBytes bound what waits in one queue; what comes
	// then is dropped. Each message counts some bytes beside its own.
	MaxQueueMessages, MaxQueueBytes int
	// MaxAllQueueBytes bounds what waits in all queues. Beyond it the largest one
	// loses what came last; what comes for the largest is dropped.
	MaxAllQueueBytes int
	// QueueTimeout is how long a message waits in a queue that nobody watches, then
	// it is thrown away.
	QueueTimeout time.Duration

	// PingTimeout is the silence after which a connection that has pinged once is
	// closed: Workerman's clients ping every 55 s.
	PingTimeout time.Duration
	// IdleTimeout is the same for connections that have never pinged; 0 is never.
	// Workerman's never end: a PHP script without an event loop publishes when it
	// likes, does not ping, and would not notice that it was closed.
	IdleTimeout time.Duration
	// FirstTimeout is how long a connection may say nothing at all, from the start;
	// 0 is for ever.
	FirstTimeout time.Duration

	// PublishTimeout is how long an event for a group may wait for the broker, and
	// its connection with it.
	PublishTimeout time.Duration
	// SinkMessages and SinkBytes bound what waits on its way from the broker.
	SinkMessages, SinkBytes int

	// Budget is the process's for memory, of which this server's is a part: near its limit
	// connections for which most waits are closed, and then queues take nothing more, no
	// event is handed over and nobody new is served. nil is none.
	Budget *memory.Budget

	// Logger receives what an operator should know; nil is slog.Default.
	Logger *slog.Logger
}

// maxQueueAge bounds QueueTimeout.
const maxQueueAge = 365 * 24 * time.Hour

// DefaultOptions are the limits of the wire contract.
func DefaultOptions() Options {
	limits := workerman.DefaultLimits()
	return Options{
		Channel:             GroupChannel,
		MaxMessageBytes:     loop.DefaultOptions().MaxMessageBytes,
		MaxConns:            4096,
		MaxFrameBytes:       workerman.MaxFrameBytes,
		MaxSilentPerAddress: 1024,
		MaxPartialBytes:     256 << 20,
		FrameTimeout:        time.Minute,
		MaxDepth:            limits.MaxDepth,
		MaxChannelsPerFrame: limits.MaxChannels,
		MaxChannelBytes:     256,
		MaxChannelsPerConn:  4096,
		MaxSubscriptions:    1_000_000,
		SendBufferBytes:     1 << 20,
		MaxSendBytes:        256 << 20,
		StallTimeout:        time.Minute,
		JobTimeout:          time.Hour,
		MaxQueues:           65_536,
		MaxQueueMessages:    100_000,
		MaxQueueBytes:       64 << 20,
		MaxAllQueueBytes:    256 << 20,
		QueueTimeout:        24 * time.Hour,
		PingTimeout:         3 * 55 * time.Second,
		FirstTimeout:        5 * time.Minute,
		PublishTimeout:      5 * time.Second,
		SinkMessages:        8192,
		SinkBytes:           16 << 20,
	}
}

// ClientOptions are the limits of a Client. The zero value is not usable, start
// from DefaultClientOptions.
type ClientOptions struct {
	// Address is where the Channel server listens: HOST:PORT or unix:/PATH; with tls: in
	// front it is a groupcast's that speaks TLS.
	Address string
	// RootsFile has the PEM certificates of the authorities that such a server's certificate
	// is checked by; "" is the system's.
	RootsFile string
	// Channel is the channel that is bridged to the groups.
	Channel string

	// MaxMessageBytes is as in Options.
	MaxMessageBytes int

	// DialTimeout bounds one attempt to connect, the look-up of a name included.
	DialTimeout time.Duration
	// RetryMin and RetryMax are the shortest and the longest pause between two
	// attempts; each failure doubles it.
	RetryMin, RetryMax time.Duration
	// PingInterval is how often the server is pinged.
	PingInterval time.Duration
	// WriteTimeout is how long the server may read nothing, or acknowledge nothing,
	// while something waits for it, before the connection is given up.
	WriteTimeout time.Duration

	// SendBufferBytes bounds what waits for the server; what comes then is not
	// forwarded. A frame is taken whole.
	SendBufferBytes int
	// MaxFrameBytes bounds a frame from the server, its length included.
	MaxFrameBytes int

	// PublishTimeout is how long an event may wait for the broker, and the events
	// behind it.
	PublishTimeout time.Duration
	// SinkMessages and SinkBytes bound what waits on its way from the broker.
	SinkMessages, SinkBytes int

	// Logger receives what an operator should know; nil is slog.Default.
	Logger *slog.Logger
}

// DefaultClientOptions are usual limits; the address is the caller's.
func DefaultClientOptions() ClientOptions {
	d := DefaultOptions()
	return ClientOptions{
		Channel:         d.Channel,
		MaxMessageBytes: d.MaxMessageBytes,
		DialTimeout:     5 * time.Second,
		RetryMin:        time.Second,
		RetryMax:        2 * time.Second,
		PingInterval:    55 * time.Second,
		WriteTimeout:    30 * time.Second,
		SendBufferBytes: d.SendBufferBytes,
		MaxFrameBytes:   d.MaxFrameBytes,
		PublishTimeout:  d.PublishTimeout,
		SinkMessages:    d.SinkMessages,
		SinkBytes:       d.SinkBytes,
	}
}

// checks collects what is wrong with options, each as a *loop.OptionError.
type checks []error

func (c *checks) wants(ok bool, field, format string, args ...any) {
	if !ok {
		*c = append(*c, &loop.OptionError{Field: field, Reason: fmt.Sprintf(format, args...)})
	}
}

func (c *checks) between(v, low, high int, field string) {
	c.wants(v >= low && v <= high, field, "wants %d to %d, got %d", low, high, v)
}

func (c *checks) lasts(v, low time.Duration, field string) {
	const high = 24 * time.Hour
	c.wants(v >= low && v <= high, field, "wants %s to %s, got %s", low, high, v)
}

const (
	gib        = 1 << 30
	minTimeout = 10 * time.Millisecond
	// minFrameBytes is the smallest limit under which the protocol still works.
	minFrameBytes = 256
)

// Validate reports every option that is out of range or cannot live with
// another, joined.
func (o Options) Validate() error {
	var c checks
	c.between(o.MaxMessageBytes, 1, gib, "MaxMessageBytes")
	c.between(o.MaxConns, 1, 1<<20, "MaxConns")
	c.between(o.MaxFrameBytes, minFrameBytes, gib, "MaxFrameBytes")
	c.between(o.MaxSilentPerAddress, 1, 1<<20, "MaxSilentPerAddress")
	c.lasts(o.FrameTimeout, minTimeout, "FrameTimeout")
	c.between(o.MaxPartialBytes, 1, 1<<40, "MaxPartialBytes")
	c.between(o.MaxDepth, 3, 4096, "MaxDepth")
	c.between(o.MaxChannelsPerFrame, 1, 1<<20, "MaxChannelsPerFrame")
	c.between(o.MaxChannelBytes, 1, 64<<10, "MaxChannelBytes")
	c.between(o.MaxChannelsPerConn, 1, gib, "MaxChannelsPerConn")
	c.between(o.MaxSubscriptions, 1, gib, "MaxSubscriptions")
	c.between(o.SendBufferBytes, 1, gib, "SendBufferBytes")
	c.between(o.MaxSendBytes, 1, 1<<40, "MaxSendBytes")
	c.lasts(o.StallTimeout, minTimeout, "StallTimeout")
	c.lasts(o.JobTimeout, 0, "JobTimeout")
	c.between(o.MaxQueues, 0, gib, "MaxQueues")
	c.between(o.MaxQueueMessages, 1, gib, "MaxQueueMessages")
	c.between(o.MaxQueueBytes, 1, 1<<40, "MaxQueueBytes")
	c.between(o.MaxAllQueueBytes, 1, 1<<40, "MaxAllQueueBytes")
	c.wants(o.QueueTimeout >= minTimeout && o.QueueTimeout <= maxQueueAge, "QueueTimeout", "wants %s to %s, got %s",
		minTimeout, maxQueueAge, o.QueueTimeout)
	c.lasts(o.PingTimeout, minTimeout, "PingTimeout")
	c.lasts(o.IdleTimeout, 0, "IdleTimeout")
	c.lasts(o.FirstTimeout, 0, "FirstTimeout")
	c.lasts(o.PublishTimeout, minTimeout, "PublishTimeout")
	c.between(o.SinkMessages, 1, 1<<24, "SinkMessages")
	c.between(o.SinkBytes, 1, gib, "SinkBytes")
	c.between(len(o.Channel), 1, max(o.MaxChannelBytes, 1), "Channel")
	c.wants(o.MaxPartialBytes >= o.MaxFrameBytes, "MaxPartialBytes", "wants at least MaxFrameBytes (%d), got %d",
		o.MaxFrameBytes, o.MaxPartialBytes)
	c.wants(o.MaxSendBytes >= o.MaxFrameBytes, "MaxSendBytes", "wants at least MaxFrameBytes (%d), got %d",
		o.MaxFrameBytes, o.MaxSendBytes)
	return errors.Join(c...)
}

// Validate reports every option that is out of range, joined.
func (o ClientOptions) Validate() error {
	var c checks
	at, err := door.Parse(o.Address)
	c.wants(err == nil && at.HasHost(), "Address", "wants HOST:PORT or unix:/PATH, got %q", o.Address)
	c.between(len(o.Channel), 1, 64<<10, "Channel")
	c.between(o.MaxMessageBytes, 1, gib, "MaxMessageBytes")
	c.lasts(o.DialTimeout, minTimeout, "DialTimeout")
	c.lasts(o.RetryMin, time.Millisecond, "RetryMin")
	c.lasts(o.RetryMax, time.Millisecond, "RetryMax")
	c.wants(o.RetryMax >= o.RetryMin, "RetryMax", "wants at least RetryMin (%s), got %s", o.RetryMin, o.RetryMax)
	c.lasts(o.PingInterval, minTimeout, "PingInterval")
	c.lasts(o.WriteTimeout, minTimeout, "WriteTimeout")
	c.between(o.SendBufferBytes, 1, gib, "SendBufferBytes")
	c.between(o.MaxFrameBytes, minFrameBytes, gib, "MaxFrameBytes")
	c.lasts(o.PublishTimeout, minTimeout, "PublishTimeout")
	c.between(o.SinkMessages, 1, 1<<24, "SinkMessages")
	c.between(o.SinkBytes, 1, gib, "SinkBytes")
	return errors.Join(c...)
}
