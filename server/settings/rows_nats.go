package settings

import (
	"strconv"
	"strings"
	"time"

	"groupcast/protocol/subject"
	"groupcast/server/bus"
)

// joined is what a reload says of the cluster's settings: the connection, what it is subscribed
// to and what the other nodes know of this one begin with it.
var joined = Reload{Why: "the cluster is joined at the start"}

var natsRows = Group{"nats", "Cluster, over NATS", []Setting{
	{
		Name: "nats", Shown: Usual, Reload: joined,
		value: addressed(texts(func(o *Options) *[]string { return &o.Bus.Servers }, "URL", natsServer), bus.ShownServer),
		Help: "NATS server by which this node and others are one: nats://HOST:PORT, or tls://HOST:PORT. Repeat it for " +
			"several of one NATS cluster. USER:PASSWORD@ or TOKEN@ may stand in front of HOST and is shown " +
			"nowhere; command lines can be seen by others. Off by default.",
	},
	{
		Name: "nats-prefix", Shown: Rare, Reload: joined,
		value: text(func(o *Options) *string { return &o.Bus.Prefix }, "PREFIX", natsPrefix),
		Help:  "What all subjects begin with. Clusters that share a NATS have different ones.",
	},
	{
		Name: "nats-node", Shown: Usual, Reload: joined,
		value: text(func(o *Options) *string { return &o.Bus.Node }, "NAME", natsNode),
		Help: "This node's name, which no other node of the cluster has: letters, digits, - and _, 32 of them at most. " +
			"By default the host's name.",
	},
	{
		Name: "nats-creds", Shown: Usual, Reload: joined,
		value: notEmpty(text(func(o *Options) *string { return &o.Bus.CredentialsFile }, "FILE", nil)),
		Help: "File with the JWT and the seed of the NATS user that this node connects as, as nsc writes it. Read again " +
			"whenever it connects.",
	},
	{
		Name: "nats-nkey", Shown: Rare, Reload: joined,
		value: notEmpty(text(func(o *Options) *string { return &o.Bus.NKeyFile }, "FILE", nil)),
		Help: "File with the seed of the NATS user that this node connects as. Read again whenever it connects; another " +
			"user's wants a restart.",
	},
	{
		Name: "nats-user", Shown: Rare, Reload: joined,
		value: notEmpty(text(func(o *Options) *string { return &o.Bus.User }, "NAME", nil)),
		Help:  "The NATS user that this node connects as, by a password.",
	},
	{
		Name: "nats-password", Shown: Rare, Reload: joined, Secret: true,
		value: notEmpty(text(func(o *Options) *string { return &o.Bus.Password }, "PASSWORD", nil)),
		Help: "Password of --nats-user. Command lines can be seen by others: rather use the environment, or " +
			"--nats-password-file.",
	},
	{
		Name: "nats-password-file", Shown: Rare, Reload: joined,
		value: notEmpty(text(func(o *Options) *string { return &o.Bus.PasswordFile }, "FILE", nil)),
		Help:  "File whose one line is that password. Read again whenever the node connects.",
	},
	{
		Name: "nats-token", Shown: Rare, Reload: joined, Secret: true,
		value: notEmpty(text(func(o *Options) *string { return &o.Bus.Token }, "TOKEN", nil)),
		Help: "Token that NATS wants of this node. Command lines can be seen by others: rather use the environment, " +
			"or --nats-token-file.",
	},
	{
		Name: "nats-token-file", Shown: Rare, Reload: joined,
		value: notEmpty(text(func(o *Options) *string { return &o.Bus.TokenFile }, "FILE", nil)),
		Help:  "File whose one line is that token. Read again whenever the node connects.",
	},
	{
		Name: "nats-ca", Shown: Rare, Reload: joined,
		value: notEmpty(text(func(o *Options) *string { return &o.Bus.CAFile }, "FILE", nil)),
		Help: "PEM file with what the certificates of the NATS servers are checked by. By default the system's. With it, " +
			"and with --nats-cert, a server without TLS is refused. Read again whenever the node connects.",
	},
	{
		Name: "nats-cert", Shown: Rare, Reload: joined,
		value: notEmpty(text(func(o *Options) *string { return &o.Bus.CertFile }, "FILE", nil)),
		Help: "PEM file with the certificate that this node shows to the NATS servers. Read again whenever it " +
			"connects.",
	},
	{
		Name: "nats-key", Shown: Rare, Reload: joined,
		value: notEmpty(text(func(o *Options) *string { return &o.Bus.KeyFile }, "FILE", nil)),
		Help:  "PEM file with its key. Read again whenever the node connects.",
	},
	{
		Name: "nats-down", Shown: Usual, Reload: joined,
		value: whileDown(),
		Help: "What becomes of messages while no NATS server is reachable. buffer: this node's clients get them at once, " +
			"the others' when it is back, up to --nats-buffer. local: this node's clients alone get them, and " +
			"the others' are told of a gap. refuse: nobody gets them, and who sends is answered overloaded.",
	},
	{
		Name: "nats-buffer", Shown: Rare, Reload: joined,
		value: size(func(o *Options) *int { return &o.Bus.BufferBytes }, 0, bus.MaxBuffer),
		Help:  "What --nats-down buffer keeps for the other nodes. What is over it is as with local.",
	},
	{
		Name: "nats-inbound", Shown: Rare, Reload: joined,
		value: number(func(o *Options) *int { return &o.Bus.Inbound }, 1, bus.MaxMessages),
		Help: "Messages that have come from NATS and wait for the broker. More are dropped, and members are told of " +
			"a gap.",
	},
	{
		Name: "nats-sink-messages", Shown: Rare, Reload: joined,
		value: number(func(o *Options) *int { return &o.Bus.SinkMessages }, 1, bus.MaxMessages),
		Help: "Messages on their way from the broker to NATS. More are not sent, and the other nodes' members are told " +
			"of a gap.",
	},
	{
		Name: "nats-sink-bytes", Shown: Rare, Reload: joined,
		value: size(func(o *Options) *int { return &o.Bus.SinkBytes }, 1, bus.MaxSinkBytes),
		Help:  "Bytes on the same way.",
	},
	{
		Name: "nats-subjects", Shown: Rare, Reload: joined,
		value: number(func(o *Options) *int { return &o.Bus.Subjects }, 1, bus.MaxSubjects),
		Help: "Groups that this node is subscribed to one by one. With more it gets the messages of all groups, and " +
			"throws away what it does not want.",
	},
	{
		Name: "nats-linger", Shown: Rare, Reload: joined,
		value: span(func(o *Options) *time.Duration { return &o.Bus.Linger }, 0, bus.MaxLinger),
		Help:  "How long it stays subscribed to a group whose last member here has left.",
	},
	{
		Name: "nats-join-wait", Shown: Rare, Reload: joined,
		value: span(func(o *Options) *time.Duration { return &o.Bus.JoinWait }, bus.MinJoinWait, bus.MaxJoinWait),
		Help: "How long the ack of a join waits until the other nodes know of it. Then it says \"cluster\":false. The " +
			"join itself waits for nothing.",
	},
	{
		Name: "nats-lease", Shown: Rare, Reload: joined,
		value: span(func(o *Options) *time.Duration { return &o.Bus.Lease }, bus.MinLease, bus.MaxLease),
		Help:  "How long another node may say nothing. Then it counts as gone.",
	},
	{
		Name: "nats-require", Shown: Rare, Reload: joined,
		value: toggle(func(o *Options) *bool { return &o.Bus.Require }),
		Help: "End the start where no NATS server can be reached. Without it the server starts, serves its own clients, " +
			"and joins when one is there.",
	},
	{
		Name: "nats-ready", Shown: Rare, Reload: joined,
		value: toggle(func(o *Options) *bool { return &o.Bus.Ready }),
		Help: "/readyz is 503 while no NATS server is reachable. Without it the node stays ready: when NATS is away, it " +
			"is away for all nodes.",
	},
}}

