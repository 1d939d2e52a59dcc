package reactor

import (
	"iter"
	"reflect"

	"groupcast/protocol"
)

// Stats are one reactor's counters since its start, and gauges: plain fields that only
// the loop writes. Everybody else asks the loop for them.
//
// A field's tag is all there is to say about it; package server/metrics tells what
// the keys mean. So one more is one field here, and one increment.
type Stats struct {
	// Gauges.
	Sessions        int `metric:"sessions{reactor}" help:"Upgraded connections of an event loop."`
	Groups          int `metric:"groups{reactor}" help:"Groups with members on an event loop; a group with members on several counts on each."`
	Users           int `metric:"users{reactor}" help:"Users with sessions on an event loop; a user with sessions on several counts on each."`
	Memberships     int `metric:"memberships{reactor}" help:"Members of all groups of an event loop: a session counts once for each of its groups."`
	IngressLen      int `metric:"ring_messages{ring=ingress,reactor}" help:"Messages waiting in the ring from an event loop to the broker (ingress), or back (egress)."`
	EgressLen       int `metric:"ring_messages{ring=egress,reactor}"`
	BacklogSessions int `metric:"backlog_sessions{reactor}" help:"Sessions whose socket takes no more at the moment."`
	BacklogBytes    int `metric:"backlog_bytes{reactor}" help:"What sessions have not read, with what is kept beside it."`
	SealedBytes     int `metric:"sealed_bytes{reactor}" help:"What is encrypted and has not been written yet."`
	HalfBytes       int `metric:"half_message_bytes{reactor}" help:"Parts of messages and request heads that are not all there."`
	Watched         int `metric:"watched_sessions{reactor}" help:"Sessions whose progress is looked at: pinged behind a backlog, or slow to close."`

	// Inbound.
	MessagesIn uint64 `metric:"messages_received_total" help:"Complete messages received."`
	BytesIn    uint64 `metric:"received_bytes_total{reactor}" help:"Bytes received from clients: of HTTP and WebSocket, not what TLS and a PROXY header add."`
	// First frames of text messages.
	TextFrames uint64 `metric:"frames_received_total{opcode=text}" help:"WebSocket frames received."`
	// First frames of binary messages.
	BinaryFrames uint64 `metric:"frames_received_total{opcode=binary}"`
	// Further frames of either.
	Continuations uint64 `metric:"frames_received_total{opcode=continuation}"`
	PingFrames    uint64 `metric:"frames_received_total{opcode=ping}"`
	PongFrames    uint64 `metric:"frames_received_total{opcode=pong}"`
	CloseFrames   uint64 `metric:"frames_received_total{opcode=close}"`
	Upgrades      uint64 `metric:"upgrades_total" help:"Handshakes that became sessions."`
	// Heads answered with anything but 101.
	HandshakeErrors  uint64 `metric:"handshake_failures_total{cause=refused}" help:"Handshakes that did not: refused (no proper upgrade), expired, or from a page of another origin."`
	HandshakeExpired uint64 `metric:"handshake_failures_total{cause=expired}" also:"limit_hits_total{limit=handshake_timeout}"`
	// By AllowOrigin.
	OriginRefused uint64      `metric:"handshake_failures_total{cause=origin}"`
	Errors        ErrorCounts `metric:"command_errors_total{code}" also:"limit_hits_total{limit=rate}" only:"rate_limited" help:"Commands answered with an error."`
	// Sessions whose identity was over.
	Expired      uint64 `metric:"session_ends_total{cause=token_expired}"`
	ExpiryWarned uint64 `metric:"token_warnings_total" help:"Sessions told that their token is about to be over."`
	Renewed      uint64 `metric:"token_renewals_total" help:"Sessions that have got another identity: a renewed token, mostly."`
	Panics       uint64 `metric:"session_ends_total{cause=panic}" also:"panics_total{where=loop}"`
	Deferred     uint64 `metric:"deferred_commands_total" help:"Commands and answers that waited behind a send of their session."`

	// Joins in a cluster; see joinack.go.
	JoinsWaiting  int    `metric:"join_acks_waiting{reactor}" help:"Acks of joins that wait until the bus covers the group."`
	JoinsWaited   uint64 `metric:"join_acks_delayed_total" help:"Acks of joins that had to wait until the bus covers the group."`
	JoinsReleased uint64 `metric:"join_acks_covered_total" help:"Of these, those that were sent once it did."`
	// JoinWait was over.
	JoinsTimedOut uint64 `metric:"join_acks_uncovered_total{cause=wait}" also:"limit_hits_total{limit=nats_join_wait}" help:"Acks of joins that say that the group is not covered: its time was over (wait), the bus or this server is going away (away, draining), or too many waited already, of the session or of the event loop (session_limit, loop_limit)."`
	JoinsAway     uint64 `metric:"join_acks_uncovered_total{cause=away}"`
	JoinsDraining uint64 `metric:"join_acks_uncovered_total{cause=draining}"`
	// MaxWaitingAcks.
	JoinsLimit uint64 `metric:"join_acks_uncovered_total{cause=session_limit}"`
	// MaxLoopWaitingAcks.
	JoinsLoopLimit uint64 `metric:"join_acks_uncovered_total{cause=loop_limit}"`

	// Broadcast.
	Published  uint64 `metric:"published_messages_total{source=session}" help:"Publications: by sessions, or from outside the loops (API, bridges), where one for several groups counts once."`
	Messages   uint64 `metric:"reactor_messages_total{reactor}" help:"Messages that an event loop took from the broker."`
	Deliveries uint64 `metric:"deliveries_total{reactor}" help:"Messages handed to members of groups, and to users' sessions."`
	// Of them.
	UserDeliveries uint64 `metric:"user_deliveries_total" help:"Messages handed to sessions because of their user."`
	// Members in envelope mode; others are in GapClosed.
	Gaps uint64 `metric:"gap_notices_total" help:"Notices to members that messages to their group may have been lost, from other nodes of a cluster."`
	// Not told by itself: BatchSizes.Count is the same.
	Batches    uint64    `metric:"-"`
	BatchSizes Histogram `metric:"batch_messages" buckets:"1-10" help:"Messages that an event loop took at a time."`
	// Messages with members here.
	Latency      Histogram `metric:"publish_to_flush_seconds" unit:"us" buckets:"5-24" help:"From a message's publication until an event loop has written to all its members."`
	Coalesced    uint64    `metric:"coalesced_messages_total" help:"Messages that went out together with others to the same group."`
	Marks        uint64    `metric:"marks_total" help:"References queued for members; fewer than deliveries where messages were put together."`
	Wakeups      uint64    `metric:"reactor_wakeups_total{reactor}" help:"Times that the broker woke an event loop."`
	Yields       uint64    `metric:"reactor_yields_total{reactor}" help:"Times that a long delivery let other events go first."`
	RingFull     uint64    `metric:"ring_full_total{reactor}" help:"Publications of an event loop's sessions that had to wait for room."`
	BlockedNanos uint64    `metric:"ring_blocked_seconds_total{reactor}" unit:"ns" help:"Time that an event loop spent waiting for room."`
	// Time spent in callbacks, BlockedNanos included.
	BusyNanos uint64 `metric:"reactor_busy_seconds_total{reactor}" unit:"ns" help:"Time that an event loop spent working, waiting for room included."`
	MaxMarks  int    `metric:"batch_marks_max" merge:"max" help:"Most references queued by one batch since the start."`
	// Of one flush slice.
	MaxWrites int `metric:"flush_writes_max" merge:"max" help:"Most writes made in a row before other events were served, since the start."`

	// Outbound.
	Writes      uint64 `metric:"writes_total" help:"Writes to sockets."`
	BytesOut    uint64 `metric:"sent_bytes_total{reactor}" help:"Bytes sent to clients, counted likewise."`
	WriteErrors uint64 `metric:"write_errors_total" help:"Writes that failed: the client was gone."`
	// The peer ended TLS otherwise than by close_notify, or sent what is not TLS.
	TLSErrors   uint64 `metric:"tls_broken_sessions_total" help:"Sessions over TLS whose peer broke it off, or sent what is not TLS."`
	Blocked     uint64 `metric:"writes_blocked_total" help:"Writes of which the kernel did not take everything."`
	SlowReaders uint64 `metric:"session_ends_total{cause=slow_reader}" also:"limit_hits_total{limit=max_backlog}" help:"Sessions ended by the server: slow_reader, idle, close_timeout, rate, receive_rate, kicked, panic, memory, token_expired, gap."`
	Pings       uint64 `metric:"pings_sent_total" help:"Pings sent to silent sessions."`

	// Ends.
	Closed     uint64 `metric:"connections_closed_total" help:"Connections gone."`
	IdleClosed uint64 `metric:"session_ends_total{cause=idle}" also:"limit_hits_total{limit=close_after}"`
	// Close handshakes that ran out of time; the connection was reset unless all was acknowledged.
	Resets     uint64 `metric:"session_ends_total{cause=close_timeout}" also:"limit_hits_total{limit=close_timeout}"`
	RateClosed uint64 `metric:"session_ends_total{cause=rate}"`
	// Closed by ReceiveRate.
	FloodClosed uint64 `metric:"session_ends_total{cause=receive_rate}" also:"limit_hits_total{limit=receive_rate}"`
	// Closed by Shed.
	MemoryClosed uint64 `metric:"session_ends_total{cause=memory}"`
	// Members of a group that may have lost messages, who cannot be told so in order.
	GapClosed uint64 `metric:"session_ends_total{cause=gap}"`
	// Closed by CloseSession.
	Kicked uint64 `metric:"session_ends_total{cause=kicked}"`
	// Joins refused by MaxGroupsPerSession.
	LimitGroups uint64 `metric:"limit_hits_total{limit=max_groups_per_session}" help:"Times that a limit was reached, by the name of its flag."`
	// Joins refused by MaxGroups.
	LimitAll uint64 `metric:"limit_hits_total{limit=max_groups}"`
	// Joins refused by MaxMembers.
	LimitGroup uint64 `metric:"limit_hits_total{limit=max_members}"`

	// Close frames sent, by code.
	CloseNormal    uint64 `metric:"closes_total{code=1000}" help:"Close frames sent, by code; codes that mean the same kind of thing are counted together."`
	CloseGoingAway uint64 `metric:"closes_total{code=1001_1012}"`
	CloseProtocol  uint64 `metric:"closes_total{code=1002_1007}"`
	ClosePolicy    uint64 `metric:"closes_total{code=1008}"`
	CloseTooBig    uint64 `metric:"closes_total{code=1009}" also:"limit_hits_total{limit=max_message}"`
	CloseInternal  uint64 `metric:"closes_total{code=1011}"`
	CloseTryLater  uint64 `metric:"closes_total{code=1013}"`
	// A peer's own code, echoed.
	CloseOther uint64 `metric:"closes_total{code=other}"`
}

