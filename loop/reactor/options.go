package reactor

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/gobwas/ws"

	"groupcast/loop/budget"
	"groupcast/loop/order"
	"groupcast/protocol"
)

// Options are the limits and sizes of an engine: of its reactors, and of what stands
// before them. Every field has a unit in its name or its comment; the zero value is not
// usable, start from DefaultOptions.
type Options struct {
	// Loops is the number of reactors, 1 to 256 (gnet's own bound).
	Loops int

	// MaxMessageBytes bounds one message of a client, all its fragments together.
	MaxMessageBytes int
	// MaxFragments bounds the frames that one message may arrive in.
	MaxFragments int
	// MaxHeadBytes bounds the HTTP request head of an upgrade.
	MaxHeadBytes int

	// HandshakeTimeout is how long a connection may take from accept to upgrade.
	HandshakeTimeout time.Duration
	// AllowOrigin reports whether an upgrade with these Origin headers, none or several,
	// may come in; nil lets all in. It runs on the loops: it must not wait.
	AllowOrigin func(origins []string) bool
	// Anonymous is what sessions without an identity may do; nil: join and send to every group,
	// and be told the members of none.
	Anonymous *Grants
	// Authenticate is asked to check a token that an open session sends, elsewhere: it must
	// not wait. Engine.Authenticated brings the answer. It reports false where it cannot take
	// one more. nil: there are no tokens. It runs on the loops.
	Authenticate func(AuthRequest) bool
	// ListMembers is asked who is in a group, elsewhere: it must not wait.
	// Engine.MembersListed brings the answer. It reports false where it cannot take one more.
	// nil: nobody is told. It runs on the loops.
	ListMembers func(MembersRequest) bool
	// PingAfter is the silence after which a session is pinged.
	PingAfter time.Duration
	// CloseAfter is the silence after which it is closed; larger than PingAfter.
	CloseAfter time.Duration
	// CloseTimeout is how long a close handshake may take, from the last progress
	// of a peer that is still taking what was queued before.
	CloseTimeout time.Duration
	// CloseRate is the least progress, in bytes acknowledged a second.
	CloseRate int
	// CloseLimit bounds a close handshake in all, outside a drain. One that makes
	// no progress ends after CloseTimeout, and none ends before that.
	CloseLimit time.Duration

	// MaxBacklogBytes bounds what one session may leave unread after a flush
	// attempt; each message that waits counts some 160 bytes beside its own.
	MaxBacklogBytes int
	// MaxGroupsPerSession bounds the groups one session is in.
	MaxGroupsPerSession int
	// MaxGroupBytes bounds a group's name.
	MaxGroupBytes int
	// MaxGroups bounds the groups in all; a group with members on several
	// reactors counts once on each.
	MaxGroups int
	// MaxMembers bounds the members of one group over all reactors; 0 is unlimited.
	MaxMembers int

	// JoinWait is how long the ack of a join waits, in a cluster, until the bus covers the group.
	JoinWait time.Duration

	// MaxConns bounds the connections in all, handshaking ones included.
	MaxConns int
	// MaxConnsPerIP bounds the connections of one remote address; 0 is unlimited.
	MaxConnsPerIP int
	// IPv6PrefixBits is how much of an IPv6 address MaxConnsPerIP counts as one.
	IPv6PrefixBits int
	// UncountedIPs are the addresses that MaxConnsPerIP does not count: proxies', whose
	// connections are many clients'. They are not changed by Reconfigure.
	UncountedIPs []netip.Prefix
	// ReceiveRate bounds the bytes per second of one session, as they come over the wire:
	// the largest frame at once, or what one second allows, if that is more. 0 is unlimited.
	ReceiveRate int
	// MaxConnsPerUser bounds the connections of one identity's user; 0 is unlimited.
	MaxConnsPerUser int
	// CommandRate bounds the commands per second of one session; 0 is unlimited.
	CommandRate float64
	// CommandBurst is how many commands a session may send at once under CommandRate.
	CommandBurst int
	// MaxHandshakes bounds the connections that are not upgraded yet.
	MaxHandshakes int
	// MaxRefusals bounds the connections being answered 503 at one time;
	// beyond it accepting pauses.
	MaxRefusals int

	// RingSlots bounds every ring in messages; a power of two.
	RingSlots int
	// RingBytes bounds every ring in bytes.
	RingBytes int

	// BatchMessages, BatchBytes and BatchMarks end a batch: messages taken from
	// a ring, their bytes, and references handed to members.
	BatchMessages, BatchBytes, BatchMarks int
	// FlushSlice is how many writes a flush makes before the loop serves other
	// events; a session that needs none counts a sixteenth.
	FlushSlice int

	// SendBufferBytes is SO_SNDBUF of accepted TCP connections (the kernel doubles
	// it); 0 leaves the kernel's default. It bounds what a stalled reader pins
	// outside the Go heap.
	SendBufferBytes int

	// Budget is the process's for memory, of which the engine counts its part and guards all;
	// nil is none.
	Budget *budget.Budget

	// Logger receives what an operator should know; nil is slog.Default.
	Logger *slog.Logger

	// OnMessage, if set, takes every complete message in place of the command
	// interpreter, on the session's own loop. It is the seam that conformance
	// servers are built on. The payload is valid until it returns.
	OnMessage func(s *Session, op ws.OpCode, payload []byte)
}

