package server

import (
	"runtime"
	"time"

	"groupcast/loop"
	"groupcast/server/workerman"
)

// Options are everything an operator can set. One struct, flat: its tags make
// the command line, the environment and the configuration file, so that a limit
// cannot be in one and missing from another.
//
// A field that the loops have too carries the same name as in loop.Options;
// Validate relies on it to name the flag of a wrong value.
type Options struct {
	Listen     []string `name:"listen" group:"listen" placeholder:"ADDR" help:"Address to listen on: HOST:PORT, :PORT or unix:/PATH. An IPv4 address is for IPv4 only, no host and [::] for both. Repeat it for several."`
	SocketMode FileMode `name:"socket-mode" group:"listen" placeholder:"MODE" help:"File mode of unix sockets, octal."`
	Loops      int      `name:"loops" group:"listen" placeholder:"N" help:"Event loops, 1 to 256. 0 is one per usable CPU."`

	MaxConns         int           `name:"max-conns" group:"conns" placeholder:"N" help:"Connections in all. 0 is what the open-files limit leaves."`
	MaxConnsPerIP    int           `name:"max-conns-per-ip" group:"conns" placeholder:"N" help:"Connections of one address. 0 is unlimited."`
	MaxHandshakes    int           `name:"max-handshakes" group:"conns" placeholder:"N" help:"Connections that are not upgraded yet."`
	MaxRefusals      int           `name:"max-refusals" group:"conns" placeholder:"N" help:"Connections being answered 503 at one time. Beyond that, accepting pauses."`
	HandshakeTimeout time.Duration `name:"handshake-timeout" group:"conns" placeholder:"TIME" help:"From accept to upgrade, at most."`
	MaxHeadBytes     ByteSize      `name:"max-head" group:"conns" placeholder:"SIZE" help:"HTTP request head of an upgrade."`

	MaxMessageBytes     ByteSize      `name:"max-message" group:"sessions" placeholder:"SIZE" help:"One message, all its fragments together."`
	MaxFragments        int           `name:"max-fragments" group:"sessions" placeholder:"N" help:"Fragments of one message."`
	MaxBacklogBytes     ByteSize      `name:"max-backlog" group:"sessions" placeholder:"SIZE" help:"What one session may leave unread. Beyond that it is closed with 1008."`
	CommandRate         float64       `name:"rate" group:"sessions" placeholder:"N" help:"Commands per second of one session. 0 is unlimited."`
	CommandBurst        int           `name:"burst" group:"sessions" placeholder:"N" help:"Commands that a session may send at once under --rate."`
	PingAfter           time.Duration `name:"ping-after" group:"sessions" placeholder:"TIME" help:"Silence after which a session is pinged."`
	CloseAfter          time.Duration `name:"close-after" group:"sessions" placeholder:"TIME" help:"Silence after which a session is closed. Longer than --ping-after."`
	CloseTimeout        time.Duration `name:"close-timeout" group:"sessions" placeholder:"TIME" help:"Close handshake, at most, from the last progress of a peer that still takes what was queued before it. Then the connection is ended."`
	CloseRate           ByteSize      `name:"close-rate" group:"sessions" placeholder:"SIZE" help:"Bytes a second that such a peer acknowledges at least. Its close handshake lasts no longer than --drain."`
	SendBufferBytes     ByteSize      `name:"send-buffer" group:"sessions" placeholder:"SIZE" help:"Kernel send buffer of one TCP connection, before the kernel doubles it. 0 is the kernel's default, which unix sockets keep."`
	MaxGroupsPerSession int           `name:"max-groups-per-session" group:"groups" placeholder:"N" help:"Groups that one session is in."`
	MaxGroupBytes       ByteSize      `name:"max-group-name" group:"groups" placeholder:"SIZE" help:"Name of a group."`
	MaxGroups           int           `name:"max-groups" group:"groups" placeholder:"N" help:"Groups in all."`
	MaxMembers          int           `name:"max-members" group:"groups" placeholder:"N" help:"Members of one group. 0 is unlimited."`

	API          []string `name:"api" group:"backends" placeholder:"ADDR" help:"HTTP API: HOST:PORT, :PORT, unix:/PATH, or none. By default 127.0.0.1:1235, unless somebody else has that. Where other machines can reach it, it wants a token."`
	APIToken     string   `name:"api-token" group:"backends" secret:"" placeholder:"TOKEN" help:"Token that API requests must present. Command lines can be seen by others: rather use the environment, or a file."`
	APITokenFile string   `name:"api-token-file" group:"backends" placeholder:"FILE" help:"File with such tokens, one a line. Read again at a reload."`
	Channel      []string `name:"channel" group:"backends" placeholder:"ADDR" help:"Workerman Channel server, for PHP programs: HOST:PORT, :PORT or unix:/PATH. Off by default."`
	ChannelJoin  string   `name:"channel-join" group:"backends" placeholder:"HOST:PORT" help:"Workerman Channel server to join, in place of one of its workers."`

	ChannelOpen        bool          `name:"channel-open" group:"backends" help:"The Channel server may listen where other machines reach it. It has no password: they publish and read everything."`
	ChannelAllow       []string      `name:"channel-allow" group:"backends" placeholder:"CIDR" help:"Addresses that may connect to the Channel server over TCP: 10.0.0.0/8, or one address. Repeat it for several. By default all."`
	ChannelStall       time.Duration `name:"channel-stall" group:"backends" placeholder:"TIME" help:"How long a connection to the Channel server may take nothing of what waits for it, then it is closed."`
	ChannelJobMax      time.Duration `name:"channel-job-max" group:"backends" placeholder:"TIME" help:"How long a connection to the Channel server that holds a job may be silent and read nothing."`
	ChannelMaxSend     ByteSize      `name:"channel-max-send" group:"backends" placeholder:"SIZE" help:"What waits for all connections to the Channel server. Beyond that those are closed for which most waits."`
	ChannelMaxChannels int           `name:"channel-max-channels" group:"backends" placeholder:"N" help:"Channels that one connection to the Channel server subscribes to and watches, and that one of its messages names."`

	Control   string        `name:"control" group:"process" placeholder:"PATH" help:"Unix socket for the commands (status, stop, reload ...): its path, a directory for it, or none. By default in /run/groupcast for root, in $$XDG_RUNTIME_DIR/groupcast for others."`
	Drain     time.Duration `name:"drain" group:"process" placeholder:"TIME" help:"From SIGTERM or Ctrl+C to the end, at most. Many closes are spread over 80 % of it. 0 closes at once."`
	PIDFile   string        `name:"pid-file" group:"process" placeholder:"FILE" help:"Write the process id into this file. It is removed at the end, and refused if it names a groupcast that is running."`
	User      string        `name:"user" group:"process" placeholder:"USER" help:"Become this user once everything is open; only root may."`
	Group     string        `name:"group" group:"process" placeholder:"GROUP" help:"Become this group; by default the user's. There are no supplementary ones."`
	LogFile   string        `name:"log-file" group:"process" placeholder:"FILE" help:"Where the log goes instead of standard error. Opened again at a reload, for logrotate."`
	LogLevel  string        `name:"log-level" group:"process" placeholder:"LEVEL" help:"debug, info, warn or error."`
	LogFormat string        `name:"log-format" group:"process" placeholder:"FORMAT" help:"text or json. With json, the banner is one JSON record instead."`

	RingSlots     int      `name:"ring-slots" group:"tuning" placeholder:"N" help:"Messages in one ring. A power of two."`
	RingBytes     ByteSize `name:"ring-bytes" group:"tuning" placeholder:"SIZE" help:"Bytes in one ring."`
	BatchMessages int      `name:"batch-messages" group:"tuning" placeholder:"N" help:"Messages in one batch."`
	BatchBytes    ByteSize `name:"batch-bytes" group:"tuning" placeholder:"SIZE" help:"Bytes in one batch."`
	BatchMarks    int      `name:"batch-marks" group:"tuning" placeholder:"N" help:"Deliveries marked in one batch."`
	Pprof         string   `name:"pprof" group:"tuning" placeholder:"ADDR" help:"Serve Go's profiles on this loopback address. Empty: do not."`
	FlushSlice    int      `name:"flush-slice" group:"tuning" placeholder:"N" help:"Writes before a loop serves other events. A session that needs none counts a sixteenth."`
}