// ErrorCounts counts by the place of a code in ErrorCodes.
type ErrorCounts [10]uint64

// ErrorCodes are the codes of the contract, in the order of ErrorCounts.
var ErrorCodes = [len(ErrorCounts{})]protocol.Code{
	protocol.CodeBadJSON, protocol.CodeBadCommand, protocol.CodeBadGroup, protocol.CodeBadMessage, protocol.CodeTooLarge,
	protocol.CodeTooManyGroups, protocol.CodeNotAllowed, protocol.CodeRateLimited, protocol.CodeOverloaded,
	protocol.CodeDraining,
}

func (c *ErrorCounts) count(code protocol.Code) {
	for i, known := range ErrorCodes {
		if known == code {
			c[i]++
			return
		}
	}
}

// Of is the count of one code.
func (c *ErrorCounts) Of(code protocol.Code) uint64 {
	for i, known := range ErrorCodes {
		if known == code {
			return c[i]
		}
	}
	return 0
}

// Sum is the count of all codes.
func (c *ErrorCounts) Sum() (n uint64) {
	for _, one := range c {
		n += one
	}
	return n
}

// All are the counts by their codes, in the order of ErrorCodes.
func (c *ErrorCounts) All() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for i, n := range c {
			if !yield(string(ErrorCodes[i]), n) {
				return
			}
		}
	}
}

