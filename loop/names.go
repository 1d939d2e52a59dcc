package loop

import (
	"groupcast/loop/order"
	"groupcast/loop/reactor"
)

// What callers of the engine meet of the rooms behind it, under one name.

type (
	// SessionID names a session across goroutines; see order.SessionID.
	SessionID = order.SessionID
	// Epoch names one run of the broker's order; see order.Epoch.
	Epoch = order.Epoch
	// Sink is a way out of the broker; see order.Sink.
	Sink = order.Sink
	// SinkOptions are what a sink is, and what it gets.
	SinkOptions = order.SinkOptions
	// SinkMessage is one message as a sink gets it.
	SinkMessage = order.SinkMessage
	// SinkStats is a snapshot of a Sink.
	SinkStats = order.SinkStats

	// Options are the limits and sizes of an Engine; see reactor.Options.
	Options = reactor.Options
	// OptionError says which option is wrong and what it wants.
	OptionError = reactor.OptionError
	// Session is one WebSocket connection; see reactor.Session.
	Session = reactor.Session
	// Identity is who a session's peer is known to be; see reactor.Identity.
	Identity = reactor.Identity
	// Grants are what an Identity may do.
	Grants = reactor.Grants
	// AuthRequest is a token that an open session sends; see Options.Authenticate.
	AuthRequest = reactor.AuthRequest
	// MembersRequest is an open session's question who is in a group; see Options.ListMembers.
	MembersRequest = reactor.MembersRequest
	// SessionInfo is what is known of one session.
	SessionInfo = reactor.SessionInfo
	// Membership is a session in a group; see reactor.Membership.
	Membership = reactor.Membership
	// MemberChange is a membership that began or ended; see reactor.Change.
	MemberChange = reactor.Change
	// Coverage is what is believed of the bus; see reactor.Coverage.
	Coverage = reactor.Coverage
	// GroupInfo is what is known of one group.
	GroupInfo = reactor.GroupInfo
	// ReactorStats are one reactor's counters and gauges.
	ReactorStats = reactor.Stats
	// ErrorCounts counts by the place of a code in ErrorCodes.
	ErrorCounts = reactor.ErrorCounts
	// Histogram counts values in buckets.
	Histogram = reactor.Histogram
)

// What is believed of the bus; see reactor.Coverage.
const (
	CoverageOff     = reactor.CoverageOff
	CoverageAway    = reactor.CoverageAway
	CoveragePending = reactor.CoveragePending
	CoverageOn      = reactor.CoverageOn
)

// ExpiryGrace is how long an identity is good for beyond its end: clocks differ.
const ExpiryGrace = reactor.ExpiryGrace

// MaxPage is the most entries that one page of a listing has.
const MaxPage = 1000

// DefaultOptions are the limits of the wire contract, for one reactor and
// 1,024 connections; the program sets Loops and MaxConns from its machine.
func DefaultOptions() Options { return reactor.DefaultOptions() }

// ErrorCodes are the codes of the contract, in the order of ErrorCounts.
var ErrorCodes = reactor.ErrorCodes

// Errors of the broker and its sinks. They may be compared with errors.Is.
var (
	ErrClosed      = order.ErrClosed
	ErrDraining    = order.ErrDraining
	ErrOverloaded  = order.ErrOverloaded
	ErrSinkClosed  = order.ErrSinkClosed
	ErrSinkMissed  = order.ErrSinkMissed
	ErrSinkDrained = order.ErrSinkDrained
	ErrNoSession   = reactor.ErrNoSession
)

// ParseSessionID reads a session id's textual form.
func ParseSessionID(text string) (SessionID, error) { return order.ParseSessionID(text) }
