package settings

import (
	"net/netip"
	"time"

	"groupcast/loop"
	"groupcast/server/api"
	"groupcast/server/bus"
	"groupcast/server/workerman"
)

// Engine names loop.Options inside of Options.
type Engine = loop.Options

// Options are everything that an operator can set. What a package below takes is
// kept in that package's own struct, which the row of the setting points into:
// nothing is copied from one struct to the other. The rest is the process's own.
//
// Of Engine, the process itself fills in Logger, OnMessage, Budget, CloseLimit and JoinWait; of the
// others their Logger, Budget, the messages' size and the address to join. They are no settings.
type Options struct {
	Engine // Loops and MaxConns may be 0: the machine's choice

	ConfigFile string

	Listen    []string
	TLSCert   []string // PEM files, each with its key at the same place in TLSKey
	TLSKey    []string
	TLSMin    string
	ACME      []string // names
	ACMEDir   string
	ACMECA    string // an URL; empty: Let's Encrypt's
	ACMERoots string
	ACMEEmail string

	Origins       []string
	ProxyProtocol []netip.Prefix // who speaks it

	TrustedProxies  []netip.Prefix // who says in a header who the client is
	ForwardedHeader string         // X-Forwarded-For or Forwarded, in lower case

	HandshakeRate      float64 // a second; 0: unlimited
	HandshakeRatePerIP float64 // likewise, of one address
	TokenKeyFiles      []string
	TokenJWKS          []string // files and URLs
	TokenIssuers       []string // ISSUER=FILE or ISSUER=URL
	TokenAudience      []string
	TokenOptional      bool
	TokenMaxBytes      int
	TokenFailures      float64  // a second and address; 0: unlimited
	AnonymousJoin      []string // patterns, or None alone
	AnonymousPublish   []string
	AnonymousMembers   []string

	MaxMemberQuestions int

	SocketMode FileMode

	API             []string // empty: the default address, if that is to be had
	APIToken        string
	APITokenFile    string
	APIHosts        []string
	APIClientCA     string // PEM file; empty: no certificates are asked for
	APICloseTimeout time.Duration
	APILimits       api.Limits // MaxBatchBytes may be 0: what MaxMessageBytes asks for
	APIServer       api.ServerOptions

	Channel       []string
	ChannelOpen   bool // other machines may reach it
	ChannelServer workerman.Options
	ChannelJoin   string
	ChannelClient workerman.ClientOptions

	Bus bus.Options // without Servers there is none

	MaxMemory int // bytes; 0: no budget, AutoMemory: the machine's choice

	Control   string
	Drain     time.Duration
	PIDFile   string
	User      string
	Group     string
	LogFile   string
	LogLevel  string
	LogFormat string
	Pprof     string
}

// Defaults are the limits of the wire contract: of a package below, what its own
// function says, of the rest, and where 0 is the machine's choice, what the rows say.
func Defaults() Options {
	o := Options{
		Engine:        loop.DefaultOptions(),
		APILimits:     api.DefaultLimits(),
		APIServer:     api.DefaultServerOptions(),
		ChannelServer: workerman.DefaultOptions(),
		ChannelClient: workerman.DefaultClientOptions(),
		Bus:           bus.DefaultOptions(),
	}
	for _, s := range all {
		if s.Preset == "" {
			continue
		}
		if w := s.read(&o, []string{s.Preset}); w != nil {
			panic(s.Name + ": the default wants " + w.wants)
		}
	}
	return o
}