// DefaultOptions are the limits of the wire contract. What the loops have too
// comes from loop.DefaultOptions, the one place where it is written.
func DefaultOptions() Options {
	d := loop.DefaultOptions()
	c := workerman.DefaultOptions()
	return Options{
		Listen:     []string{":1234"},
		SocketMode: 0o660,

		MaxConnsPerIP:    d.MaxConnsPerIP,
		MaxHandshakes:    d.MaxHandshakes,
		MaxRefusals:      d.MaxRefusals,
		HandshakeTimeout: d.HandshakeTimeout,
		MaxHeadBytes:     ByteSize(d.MaxHeadBytes),

		MaxMessageBytes:     ByteSize(d.MaxMessageBytes),
		MaxFragments:        d.MaxFragments,
		MaxBacklogBytes:     ByteSize(d.MaxBacklogBytes),
		CommandRate:         d.CommandRate,
		CommandBurst:        d.CommandBurst,
		PingAfter:           d.PingAfter,
		CloseAfter:          d.CloseAfter,
		CloseTimeout:        d.CloseTimeout,
		CloseRate:           ByteSize(d.CloseRate),
		SendBufferBytes:     ByteSize(d.SendBufferBytes),
		MaxGroupsPerSession: d.MaxGroupsPerSession,
		MaxGroupBytes:       ByteSize(d.MaxGroupBytes),
		MaxGroups:           d.MaxGroups,
		MaxMembers:          d.MaxMembers,

		ChannelStall:       c.StallTimeout,
		ChannelJobMax:      c.JobTimeout,
		ChannelMaxSend:     ByteSize(c.MaxSendBytes),
		ChannelMaxChannels: c.MaxChannelsPerConn,

		Drain:     10 * time.Second,
		LogLevel:  "info",
		LogFormat: "text",

		RingSlots:     d.RingSlots,
		RingBytes:     ByteSize(d.RingBytes),
		BatchMessages: d.BatchMessages,
		BatchBytes:    ByteSize(d.BatchBytes),
		BatchMarks:    d.BatchMarks,
		FlushSlice:    d.FlushSlice,
	}
}

