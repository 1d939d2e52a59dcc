package settings

import "net/netip"

var backendsRows = Group{"backends", "Backends", []Setting{
	{
		Name: "api", Shown: Usual, Reload: opened,
		value: apiAddresses(),
		Help: "HTTP API: HOST:PORT, :PORT, unix:/PATH, or none; tls: in front of it is TLS. By default 127.0.0.1:1235, " +
			"unless another " +
			"process has that. Where other machines can reach it, it wants a token.",
	},
	{
		Name: "api-token", Shown: Usual, Reload: atOnce, Secret: true,
		value: notEmpty(text(func(o *Options) *string { return &o.APIToken }, "TOKEN", token)),
		Help: "Token that API requests must present. Command lines can be seen by others: rather use the " +
			"environment, or a file.",
	},
	{
		Name: "api-token-file", Shown: Usual, Reload: atOnce,
		value: notEmpty(text(func(o *Options) *string { return &o.APITokenFile }, "FILE", nil)),
		Help:  "File with such tokens, one a line. Read again at a reload.",
	},
	{
		Name: "api-host", Shown: Usual, Reload: atOnce,
		value: texts(func(o *Options) *[]string { return &o.APIHosts }, "NAME", hostName),
		Help: "Host name under which the API may be asked for without a token, beside localhost and IP " +
			"addresses: that of a proxy in front of it, say. Repeat it for several.",
	},
	{
		Name: "api-client-ca", Shown: Rare, Reload: taken,
		value: text(func(o *Options) *string { return &o.APIClientCA }, "FILE", nil),
		Help: "PEM file with authorities: --api addresses with tls: in front let in only clients with a certificate " +
			"of one of them, beside what tokens ask for.",
	},
	{
		Name: "channel", Shown: Usual, Reload: opened,
		value: texts(func(o *Options) *[]string { return &o.Channel }, "ADDR", addressToListen),
		Help: "Workerman Channel server, for PHP programs: HOST:PORT, :PORT or unix:/PATH; tls: in front of it is TLS, " +
			"for other groupcasts. Off by default.",
	},
	{
		Name: "channel-open", Shown: Usual, Reload: opened,
		value: toggle(func(o *Options) *bool { return &o.ChannelOpen }),
		Help: "The Channel server may listen where other machines reach it. It has no password: they publish and " +
			"read everything.",
	},
	{
		Name: "channel-allow", Shown: Usual, Reload: taken,
		value: networks(func(o *Options) *[]netip.Prefix { return &o.ChannelServer.Allow }),
		Help: "Addresses that may connect to the Channel server over TCP: 10.0.0.0/8, or one address. Repeat it for " +
			"several. By default all.",
	},
	{
		Name: "channel-join", Shown: Usual, Reload: Reload{Why: "the connection is made at the start"},
		value: text(func(o *Options) *string { return &o.ChannelJoin }, "ADDR", addressToJoin),
		Help: "Workerman Channel server to join, in place of one of its workers: HOST:PORT or unix:/PATH; tls: in front " +
			"of it is a groupcast's with TLS.",
	},
	{
		Name: "channel-join-ca", Shown: Rare, Reload: Reload{Why: "the connection is made at the start"},
		value: text(func(o *Options) *string { return &o.ChannelClient.RootsFile }, "FILE", nil),
		Help:  "PEM file with what its certificate is checked by, with tls:. By default the system's.",
	},
}}