// natsServer is the address of a NATS server. Where it is none, nothing of it is shown.
func natsServer(text string, before []string) *wrong {
	switch {
	case len(before) >= bus.MaxServers:
		return &wrong{strconv.Itoa(bus.MaxServers) + " servers at most", "more"}
	case bus.CheckServer(text) != nil:
		return &wrong{strings.TrimPrefix(bus.ErrServer.Error(), "wants "), "another"}
	}
	for _, other := range before {
		if bus.ShownServer(other) == bus.ShownServer(text) {
			return &wrong{"each server once", strconv.Quote(bus.ShownServer(text)) + " twice"}
		}
	}
	return nil
}

func natsPrefix(text string) *wrong {
	if _, err := subject.ParsePrefix(text); err != nil {
		return &wrong{"a prefix of subjects (" + subject.ErrPrefix.Error() + ")", strconv.Quote(text)}
	}
	return nil
}

func natsNode(text string) *wrong {
	if err := bus.CheckNode(text); text != "" && err != nil {
		return &wrong{strings.TrimPrefix(err.Error(), "wants "), strconv.Quote(text)}
	}
	return nil
}

// whileDown is one of bus.Downs.
func whileDown() value {
	words := bus.Downs[:]
	wants := strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	return one(func(o *Options) *bus.Down { return &o.Bus.Down }, kind[bus.Down]{
		hint:  "WHAT",
		parse: func(text string) (bus.Down, bool) { return bus.ParseDown(strings.ToLower(text)) },
		wants: wants,
		check: func(d bus.Down) *wrong {
			if d.Known() {
				return nil
			}
			return &wrong{wants, d.String()}
		},
		format: bus.Down.String,
	})
}