// loopOptions is what the loops take of o, with the two values that 0 leaves
// to the machine filled in; Logger is the caller's.
func (o Options) loopOptions(maxConns int) loop.Options {
	d := loop.DefaultOptions()
	d.Loops = o.loops()
	d.MaxConns = maxConns
	d.MaxConnsPerIP = o.MaxConnsPerIP
	d.MaxHandshakes = o.MaxHandshakes
	d.MaxRefusals = o.MaxRefusals
	d.HandshakeTimeout = o.HandshakeTimeout
	d.MaxHeadBytes = int(o.MaxHeadBytes)

	d.MaxMessageBytes = int(o.MaxMessageBytes)
	d.MaxFragments = o.MaxFragments
	d.MaxBacklogBytes = int(o.MaxBacklogBytes)
	d.CommandRate = o.CommandRate
	d.CommandBurst = o.CommandBurst
	d.PingAfter = o.PingAfter
	d.CloseAfter = o.CloseAfter
	d.CloseTimeout = o.CloseTimeout
	d.CloseRate = int(o.CloseRate)
	d.CloseLimit = min(max(o.Drain, 0), maxDrain) // what else it is, Validate says of --drain
	d.SendBufferBytes = int(o.SendBufferBytes)
	d.MaxGroupsPerSession = o.MaxGroupsPerSession
	d.MaxGroupBytes = int(o.MaxGroupBytes)
	d.MaxGroups = o.MaxGroups
	d.MaxMembers = o.MaxMembers

	d.RingSlots = o.RingSlots
	d.RingBytes = int(o.RingBytes)
	d.BatchMessages = o.BatchMessages
	d.BatchBytes = int(o.BatchBytes)
	d.BatchMarks = o.BatchMarks
	d.FlushSlice = o.FlushSlice
	return d
}

// loops resolves 0 to one loop per usable CPU. GOMAXPROCS already knows of CPU
// affinity and of a container's CPU quota; the number of cores does not.
func (o Options) loops() int {
	if o.Loops != 0 {
		return o.Loops
	}
	return min(runtime.GOMAXPROCS(0), 256)
}
