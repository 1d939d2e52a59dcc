package server

import (
	"runtime"

	"groupcast/loop"
	"groupcast/server/api"
	"groupcast/server/door"
	"groupcast/server/settings"
	"groupcast/server/workerman"
)

// Options are everything an operator can set; see package settings.
type Options = settings.Options

// FileMode is the permission of a socket file.
type FileMode = settings.FileMode

// none as an address is none at all, where there would be one by default.
const none = settings.None

// DefaultOptions are the limits of the wire contract.
func DefaultOptions() Options { return settings.Defaults() }

// loopOptions is what the loops take of o, with the two values that 0 leaves
// to the machine filled in; Logger is the caller's.
func loopOptions(o Options, maxConns int) loop.Options {
	engine := o.Engine
	engine.Loops, engine.MaxConns, engine.CloseLimit = loops(o), maxConns, o.Drain
	engine.JoinWait = o.Bus.JoinWait
	engine.UncountedIPs = o.Proxies()
	if origins, err := door.ParseOrigins(o.Origins); err == nil && !origins.All() { // they have been checked
		engine.AllowOrigin = origins.Allow
	}
	join, send := settings.Patterns(o.AnonymousJoin), settings.Patterns(o.AnonymousPublish)
	members := settings.Patterns(o.AnonymousMembers)
	if !everywhere(o) || !members.None() {
		engine.Anonymous = &loop.Grants{Join: join, Publish: send, Members: members}
	}
	return engine
}

// everywhere reports whether clients without a token may join and send to every group.
func everywhere(o Options) bool {
	return settings.Patterns(o.AnonymousJoin).All() && settings.Patterns(o.AnonymousPublish).All()
}

// listenTo are the addresses of --listen: with a certificate, all of them have TLS, unless
// one says of itself that it does.
func listenTo(o Options) []string {
	all := make([]string, len(o.Listen))
	some := false
	for i, text := range o.Listen {
		a, err := door.Parse(text)
		all[i], some = text, some || a.IsTLS()
		if err == nil && o.HasTLS() {
			all[i] = a.WithTLS().String()
		}
	}
	if some {
		return o.Listen
	}
	return all
}

// loops resolves 0 to one loop per usable CPU. GOMAXPROCS already knows of CPU
// affinity and of a container's CPU quota; the number of cores does not.
func loops(o Options) int {
	if o.Loops != 0 {
		return o.Loops
	}
	return min(runtime.GOMAXPROCS(0), 256)
}

// apiLimits are the API's, with what follows from a message's size.
func apiLimits(o Options, maxFiles int) api.Limits {
	l := o.APILimits
	l.MaxConns = maxAPIConns(maxFiles, o)
	l.MaxMessageBytes = o.MaxMessageBytes
	if l.MaxBatchBytes == 0 {
		l.MaxBatchBytes = max(1<<20, min(2*l.MaxMessageBytes, 1<<30))
	}
	return l
}

// joinOptions are those of the connection to another Channel server: what it has
// in common with our own is set once.
func joinOptions(o Options) workerman.ClientOptions {
	c, own := o.ChannelClient, o.ChannelServer
	c.Address, c.MaxMessageBytes = o.ChannelJoin, o.MaxMessageBytes
	c.SendBufferBytes, c.MaxFrameBytes = own.SendBufferBytes, own.MaxFrameBytes
	c.PublishTimeout, c.SinkMessages, c.SinkBytes = own.PublishTimeout, own.SinkMessages, own.SinkBytes
	return c
}