// Add adds the figures of another reactor, each as its tag "merge" says: "max" is the
// larger one, none is the sum.
func (t *Stats) Add(r *Stats) {
	sum, one := reflect.ValueOf(t).Elem(), reflect.ValueOf(r).Elem()
	for i, merge := range merges {
		switch a := sum.Field(i).Addr().Interface().(type) {
		case *uint64:
			*a = merge(*a, one.Field(i).Uint())
		case *int:
			*a = int(merge(uint64(*a), uint64(one.Field(i).Int())))
		case *Histogram:
			a.Add(one.Field(i).Addr().Interface().(*Histogram))
		case *ErrorCounts:
			for j, n := range one.Field(i).Interface().(ErrorCounts) {
				a[j] += n
			}
		default:
			panic("a field of Stats that cannot be added up: " + sum.Type().Field(i).Name)
		}
	}
}

// merges are, for each field of Stats, how two reactors' figures make one.
var merges = mergesOf(reflect.TypeFor[Stats]())

func mergesOf(stats reflect.Type) []func(a, b uint64) uint64 {
	list := make([]func(a, b uint64) uint64, stats.NumField())
	for i := range list {
		switch f := stats.Field(i); f.Tag.Get("merge") {
		case "":
			list[i] = func(a, b uint64) uint64 { return a + b }
		case "max":
			list[i] = func(a, b uint64) uint64 { return max(a, b) }
		default:
			panic("a field of Stats with an unknown merge: " + f.Name)
		}
	}
	return list
}