// natsRelations are what settings of the cluster have to do with each other, and with others.
// Without --nats they are not looked at: an image may have them, and its container be alone.
var natsRelations = withServers([]relation{
	{"nats", natsWays, natsOneWay},
	{"nats-user", natsPasswords, func(o *Options) *wrong {
		if o.Bus.User == "" || o.Bus.Password != "" || o.Bus.PasswordFile != "" {
			return nil
		}
		return &wrong{"--nats-password-file or --nats-password beside it", strconv.Quote(o.Bus.User)}
	}},
	{"nats-user", natsPasswords, func(o *Options) *wrong {
		if o.Bus.User != "" || o.Bus.Password == "" && o.Bus.PasswordFile == "" {
			return nil
		}
		return &wrong{wants: "a name beside --nats-password or --nats-password-file"}
	}},
	{"nats-password-file", natsPasswords, func(o *Options) *wrong {
		return notBoth("nats-password", o.Bus.Password, o.Bus.PasswordFile)
	}},
	{"nats-token-file", []string{"nats-token"}, func(o *Options) *wrong {
		return notBoth("nats-token", o.Bus.Token, o.Bus.TokenFile)
	}},
	{"nats-cert", []string{"nats-key"}, func(o *Options) *wrong {
		return bothOrNone("nats-key", o.Bus.CertFile, o.Bus.KeyFile)
	}},
	{"nats-key", []string{"nats-cert"}, func(o *Options) *wrong {
		return bothOrNone("nats-cert", o.Bus.KeyFile, o.Bus.CertFile)
	}},
	// A subject has a group's name as one token, and each of its bytes may be three there.
	{"max-group-name", nil, func(o *Options) *wrong {
		if o.MaxGroupBytes <= subject.MaxNameBytes {
			return nil
		}
		return &wrong{
			"at most " + ByteSize(subject.MaxNameBytes).String() + " with --nats (" +
				strings.Join(o.Bus.ShownServers(), ",") + ")",
			ByteSize(o.MaxGroupBytes).String(),
		}
	}},
})

func withServers(list []relation) []relation {
	for i, one := range list {
		list[i].with = append([]string{"nats"}, one.with...)
		list[i].check = func(o *Options) *wrong {
			if len(o.Bus.Servers) == 0 {
				return nil
			}
			return one.check(o)
		}
	}
	return list
}

var natsPasswords = []string{"nats-user", "nats-password", "nats-password-file"}

// natsWays are where it is said as whom the node connects.
var natsWays = append([]string{"nats-creds", "nats-nkey", "nats-token", "nats-token-file"}, natsPasswords...)

// natsOneWay wants one of them, since NATS takes one, and which of several would be luck.
func natsOneWay(o *Options) *wrong {
	flags := map[string]string{
		"Servers": "a user in the address", "CredentialsFile": Flag("nats-creds"), "NKeyFile": Flag("nats-nkey"),
		"User": Flag("nats-user"), "Token": Flag("nats-token"),
	}
	ways := o.Bus.Authentication()
	if len(ways) < 2 {
		return nil
	}
	for i, field := range ways {
		ways[i] = flags[field]
	}
	return &wrong{"one way to say as whom the node connects", strings.Join(ways, " and ")}
}

func notBoth(other, hers, file string) *wrong {
	if hers == "" || file == "" {
		return nil
	}
	return &wrong{"to stand alone, without " + Flag(other), strconv.Quote(file)}
}

func bothOrNone(other, own, theirs string) *wrong {
	if own == "" || theirs != "" {
		return nil
	}
	return &wrong{Flag(other) + " beside it", strconv.Quote(own)}
}
