package settings

import tokens "groupcast/server/token"

var tokensRows = Group{"tokens", "Tokens, and what clients may do", []Setting{
	{
		Name: "token-key-file", Shown: Usual, Reload: keyed,
		value: texts(func(o *Options) *[]string { return &o.TokenKeyFiles }, "FILE", fileName),
		Help: "File with the secret (HS256) or the PEM key (RS256, ES256, EdDSA) that tokens are signed with. Repeat " +
			"it for several. Read again when it changes. With keys, a client without a good token is answered 401.",
	},
	{
		Name: "token-jwks", Shown: Usual, Reload: keyed,
		value: addressed(texts(func(o *Options) *[]string { return &o.TokenJWKS }, "URL|FILE", keySource),
			tokens.ShownSource),
		Help: "JSON Web Key set with the keys of tokens: https://HOST/PATH, or a file. Fetched again every 5 minutes, " +
			"and for a kid that is unknown; while that fails the keys stay, and a set without keys " +
			"withdraws them. A query in the address is shown nowhere; it has no password. Repeat it for several.",
	},
	{
		Name: "token-issuer", Shown: Usual, Reload: keyed,
		value: addressed(texts(func(o *Options) *[]string { return &o.TokenIssuers }, "ISS=SOURCE", issuerSource),
			shownIssuer),
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
		Help: "Clients without a token may come in, with what --anonymous-join, --anonymous-publish and " +
			"--anonymous-members allow.",
	},
	{
		Name: "anonymous-join", Shown: Usual, Reload: atOnce, Preset: "*",
		value: texts(func(o *Options) *[]string { return &o.AnonymousJoin }, "PATTERN", grantPattern),
		Help: "Groups that clients without a token may join: a name, its beginning and a * behind it, or none. Repeat " +
			"it for several. Without keys this is every client. Groups that a reload takes from them they leave.",
	},
	{
		Name: "anonymous-publish", Shown: Usual, Reload: atOnce, Preset: "*",
		value: texts(func(o *Options) *[]string { return &o.AnonymousPublish }, "PATTERN", grantPattern),
		Help:  "Groups that they may send to, likewise. none: only backends publish.",
	},
	{
		Name: "anonymous-members", Shown: Usual, Reload: atOnce, Preset: None,
		value: texts(func(o *Options) *[]string { return &o.AnonymousMembers }, "PATTERN", grantPattern),
		Help:  "Groups of which they may be told who is in them, likewise. Nobody is told of any unless it is set.",
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
}}
