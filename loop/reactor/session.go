package reactor

import (
	"time"

	"github.com/panjf2000/gnet/v2"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// Session is one WebSocket connection. It is 176 bytes, which is one of Go's size classes,
// since there may be a million: what only a busy or a misbehaving session needs is made
// when needed and given back.
//
// Owner: its reactor's goroutine, from Open to Gone; every method but ID and
// Opened must be called there. A Session is never reused, so a stale pointer finds a dead
// session and nothing else.
type Session struct {
	// What marking and flushing touch stands together, in as few cache lines as can be.
	r *Reactor
	// Outbound: one queue, in the order in which things must arrive.
	// next is its first chunk, of which sent bytes are gone; more holds the rest.
	next *order.Chunk
	more *outQueue
	sent int32
	// fd is the reactor's own copy of the descriptor: -1 once closed, since
	// the number may already be another connection's.
	fd int32
	// backlog is how many bytes the queue holds, without what is sent, and
	// chunkOverhead for each chunk. It stays below 4 GiB: MaxBacklogBytes, which Validate
	// holds to half of one, is looked at after every batch, which brings no more than a
	// message over BatchBytes, held likewise, and the answers of one read.
	backlog uint32
	flags   sessionFlags
	state   state
	via     via
	// Bytes that have gone out (the kernel has taken them, or TLS has) and that have come: of HTTP
	// and WebSocket, what TLS and a PROXY header add not counted, and the request's head counted
	// wherever it was read. So a client's figures are the same by every road.
	bytesOut, bytesIn uint64

	conn gnet.Conn
	who  *Identity // nil: anonymous

	// Inbound: nil except in the middle of a message or of a request head.
	decoder *protocol.Decoder
	head    *[]byte
	// pong is the pong frame waiting in the queue, if there is one.
	pong *order.Chunk

	// Groups: the first membership lies here, since most sessions have one; in two
	// fields, since a struct would be padded.
	firstGroup *group
	rest       *[]membership
	firstAt    uint32

	// The timing wheel's list, and the tick at which it looks again.
	due                  uint32
	wheelPrev, wheelNext *Session
	// lastSeen is the tick of the last bytes received, opened that of the first.
	lastSeen, opened uint32
	// lastSend is the reactor's count of sent after the session's last send.
	lastSend uint32

	slot, generation uint32

	// bucketMillis and tokens are the command rate's bucket.
	bucketMillis uint32
	tokens       float32
	refusals     uint16 // commands refused for the rate in a row

	dialect dialectID
	mode    protocol.Mode // within the dialect
}

// state is a session's life, in order.
type state uint8

const (
	stateHandshake state = iota // waiting for the request head
	stateOpen
	stateClosing // last frame queued: flush, then wait for the peer
	stateDead    // only to be buried
)

type sessionFlags uint16

const (
	flagDirty       sessionFlags = 1 << iota // listed for the next flush
	flagBlocked                              // the kernel took no more; waits for room
	flagPolled                               // registered with the reactor's writable poll
	flagPinged                               // a ping is out since lastSeen
	flagPeerClosed                           // the peer's close frame has been seen
	flagFinSent                              // our sending half is shut
	flagHandshaking                          // counts for MaxHandshakes
	flagExcluded                             // from the run that is being marked
	flagDeaf                                 // what still comes is not looked at
	flagProxied                              // its address is in the reactor's remotes
	flagUpgraded                             // is in Stats.Sessions
	flagWarned                               // knows that its identity is about to be over, or is never told
	flagHeld                                 // holds the next chunk; see holdNext
	flagHalf                                 // its decoder's bytes are counted; see countHalf
	flagShed                                 // is being closed for want of memory
	flagGapped                               // is in the reactor's gapped
)

func (s *Session) is(f sessionFlags) bool { return s.flags&f != 0 }

func (s *Session) set(f sessionFlags) { s.flags |= f }

func (s *Session) clear(f sessionFlags) { s.flags &^= f }

// via is a session's kind of transport, an index into transports.
type via uint8

// ID names the session, for any goroutine.
func (s *Session) ID() order.SessionID { return order.NewSessionID(s.r.index, s.slot, s.generation) }

// speaks is the session's dialect.
func (s *Session) speaks() *dialect { return &dialects[s.dialect] }

// encoding names the encoding of what the session is sent.
func (s *Session) encoding() encodingID { return encodingID(s.dialect)*modes + encodingID(s.mode) }

// sessionTable gives sessions their slots. Owner: the reactor's goroutine.
type sessionTable struct {
	slots       []*Session
	generations []uint32 // of each slot; a slot is retired before its generation repeats
	free        []uint32
	count       int
}

func (t *sessionTable) add(s *Session) {
	if n := len(t.free); n > 0 {
		s.slot = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		s.slot = uint32(len(t.slots))
		t.slots = append(t.slots, nil)
		t.generations = append(t.generations, 0)
	}
	t.generations[s.slot]++
	s.generation = t.generations[s.slot]
	t.slots[s.slot] = s
	t.count++
}

func (t *sessionTable) remove(s *Session) {
	t.slots[s.slot] = nil
	t.count--
	if t.generations[s.slot] != ^uint32(0) {
		t.free = append(t.free, s.slot)
	}
}

// get returns the session in slot if it still has that generation, else nil.
func (t *sessionTable) get(slot, generation uint32) *Session {
	if int(slot) >= len(t.slots) {
		return nil
	}
	if s := t.slots[slot]; s != nil && s.generation == generation {
		return s
	}
	return nil
}

// scanSlots is how many slots a loop looks through before it does something else.
const scanSlots = 4096

// intake is what a session may still send under ReceiveRate. The reactor keeps it beside the
// session, so that one without such a limit is no larger.
// Owner: the reactor's goroutine.
type intake struct {
	bytes float64
	at    time.Duration // since the engine's start
}
