package settings

import "time"

var connsRows = Group{"conns", "Limits of connections", []Setting{
	{
		Name: "max-conns", Shown: Usual, Reload: forNew, Preset: "0",
		value: number(func(o *Options) *int { return &o.MaxConns }, 0, gib),
		Help:  "Connections in all. 0 is what the open-files limit leaves.",
	},
	{
		Name: "max-conns-per-ip", Shown: Usual, Reload: counted,
		value: number(func(o *Options) *int { return &o.MaxConnsPerIP }, 0, gib),
		Help:  "Connections of one address; a proxy's clients have their own. 0 is unlimited.",
	},
	{
		Name: "ipv6-prefix", Shown: Rare, Reload: Reload{Why: "addresses are counted by it from the start"},
		value: number(func(o *Options) *int { return &o.IPv6PrefixBits }, 1, 128),
		Help:  "How many bits of an IPv6 address count as one address. A customer mostly has 64, and some have 56.",
	},
	{
		Name: "handshake-rate", Shown: Usual, Reload: taken, Preset: "0",
		value: rate(func(o *Options) *float64 { return &o.HandshakeRate }),
		Help: "New connections a second, over all of --listen; twice as many at once. What is over it is closed. 0 is " +
			"unlimited.",
	},
	{
		Name: "handshake-rate-per-ip", Shown: Usual, Reload: taken, Preset: "0",
		value: rate(func(o *Options) *float64 { return &o.HandshakeRatePerIP }),
		Help: "The same of one address. Behind --trusted-proxy, where it is known by the request only, it is answered " +
			"429.",
	},
	{
		Name: "max-handshakes", Shown: Rare, Reload: forNew,
		value: number(func(o *Options) *int { return &o.MaxHandshakes }, 1, gib),
		Help:  "Connections that are not upgraded yet.",
	},
	{
		Name: "max-refusals", Shown: Rare, Reload: sized,
		value: number(func(o *Options) *int { return &o.MaxRefusals }, 1, 4096),
		Help:  "Connections being answered 503 at one time. Beyond that, accepting pauses.",
	},
	{
		Name: "handshake-timeout", Shown: Usual, Reload: atOnce,
		value: span(func(o *Options) *time.Duration { return &o.HandshakeTimeout }, shortest, day),
		Help:  "From accept to upgrade, at most.",
	},
	{
		Name: "max-head", Shown: Rare, Reload: atOnce,
		value: size(func(o *Options) *int { return &o.MaxHeadBytes }, 256, mib),
		Help:  "HTTP request head of an upgrade.",
	},
}}

var sessionsRows = Group{"sessions", "Limits of one session", []Setting{
	{
		Name: "max-message", Shown: Usual, Reload: atOnce,
		value: size(func(o *Options) *int { return &o.MaxMessageBytes }, 1, gib),
		Help:  "One message, all its fragments together.",
	},
	{
		Name: "max-fragments", Shown: Rare, Reload: atOnce,
		value: number(func(o *Options) *int { return &o.MaxFragments }, 1, gib),
		Help:  "Fragments of one message.",
	},
	{
		Name: "max-backlog", Shown: Usual, Reload: atOnce,
		value: size(func(o *Options) *int { return &o.MaxBacklogBytes }, 1, gib/2),
		Help:  "What one session may leave unread. Beyond that it is closed with 1008.",
	},
	{
		Name: "rate", Shown: Usual, Reload: atOnce,
		value: rate(func(o *Options) *float64 { return &o.CommandRate }),
		Help:  "Commands per second of one session. 0 is unlimited.",
	},
	{
		Name: "burst", Shown: Usual, Reload: atOnce,
		value: number(func(o *Options) *int { return &o.CommandBurst }, 1, gib),
		Help:  "Commands that a session may send at once under --rate.",
	},
	{
		Name: "receive-rate", Shown: Usual, Reload: atOnce,
		value: size(func(o *Options) *int { return &o.ReceiveRate }, 0, gib),
		Help: "Bytes a second that a session may send, on the wire; one second's, or the largest message, at once. " +
			"Beyond that it is closed with 1008. 0 is unlimited.",
	},
	{
		Name: "ping-after", Shown: Usual, Reload: atOnce,
		value: span(func(o *Options) *time.Duration { return &o.PingAfter }, shortest, day),
		Help:  "Silence after which a session is pinged.",
	},
	{
		Name: "close-after", Shown: Usual, Reload: atOnce,
		value: span(func(o *Options) *time.Duration { return &o.CloseAfter }, shortest, day),
		Help:  "Silence after which a session is closed. Longer than --ping-after.",
	},
	{
		Name: "close-timeout", Shown: Rare, Reload: atOnce,
		value: span(func(o *Options) *time.Duration { return &o.CloseTimeout }, shortest, day),
		Help: "Close handshake, at most, from the last progress of a peer that still takes what was queued " +
			"before it. Then the connection is ended.",
	},
	{
		Name: "close-rate", Shown: Rare, Reload: atOnce,
		value: size(func(o *Options) *int { return &o.CloseRate }, 1, gib),
		Help: "Bytes a second that such a peer acknowledges at least. Its close handshake lasts no longer than " +
			"--drain.",
	},
	{
		Name: "send-buffer", Shown: Rare, Reload: Reload{Why: "it belongs to the listeners, and is set at the start"},
		value: size(func(o *Options) *int { return &o.SendBufferBytes }, 0, gib),
		Help: "Kernel send buffer of one TCP connection, before the kernel doubles it. 0 is the kernel's " +
			"default, which unix sockets keep.",
	},
}}

var groupsRows = Group{"groups", "Limits of groups", []Setting{
	{
		Name: "max-groups-per-session", Shown: Usual, Reload: atOnce,
		value: number(func(o *Options) *int { return &o.MaxGroupsPerSession }, 1, mib),
		Help:  "Groups that one session is in.",
	},
	{
		Name: "max-group-name", Shown: Rare, Reload: sized,
		value: size(func(o *Options) *int { return &o.MaxGroupBytes }, 1, 4096),
		Help:  "Name of a group.",
	},
	{
		Name: "max-groups", Shown: Usual, Reload: atOnce,
		value: number(func(o *Options) *int { return &o.MaxGroups }, 1, gib),
		Help:  "Groups in all.",
	},
	{
		Name: "max-members", Shown: Usual, Reload: counted,
		value: number(func(o *Options) *int { return &o.MaxMembers }, 0, gib),
		Help:  "Members of one group. 0 is unlimited.",
	},
	{
		Name: "max-member-questions", Shown: Rare, Reload: forNew, Preset: "64",
		value: number(func(o *Options) *int { return &o.MaxMemberQuestions }, 1, 65536),
		Help: "Questions of sessions who is in a group that are under way at a time, one of each session. More are " +
			"answered overloaded, like one that the loops do not answer within --api-query-timeout.",
	},
}}