// DefaultOptions are the limits of the wire contract, for one reactor and
// 1,024 connections; the program sets Loops and MaxConns from its machine.
func DefaultOptions() Options {
	return Options{
		Loops:               1,
		MaxMessageBytes:     64 << 10,
		MaxFragments:        1024,
		MaxHeadBytes:        8 << 10,
		HandshakeTimeout:    5 * time.Second,
		PingAfter:           55 * time.Second,
		CloseAfter:          110 * time.Second,
		CloseTimeout:        5 * time.Second,
		CloseRate:           8 << 10,
		CloseLimit:          10 * time.Second,
		MaxBacklogBytes:     1 << 20,
		MaxGroupsPerSession: 128,
		MaxGroupBytes:       256,
		MaxGroups:           1_000_000,
		JoinWait:            time.Second,
		MaxConns:            1024,
		IPv6PrefixBits:      64,
		CommandBurst:        100,
		MaxHandshakes:       4096,
		MaxRefusals:         64,
		RingSlots:           1024,
		RingBytes:           16 << 20,
		BatchMessages:       512,
		BatchBytes:          64 << 10,
		BatchMarks:          32768,
		FlushSlice:          256,
		SendBufferBytes:     128 << 10,
	}
}

// OptionError says which option is wrong and what it wants.
type OptionError struct {
	Field  string // name of the Options field
	Reason string // what it wants, and what it got
}

func (e *OptionError) Error() string { return e.Field + ": " + e.Reason }

