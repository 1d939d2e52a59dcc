package reactor

import (
	"reflect"

	"groupcast/protocol"
)

// Stats are one reactor's counters since its start, and gauges. They
// are plain fields that only the loop writes; whoever wants them asks the loop.
//
// A field whose name begins with Max is a maximum since the start.
type Stats struct {
	// Gauges.
	Sessions        int // upgraded or not
	Groups          int
	Memberships     int
	IngressLen      int // ring items waiting for the broker
	EgressLen       int // ring items waiting for this reactor
	BacklogSessions int // sessions whose socket takes no more at the moment
	BacklogBytes    int // what they have not read, with what is kept beside it
	Watched         int // sessions whose progress is looked at: pinged behind a backlog, or slow to close

	// Inbound.
	MessagesIn       uint64 // complete data messages
	BytesIn          uint64
	TextFrames       uint64 // first frames of text messages
	BinaryFrames     uint64 // first frames of binary messages
	Continuations    uint64 // further frames of either
	PingFrames       uint64
	PongFrames       uint64
	CloseFrames      uint64
	Upgrades         uint64
	HandshakeErrors  uint64 // heads answered with anything but 101
	HandshakeExpired uint64
	Errors           ErrorCounts // commands answered with an error
	Panics           uint64
	Deferred         uint64 // commands and answers that waited behind a send of their session

	// Broadcast.
	Published    uint64 // messages this reactor's sessions sent
	Messages     uint64 // messages taken from the egress ring
	Deliveries   uint64 // references handed to members
	Batches      uint64
	BatchSizes   Histogram // in messages
	Latency      Histogram // from publish to the end of the flush, in microseconds; messages with members here
	Coalesced    uint64    // messages that went out inside a shared chunk
	Marks        uint64    // chunk references queued for members
	Wakeups      uint64    // times the broker had gnet wake this loop
	Yields       uint64    // times a fan-out let other events go first
	RingFull     uint64    // publishes that had to wait for room
	BlockedNanos uint64    // time spent waiting for it
	BusyNanos    uint64    // time spent in callbacks, BlockedNanos included
	MaxMarks     int       // most marks of one batch
	MaxWrites    int       // most writes of one flush slice

	// Outbound.
	Writes      uint64
	BytesOut    uint64
	WriteErrors uint64
	Blocked     uint64 // times the kernel took less than all
	SlowReaders uint64 // sessions closed for their backlog
	Pings       uint64

	// Ends.
	Closed      uint64 // connections gone
	IdleClosed  uint64 // closed for silence
	Resets      uint64 // close handshakes that ran out of time; the connection was reset unless all was acknowledged
	RateClosed  uint64
	Kicked      uint64 // closed by CloseSession
	LimitGroups uint64 // joins refused by MaxGroupsPerSession
	LimitAll    uint64 // joins refused by MaxGroups
	LimitGroup  uint64 // joins refused by MaxMembers

	// Close frames sent, by code.
	CloseNormal    uint64 // 1000
	CloseGoingAway uint64 // 1001, 1012
	CloseProtocol  uint64 // 1002, 1007
	ClosePolicy    uint64 // 1008
	CloseTooBig    uint64 // 1009
	CloseInternal  uint64 // 1011
	CloseOther     uint64 // a peer's own code, echoed
}

// ErrorCounts counts by the place of a code in ErrorCodes.
type ErrorCounts [10]uint64

// ErrorCodes are the codes of the contract, in the order of ErrorCounts.
var ErrorCodes = [len(ErrorCounts{})]protocol.Code{
	protocol.CodeBadJSON, protocol.CodeBadCommand, protocol.CodeBadGroup, protocol.CodeBadMessage, protocol.CodeTooLarge,
	protocol.CodeTooManyGroups, protocol.CodeNotAllowed, protocol.CodeRateLimited, protocol.CodeOverloaded, protocol.CodeDraining,
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

// Add adds the figures of another reactor; of the maxima it takes the larger.
func (t *Stats) Add(r *Stats) {
	sum, one := reflect.ValueOf(t).Elem(), reflect.ValueOf(r).Elem()
	for i := range sum.NumField() {
		switch a := sum.Field(i).Addr().Interface().(type) {
		case *uint64:
			*a += one.Field(i).Uint()
		case *int:
			n := int(one.Field(i).Int())
			if name := sum.Type().Field(i).Name; len(name) > 3 && name[:3] == "Max" {
				*a = max(*a, n)
			} else {
				*a += n
			}
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
