package settings

import "time"

const channelTitle = "Limits of the Channel server, and of the connection to another one"

var channelLimitsRows = Group{"channel-limits", channelTitle, []Setting{
	{
		Name: "channel-max-conns", Shown: Rare, Reload: taken,
		value: number(func(o *Options) *int { return &o.ChannelServer.MaxConns }, 1, mib),
		Help: "Connections to the Channel server, within a quarter of the open-files limit. Beyond that they " +
			"are closed.",
	},
	{
		Name: "channel-max-frame", Shown: Rare, Reload: taken,
		value: size(func(o *Options) *int { return &o.ChannelServer.MaxFrameBytes }, 256, gib),
		Help:  "One frame, its length included; of --channel-join too.",
	},
	{
		Name: "channel-max-partial", Shown: Rare, Reload: taken,
		value: size(func(o *Options) *int { return &o.ChannelServer.MaxPartialBytes }, 1, tib),
		Help: "What is kept of frames that are not all there, over all connections. Beyond it the connection that " +
			"holds most is closed.",
	},
	{
		Name: "channel-frame-timeout", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.ChannelServer.FrameTimeout }, shortWait, day),
		Help:  "How long a frame may take from its first byte to its last.",
	},
	{
		Name: "channel-first-timeout", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.ChannelServer.FirstTimeout }, 0, day),
		Help:  "How long a connection may say nothing at all, from the start. 0 is for ever.",
	},
	{
		Name: "channel-max-silent-per-ip", Shown: Rare, Reload: taken,
		value: number(func(o *Options) *int { return &o.ChannelServer.MaxSilentPerAddress }, 1, mib),
		Help:  "Connections of one address that have said nothing yet. For one more, the oldest of them is closed.",
	},
	{
		Name: "channel-max-depth", Shown: Rare, Reload: taken,
		value: number(func(o *Options) *int { return &o.ChannelServer.MaxDepth }, 3, 4096),
		Help:  "How deep arrays lie in each other. Deeper messages are ignored.",
	},
	{
		Name: "channel-max-name", Shown: Rare, Reload: taken,
		value: size(func(o *Options) *int { return &o.ChannelServer.MaxChannelBytes }, 13, 64*kib),
		Help:  "Name of a channel or a queue. Those with a longer one are ignored.",
	},
	{
		Name: "channel-max-channels", Shown: Rare, Reload: taken,
		value: number(func(o *Options) *int { return &o.ChannelServer.MaxChannelsPerConn }, 1, gib),
		Help: "Channels that one connection subscribes to and watches, and that one of its messages names. More are " +
			"ignored.",
	},
	{
		Name: "channel-max-subscriptions", Shown: Rare, Reload: taken,
		value: number(func(o *Options) *int { return &o.ChannelServer.MaxSubscriptions }, 1, gib),
		Help:  "The same over all connections.",
	},
	{
		Name: "channel-send-buffer", Shown: Rare, Reload: taken,
		value: size(func(o *Options) *int { return &o.ChannelServer.SendBufferBytes }, 1, gib),
		Help: "What waits for one connection, and one frame more; of --channel-join too. Events beyond that are " +
			"dropped for it.",
	},
	{
		Name: "channel-max-send", Shown: Rare, Reload: taken,
		value: size(func(o *Options) *int { return &o.ChannelServer.MaxSendBytes }, 1, tib),
		Help: "What waits for all connections, each byte counted once. Beyond that those are closed for which most " +
			"waits.",
	},
	{
		Name: "channel-stall", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.ChannelServer.StallTimeout }, shortWait, day),
		Help:  "How long a connection may take nothing of what waits for it. Then it is closed, unless it holds a job.",
	},
	{
		Name: "channel-job-max", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.ChannelServer.JobTimeout }, 0, day),
		Help:  "How long a connection that holds a job may be silent and read nothing.",
	},
	{
		Name: "channel-max-queues", Shown: Rare, Reload: taken,
		value: number(func(o *Options) *int { return &o.ChannelServer.MaxQueues }, 0, gib),
		Help:  "Queues.",
	},
	{
		Name: "channel-max-queue-messages", Shown: Rare, Reload: taken,
		value: number(func(o *Options) *int { return &o.ChannelServer.MaxQueueMessages }, 1, gib),
		Help:  "Messages in one queue. More are dropped.",
	},
	{
		Name: "channel-max-queue", Shown: Rare, Reload: taken,
		value: size(func(o *Options) *int { return &o.ChannelServer.MaxQueueBytes }, 1, tib),
		Help:  "Bytes in one queue. More are dropped.",
	},
	{
		Name: "channel-max-all-queues", Shown: Rare, Reload: taken,
		value: size(func(o *Options) *int { return &o.ChannelServer.MaxAllQueueBytes }, 1, tib),
		Help:  "Bytes in all queues. More are dropped.",
	},
	{
		Name: "channel-queue-age", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.ChannelServer.QueueTimeout }, shortWait, 365*day),
		Help:  "How long a message waits in a queue that nobody watches. Then it is thrown away.",
	},
	{
		Name: "channel-ping-timeout", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.ChannelServer.PingTimeout }, shortWait, day),
		Help:  "Silence after which a connection that has pinged once is closed.",
	},
	{
		Name: "channel-idle-timeout", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.ChannelServer.IdleTimeout }, 0, day),
		Help:  "The same for one that has never pinged. 0 is never.",
	},
	{
		Name: "channel-publish-timeout", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.ChannelServer.PublishTimeout }, shortWait, day),
		Help: "How long an event for a group waits for room in the ring; of --channel-join too. Then it is " +
			"refused.",
	},
	{
		Name: "channel-sink-messages", Shown: Rare, Reload: taken,
		value: number(func(o *Options) *int { return &o.ChannelServer.SinkMessages }, 1, 1<<24),
		Help: "Messages on their way from the broker to the Channel server; of --channel-join too. Subscribers " +
			"miss more.",
	},
	{
		Name: "channel-sink-bytes", Shown: Rare, Reload: taken,
		value: size(func(o *Options) *int { return &o.ChannelServer.SinkBytes }, 1, gib),
		Help:  "Bytes on the same way.",
	},
	{
		Name: "channel-join-dial-timeout", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.ChannelClient.DialTimeout }, shortWait, day),
		Help:  "One attempt to reach the server of --channel-join.",
	},
	{
		Name: "channel-join-retry-min", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.ChannelClient.RetryMin }, time.Millisecond, day),
		Help:  "Shortest pause between two attempts. Each failure doubles it.",
	},
	{
		Name: "channel-join-retry-max", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.ChannelClient.RetryMax }, time.Millisecond, day),
		Help:  "Longest pause between two attempts.",
	},
	{
		Name: "channel-join-ping-interval", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.ChannelClient.PingInterval }, shortWait, day),
		Help:  "How often that server is pinged.",
	},
	{
		Name: "channel-join-write-timeout", Shown: Rare, Reload: taken,
		value: span(func(o *Options) *time.Duration { return &o.ChannelClient.WriteTimeout }, shortWait, day),
		Help: "How long it may read or acknowledge nothing of what waits for it. Then the connection is given " +
			"up.",
	},
}}