// Validate reports every option that is out of range or cannot live with
// another, each as an *OptionError, joined.
func (o Options) Validate() error {
	var errs []error
	wants := func(ok bool, field, format string, args ...any) {
		if !ok {
			errs = append(errs, &OptionError{field, fmt.Sprintf(format, args...)})
		}
	}
	between := func(v, low, high int, field string) {
		wants(v >= low && v <= high, field, "wants %d to %d, got %d", low, high, v)
	}
	const gib = 1 << 30
	between(o.Loops, 1, 256, "Loops")
	between(o.MaxMessageBytes, 1, gib, "MaxMessageBytes")
	between(o.MaxFragments, 1, gib, "MaxFragments")
	between(o.MaxHeadBytes, 256, 1<<20, "MaxHeadBytes")
	between(o.CloseRate, 1, gib, "CloseRate")
	between(o.MaxBacklogBytes, 1, gib/2, "MaxBacklogBytes")
	between(o.MaxGroupsPerSession, 1, 1<<20, "MaxGroupsPerSession")
	between(o.MaxGroupBytes, 1, 4096, "MaxGroupBytes")
	between(o.MaxGroups, 1, gib, "MaxGroups")
	between(o.MaxMembers, 0, gib, "MaxMembers")
	between(o.MaxConns, 1, gib, "MaxConns")
	between(o.MaxConnsPerIP, 0, gib, "MaxConnsPerIP")
	between(o.IPv6PrefixBits, 1, 128, "IPv6PrefixBits")
	between(o.ReceiveRate, 0, gib, "ReceiveRate")
	between(o.MaxConnsPerUser, 0, gib, "MaxConnsPerUser")
	between(o.CommandBurst, 1, gib, "CommandBurst")
	between(o.MaxHandshakes, 1, gib, "MaxHandshakes")
	between(o.MaxRefusals, 1, 4096, "MaxRefusals")
	between(o.RingSlots, 1, 1<<24, "RingSlots")
	between(o.RingBytes, 1, gib, "RingBytes")
	between(o.BatchMessages, 1, 1<<20, "BatchMessages")
	between(o.BatchBytes, 1, gib/2, "BatchBytes")
	between(o.BatchMarks, 1, gib, "BatchMarks")
	between(o.FlushSlice, 1, gib, "FlushSlice")
	between(o.SendBufferBytes, 0, gib, "SendBufferBytes")
	wants(o.CommandRate >= 0 && o.CommandRate <= gib, "CommandRate", "wants 0 (unlimited) to %d, got %g", gib,
		o.CommandRate)
	wants(o.RingSlots&(o.RingSlots-1) == 0, "RingSlots", "wants a power of two, got %d", o.RingSlots)
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"HandshakeTimeout", o.HandshakeTimeout},
		{"PingAfter", o.PingAfter},
		{"CloseAfter", o.CloseAfter},
		{"CloseTimeout", o.CloseTimeout},
	} {
		wants(d.value >= minTimeout && d.value <= maxTimeout, d.field, "wants %s to %s, got %s", minTimeout, maxTimeout,
			d.value)
	}
	wants(o.CloseAfter > o.PingAfter, "CloseAfter", "wants more than PingAfter (%s), got %s", o.PingAfter, o.CloseAfter)
	wants(o.JoinWait >= minJoinWait && o.JoinWait <= maxJoinWait, "JoinWait", "wants %s to %s, got %s", minJoinWait,
		maxJoinWait, o.JoinWait)
	wants(o.CloseLimit >= 0 && o.CloseLimit <= maxTimeout, "CloseLimit", "wants 0s to %s, got %s", maxTimeout,
		o.CloseLimit)
	if len(errs) == 0 {
		// What one message can become must fit wherever it may have to wait
		// alone; a frame that fits nowhere would block its ring for ever.
		frame := o.MaxFrameBytes()
		wants(frame <= o.RingBytes, "RingBytes",
			"wants at least %d, the largest frame that MaxMessageBytes (%d) allows, got %d",
			frame, o.MaxMessageBytes, o.RingBytes)
		wants(frame <= o.MaxBacklogBytes, "MaxBacklogBytes",
			"wants at least %d, the largest frame that MaxMessageBytes (%d) allows, got %d",
			frame, o.MaxMessageBytes, o.MaxBacklogBytes)
	}
	return errors.Join(errs...)
}

const (
	minTimeout = 50 * time.Millisecond
	maxTimeout = 24 * time.Hour
	// An ack's wait is short: a client waits for it, and it is kept in memory.
	minJoinWait = 10 * time.Millisecond
	maxJoinWait = time.Minute
)

// MaxFrameBytes is what a message of MaxMessageBytes may need in a ring or a
// backlog: the frame in either mode, and what a ring item holds beside it.
func (o Options) MaxFrameBytes() int {
	envelope := protocol.MessageLen("", nil, true) + 6*o.MaxGroupBytes
	return o.MaxMessageBytes + envelope + o.MaxGroupBytes + protocol.MaxReqIDBytes + 10 + order.Overhead
}
