package settings

import (
	"net/netip"
	"time"
)

// What a reload may do.
var (
	atOnce = Reload{When: AtOnce}
	forNew = Reload{When: ForNew}
	opened = Reload{Why: "listeners are opened at the start"}
	sized  = Reload{Why: "it is a size that is built in at the start"}
	taken  = Reload{Why: "it is taken at the start"}
	keyed  = Reload{
		When:   ForNew,
		Switch: "the first source of keys of its kind, and the last, are taken at the start",
	}
	counted = Reload{When: ForNew, Switch: "it is counted from the start or not at all: it cannot be switched on or off"}
)

const (
	day       = 24 * time.Hour
	shortest  = 50 * time.Millisecond // of the loops' clock
	shortWait = 10 * time.Millisecond
	// apiLongest leaves --api-write-timeout time for the answer.
	apiLongest = 30 * time.Second
	// maxDrain keeps a typing error ("10h" for "10s") from making a process that
	// cannot be stopped politely.
	maxDrain = time.Hour
	// maxClose comes after --drain, and has to be over before the program takes the
	// end for one that hangs.
	maxClose = 3 * time.Second
)

// Groups are all settings: one row for each. checks.go has what two of them have
// to do with each other.
var Groups = []Group{
	{"listen", "Listening", []Setting{
		{
			Name: "listen", Shown: Usual, Reload: opened, Preset: ":1234",
			value: texts(func(o *Options) *[]string { return &o.Listen }, "ADDR", addressToListen),
			Help: "Address to listen on: HOST:PORT, :PORT or unix:/PATH; tls: in front of it is TLS. An IPv4 address is " +
				"for IPv4 only, no host and " +
				"[::] for both. Repeat it for several.",
		},
		{
			Name: "socket-mode", Shown: Rare, Reload: opened, Preset: "0660",
			value: mode(func(o *Options) *FileMode { return &o.SocketMode }),
			Help:  "File mode of unix sockets, octal.",
		},
		{
			Name: "loops", Shown: Usual, Reload: taken, Preset: "0",
			value: number(func(o *Options) *int { return &o.Loops }, 0, 256),
			Help:  "Event loops. 0 is one for each usable CPU.",
		},
	}},
	{"tls", "TLS and who may connect", []Setting{
		{
			Name: "tls-cert", Shown: Usual, Reload: taken,
			value: texts(func(o *Options) *[]string { return &o.TLSCert }, "FILE", fileName),
			Help: "PEM file with a certificate and its chain. Repeat it for several names. Read again when it changes, and " +
				"at a reload. With one, all TCP addresses of --listen speak TLS, unless some have tls: in front: then those.",
		},
		{
			Name: "tls-key", Shown: Usual, Reload: taken,
			value: texts(func(o *Options) *[]string { return &o.TLSKey }, "FILE", fileName),
			Help: "PEM file with the key of the certificate that --tls-cert names at the same place. Without any, the " +
				"certificates' files have the keys as well.",
		},
		{
			Name: "tls-min", Shown: Rare, Reload: taken, Preset: "1.2",
			value: word(func(o *Options) *string { return &o.TLSMin }, "VERSION", "1.2", "1.3"),
			Help:  "The oldest version of TLS: 1.2 or 1.3.",
		},
		{
			Name: "acme", Shown: Usual, Reload: taken,
			value: texts(func(o *Options) *[]string { return &o.ACME }, "NAME", hostName),
			Help: "Get a certificate for this name from an authority, and keep it new; needs port 443. Repeat it for " +
				"several. Agrees to the authority's terms of service.",
		},
		{
			Name: "acme-dir", Shown: Rare, Reload: taken, Preset: "/var/lib/groupcast/acme",
			value: notEmpty(text(func(o *Options) *string { return &o.ACMEDir }, "DIR", nil)),
			Help:  "Directory for the account and the certificates of --acme. Nobody else may read it.",
		},
		{
			Name: "acme-ca", Shown: Rare, Reload: taken,
			value: text(func(o *Options) *string { return &o.ACMECA }, "URL", nil),
			Help:  "The authority's directory. By default Let's Encrypt's.",
		},
		{
			Name: "acme-roots", Shown: Rare, Reload: taken,
			value: text(func(o *Options) *string { return &o.ACMERoots }, "FILE", nil),
			Help:  "PEM file with what the authority's own certificate is checked by. By default the system's.",
		},
		{
			Name: "acme-email", Shown: Rare, Reload: taken,
			value: text(func(o *Options) *string { return &o.ACMEEmail }, "ADDRESS", nil),
			Help:  "Where the authority may write to.",
		},
		{
			Name: "origin", Shown: Usual, Reload: forNew,
			value: texts(func(o *Options) *[]string { return &o.Origins }, "ORIGIN", originRule),
			Help: "Pages that may connect: https://app.example.org, https://*.example.org, or none for programs that send " +
				"no Origin. Repeat it for several. By default all, as the original.",
		},
		{
			Name: "proxy-protocol", Shown: Usual, Reload: taken,
			value: networks(func(o *Options) *[]netip.Prefix { return &o.ProxyProtocol }),
			Help: "Proxies in front of --listen that begin each connection with a header of the PROXY protocol, 1 or 2: " +
				"10.0.0.0/8, or one address. They are believed, and nobody else may send one. Repeat it for several.",
		},
		{
			Name: "trusted-proxy", Shown: Usual, Reload: taken,
			value: networks(func(o *Options) *[]netip.Prefix { return &o.TrustedProxies }),
			Help: "Proxies in front of --listen or --api whose --forwarded-header is believed: 10.0.0.0/8, or one address; " +
				"with any, those that connect over unix sockets as well. Others' is ignored. Repeat it for several.",
		},
		{
			Name: "forwarded-header", Shown: Rare, Reload: taken, Preset: "x-forwarded-for",
			value: word(func(o *Options) *string { return &o.ForwardedHeader }, "NAME", "x-forwarded-for", "forwarded"),
			Help: "The header in which --trusted-proxy says who the client is: x-forwarded-for or forwarded. The other one " +
				"is not looked at, since proxies mostly pass it on as the client sent it.",
		},
	}},
	{"tokens", "Tokens, and what clients may do", []Setting{
		{
			Name: "token-key-file", Shown: Usual, Reload: keyed,
			value: texts(func(o *Options) *[]string { return &o.TokenKeyFiles }, "FILE", fileName),
			Help: "File with the secret (HS256) or the PEM key (RS256, ES256, EdDSA) that tokens are signed with. Repeat " +
				"it for several. Read again when it changes. With keys, a client without a good token is answered 401.",
		},
		{
			Name: "token-jwks", Shown: Usual, Reload: keyed,
			value: texts(func(o *Options) *[]string { return &o.TokenJWKS }, "URL|FILE", keySource),
			Help: "JSON Web Key set with the keys of tokens: https://HOST/PATH, or a file. Fetched again every 5 minutes, " +
				"and for a kid that is unknown. Repeat it for several.",
		},
		{
			Name: "token-issuer", Shown: Usual, Reload: keyed,
			value: texts(func(o *Options) *[]string { return &o.TokenIssuers }, "ISS=SOURCE", issuerSource),
			Help: "Tokens with this iss are checked with the keys of SOURCE alone, a file or a URL as above. Repeat it for " +
				"several.",
		},
		{
			Name: "token-audience", Shown: Usual, Reload: forNew,
			value: texts(func(o *Options) *[]string { return &o.TokenAudience }, "AUD", notBlank),
			Help: "Tokens have this in their aud. Repeat it for several, one of which is enough. By default aud is not " +
				"looked at.",
		},
		{
			Name: "token-optional", Shown: Usual, Reload: forNew, Preset: "false",
			value: toggle(func(o *Options) *bool { return &o.TokenOptional }),
			Help:  "Clients without a token may come in, with what --anonymous-join and --anonymous-publish allow.",
		},
		{
			Name: "anonymous-join", Shown: Usual, Reload: atOnce, Preset: "*",
			value: texts(func(o *Options) *[]string { return &o.AnonymousJoin }, "PATTERN", grantPattern),
			Help: "Groups that clients without a token may join: a name, its beginning and a * behind it, or none. Repeat " +
				"it for several. Without keys this is every client.",
		},
		{
			Name: "anonymous-publish", Shown: Usual, Reload: atOnce, Preset: "*",
			value: texts(func(o *Options) *[]string { return &o.AnonymousPublish }, "PATTERN", grantPattern),
			Help:  "Groups that they may send to, likewise. none: only backends publish.",
		},
		{
			Name: "token-max-bytes", Shown: Rare, Reload: forNew, Preset: "4KiB",
			value: size(func(o *Options) *int { return &o.TokenMaxBytes }, 256, mib),
			Help:  "One token. Those in a request are within --max-head as well.",
		},
		{
			Name: "token-failures", Shown: Rare, Reload: forNew, Preset: "10",
			value: rate(func(o *Options) *float64 { return &o.TokenFailures }),
			Help: "Tokens a second that may fail for one address, twice that at once. Beyond that it is answered 429, and " +
				"no token is looked at. 0 is unlimited.",
		},
		{
			Name: "max-conns-per-user", Shown: Usual, Reload: counted,
			value: number(func(o *Options) *int { return &o.MaxConnsPerUser }, 0, gib),
			Help:  "Connections of one token's user. 0 is unlimited.",
		},
	}},
	{"conns", "Limits of connections", []Setting{
		{
			Name: "max-conns", Shown: Usual, Reload: forNew, Preset: "0",
			value: number(func(o *Options) *int { return &o.MaxConns }, 0, gib),
			Help:  "Connections in all. 0 is what the open-files limit leaves.",
		},
		{
			Name: "max-conns-per-ip", Shown: Usual, Reload: counted,
			value: number(func(o *Options) *int { return &o.MaxConnsPerIP }, 0, gib),
			Help:  "Connections of one address. 0 is unlimited.",
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
			Help:  "The same of one address.",
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
	}},
	{"sessions", "Limits of one session", []Setting{
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
	}},
	{"groups", "Limits of groups", []Setting{
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
	}},
	{"backends", "Backends", []Setting{
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
	}},
	{"process", "Process", []Setting{
		{
			Name: "config", Shown: Usual, Reload: Reload{Why: "the file is named at the start"}, NoKey: true,
			value: text(func(o *Options) *string { return &o.ConfigFile }, "FILE", nil),
			Help:  "YAML file with any of these settings as its keys.",
		},
		{
			Name: "control", Shown: Usual, Reload: opened,
			value: text(func(o *Options) *string { return &o.Control }, "PATH", controlPath),
			Help: "Unix socket for the commands (status, stop, reload ...): its path, a directory for it, or none. " +
				"By default in /run/groupcast for root, in $XDG_RUNTIME_DIR/groupcast for others.",
		},
		{
			Name: "drain", Shown: Usual, Reload: atOnce, Preset: "10s",
			value: span(func(o *Options) *time.Duration { return &o.Drain }, 0, maxDrain),
			Help: "From SIGTERM or Ctrl+C to the end, at most. Many closes are spread over 80 % of it. 0 closes at " +
				"once.",
		},
		{
			Name: "max-memory", Shown: Usual, Reload: atOnce, Preset: "auto",
			value: budgetSize(func(o *Options) *int { return &o.MaxMemory }, 64*mib, tib),
			Help: "Memory of the whole process, the kernel's for its connections included. Near it, those that hold most " +
				"are closed, then nothing new is let in. auto is the least of GOMEMLIMIT, the container's limit and 80 % of " +
				"the machine; none is unlimited.",
		},
		{
			Name: "pid-file", Shown: Usual, Reload: Reload{Why: "it is written at the start"},
			value: text(func(o *Options) *string { return &o.PIDFile }, "FILE", nil),
			Help: "Write the process id into this file. It is removed at the end, and refused if it names a groupcast " +
				"that is running.",
		},
		{
			Name: "user", Shown: Usual, Reload: Reload{Why: "the rights are given up at the start"},
			value: text(func(o *Options) *string { return &o.User }, "USER", nil),
			Help:  "Become this user once everything is open; only root may.",
		},
		{
			Name: "group", Shown: Usual, Reload: Reload{Why: "the rights are given up at the start"},
			value: text(func(o *Options) *string { return &o.Group }, "GROUP", nil),
			Help:  "Become this group; by default the user's. There are no supplementary ones.",
		},
		{
			Name: "log-file", Shown: Usual, Reload: atOnce,
			value: text(func(o *Options) *string { return &o.LogFile }, "FILE", nil),
			Help:  "Where the log goes instead of standard error. Opened again at a reload, for logrotate.",
		},
		{
			Name: "log-level", Shown: Usual, Reload: atOnce, Preset: "info",
			value: word(func(o *Options) *string { return &o.LogLevel }, "LEVEL", "debug", "info", "warn", "error"),
			Help:  "The least important records that are logged: debug, info, warn or error.",
		},
		{
			Name: "log-format", Shown: Usual, Reload: Reload{Why: "a log has one format"}, Preset: "text",
			value: word(func(o *Options) *string { return &o.LogFormat }, "FORMAT", "text", "json"),
			Help:  "text or json. With json, the banner is one JSON record instead.",
		},
	}},
	{"api-limits", "Limits of the API", []Setting{
		{
			Name: "api-max-conns", Shown: Rare, Reload: forNew,
			value: number(func(o *Options) *int { return &o.APILimits.MaxConns }, 1, mib),
			Help: "Connections to the API, within an eighth of the open-files limit. Those that have shown no token " +
				"make room for the next; where none has not, it is answered 503 and closed.",
		},
		{
			Name: "api-max-scrapes", Shown: Rare, Reload: forNew,
			value: number(func(o *Options) *int { return &o.APILimits.MaxScrapes }, 1, mib),
			Help:  "Answers to /metrics being made at one time. Beyond that they are answered 503.",
		},
		{
			Name: "api-max-requests", Shown: Rare, Reload: forNew,
			value: number(func(o *Options) *int { return &o.APILimits.MaxInFlight }, 1, mib),
			Help:  "Requests being worked on at one time, health left out. Beyond that they are answered 503.",
		},
		{
			Name: "api-max-listings", Shown: Rare, Reload: forNew,
			value: number(func(o *Options) *int { return &o.APILimits.MaxListings }, 1, mib),
			Help:  "Listings being made at one time. Others wait for --api-query-timeout.",
		},
		{
			Name: "api-max-batch", Shown: Rare, Reload: forNew, Preset: "0",
			value: size(func(o *Options) *int { return &o.APILimits.MaxBatchBytes }, 0, gib),
			Help:  "Body of POST /v1/publish. 0 is 1MiB, or twice --max-message where that is more.",
		},
		{
			Name: "api-max-batch-items", Shown: Rare, Reload: forNew,
			value: number(func(o *Options) *int { return &o.APILimits.MaxBatchItems }, 1, mib),
			Help:  "Items of one batch.",
		},
		{
			Name: "api-publish-timeout", Shown: Rare, Reload: forNew,
			value: span(func(o *Options) *time.Duration { return &o.APILimits.PublishTimeout }, shortWait, apiLongest),
			Help:  "How long a publication, or a whole batch, waits for room in the ring. Then it is answered 503.",
		},
		{
			Name: "api-query-timeout", Shown: Rare, Reload: forNew,
			value: span(func(o *Options) *time.Duration { return &o.APILimits.QueryTimeout }, shortWait, apiLongest),
			Help:  "How long a request waits for answers of the loops. Then it is answered 503.",
		},
		{
			Name: "api-max-stall", Shown: Rare, Reload: forNew,
			value: span(func(o *Options) *time.Duration { return &o.APILimits.StallAfter }, shortWait, apiLongest),
			Help:  "A loop's silence after which /readyz says that the server is not ready.",
		},
		{
			Name: "api-max-sample-age", Shown: Rare, Reload: forNew,
			value: span(func(o *Options) *time.Duration { return &o.APILimits.MaxSampleAge }, shortWait, apiLongest),
			Help:  "Age of the last sample of the loops after which /readyz says the same.",
		},
		{
			Name: "api-max-head", Shown: Rare, Reload: taken,
			value: size(func(o *Options) *int { return &o.APIServer.MaxHeaderBytes }, 256, mib),
			Help:  "Line and headers of a request; 4KiB more may pass.",
		},
		{
			Name: "api-head-timeout", Shown: Rare, Reload: taken,
			value: span(func(o *Options) *time.Duration { return &o.APIServer.ReadHeaderTimeout }, shortWait, day),
			Help:  "How long these may take to arrive.",
		},
		{
			Name: "api-read-timeout", Shown: Rare, Reload: taken,
			value: span(func(o *Options) *time.Duration { return &o.APIServer.ReadTimeout }, shortWait, day),
			Help:  "How long a whole request may take to arrive.",
		},
		{
			Name: "api-write-timeout", Shown: Rare, Reload: taken,
			value: span(func(o *Options) *time.Duration { return &o.APIServer.WriteTimeout }, shortWait, day),
			Help: "How long it may take from there until the answer is sent. Longer than --api-publish-timeout and " +
				"--api-query-timeout.",
		},
		{
			Name: "api-idle-timeout", Shown: Rare, Reload: taken,
			value: span(func(o *Options) *time.Duration { return &o.APIServer.IdleTimeout }, shortWait, day),
			Help:  "How long a connection waits for its next request.",
		},
		{
			Name: "api-close-timeout", Shown: Rare, Reload: taken, Preset: "500ms",
			value: span(func(o *Options) *time.Duration { return &o.APICloseTimeout }, 0, maxClose),
			Help:  "How long the answers that are being written when the server ends may still take.",
		},
	}},
	{"channel-limits", "Limits of the Channel server, and of the connection to another one", []Setting{
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
	}},
	{"tuning", "Tuning (the defaults are measured; leave them alone without a benchmark)", []Setting{
		{
			Name: "ring-slots", Shown: Rare, Reload: sized,
			value: powerOfTwo(func(o *Options) *int { return &o.RingSlots }, 1<<24),
			Help:  "Messages in one ring.",
		},
		{
			Name: "ring-bytes", Shown: Rare, Reload: sized,
			value: size(func(o *Options) *int { return &o.RingBytes }, 1, gib),
			Help:  "Bytes in one ring.",
		},
		{
			Name: "batch-messages", Shown: Rare, Reload: atOnce,
			value: number(func(o *Options) *int { return &o.BatchMessages }, 1, mib),
			Help:  "Messages in one batch.",
		},
		{
			Name: "batch-bytes", Shown: Rare, Reload: atOnce,
			value: size(func(o *Options) *int { return &o.BatchBytes }, 1, gib/2),
			Help:  "Bytes in one batch.",
		},
		{
			Name: "batch-marks", Shown: Rare, Reload: atOnce,
			value: number(func(o *Options) *int { return &o.BatchMarks }, 1, gib),
			Help:  "Deliveries marked in one batch.",
		},
		{
			Name: "flush-slice", Shown: Rare, Reload: atOnce,
			value: number(func(o *Options) *int { return &o.FlushSlice }, 1, gib),
			Help:  "Writes before a loop serves other events. A session that needs none counts a sixteenth.",
		},
		{
			Name: "pprof", Shown: Rare, Reload: opened,
			value: text(func(o *Options) *string { return &o.Pprof }, "ADDR", loopback),
			Help:  "Serve Go's profiles on this loopback address. Empty: do not.",
		},
	}},
}
