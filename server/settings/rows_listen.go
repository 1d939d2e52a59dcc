package settings

import "net/netip"

var listeningRows = Group{"listen", "Listening", []Setting{
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
}}

var edgeRows = Group{"tls", "TLS and who may connect", []Setting{
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
			"10.0.0.0/8, or one address. They are believed, and nobody else may send one. Limits of one address count " +
			"their clients', and never their own. Repeat it for several.",
	},
	{
		Name: "trusted-proxy", Shown: Usual, Reload: taken,
		value: networks(func(o *Options) *[]netip.Prefix { return &o.TrustedProxies }),
		Help: "Proxies in front of --listen or --api whose --forwarded-header is believed: 10.0.0.0/8, or one address; " +
			"with any, those that connect over unix sockets as well. Others' is ignored. Limits of one address count their " +
			"clients', and never their own. Repeat it for several.",
	},
	{
		Name: "forwarded-header", Shown: Rare, Reload: taken, Preset: "x-forwarded-for",
		value: word(func(o *Options) *string { return &o.ForwardedHeader }, "NAME", "x-forwarded-for", "forwarded"),
		Help: "The header in which --trusted-proxy says who the client is: x-forwarded-for or forwarded. The other one " +
			"is not looked at, since proxies mostly pass it on as the client sent it.",
	},
}}
