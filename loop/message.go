package loop

import (
	"unsafe"

	"github.com/gobwas/ws"

	"groupcast/protocol"
)

// messageKind tags what a ring item is.
type messageKind uint8

const (
	// kindPublish is a message for the members of a group.
	kindPublish messageKind = iota
	// kindBarrier marks the end of all that was accepted before a drain: each
	// door sends one to the broker, and the broker sends one to every reactor
	// once it has all of them.
	kindBarrier
	// kindOwn is what a session asked for behind a send of its own that is still
	// under way: it goes to the broker and back to its own reactor only, so that
	// it comes after that send. It has no place in the order.
	kindOwn
)

// ownAct is what is to be done when a kindOwn comes back.
type ownAct uint8

const (
	ownJoin  ownAct = iota // the session joins the group in payload
	ownLeave               // it leaves it
	ownReply               // payload is a text for it
)

// messageOverhead is what a ring counts for a message beside its bytes: the
// struct and the two allocations' headers.
const messageOverhead = 160

// message is one ring item. It is written by its publisher, stamped with its
// order by the broker, and immutable from then on: every reactor and every
// session that queues its frame shares it, and the garbage collector frees it.
type message struct {
	// frame is the bare mode's whole frame, shared by all who take it. It is
	// private to nobody and never reused.
	frame chunk
	// payload aliases frame: what was sent, without the frame's header.
	payload []byte
	// group and reqID alias the same buffer as frame.
	group string
	reqID []byte // raw JSON token, nil if no ack is wanted

	// order is the broker's: 1 for the first message after the start.
	order uint64
	// published is when it was handed in, in nanoseconds since the engine's start.
	published int64
	// origin is the session that sent it; the zero id for outside callers.
	origin SessionID
	// outside is what only messages from outside the loops have.
	outside *outside

	kind        messageKind
	act         ownAct // of a kindOwn
	isText      bool   // payload is a JSON string's characters, else raw JSON
	excludeSelf bool
	borrowed    bool // the frame is that of the publication's first message, which counts it
}

// outside is what a message from outside the loops carries beside it.
type outside struct {
	// reply, if set, takes the order once the broker has stamped it. Capacity one.
	reply chan<- uint64
	// also are the same publication's messages to further groups: they come
	// right after this one in the order, or none of them does.
	also    []*message
	exclude []SessionID
	from    *Sink
	tag     any
}

// excludes says whether some members may not get it.
func (m *message) excludes() bool {
	return m.excludeSelf || m.outside != nil && len(m.outside.exclude) > 0
}

// newMessage copies group, payload and reqID and encodes the bare frame. It
// allocates twice: the message, and one buffer for all its bytes.
func newMessage(group, payload, reqID []byte, isText bool) *message {
	header := protocol.HeaderLen(len(payload))
	buf := make([]byte, 0, header+len(payload)+len(group)+len(reqID))
	buf = protocol.AppendFrame(buf, ws.OpText, payload)
	frame := len(buf)
	buf = append(buf, group...)
	buf = append(buf, reqID...)

	m := &message{kind: kindPublish, isText: isText}
	m.frame = chunk{buf: buf[:frame:frame], kind: chunkShared}
	m.payload = buf[header:frame:frame]
	if len(group) > 0 {
		m.group = unsafe.String(&buf[frame], len(group))
	}
	if len(reqID) > 0 {
		m.reqID = buf[frame+len(group):]
	}
	return m
}

// newOwn makes what a session is to get, or to have done, behind its sends.
func newOwn(origin SessionID, act ownAct, payload, reqID []byte) *message {
	buf := make([]byte, 0, len(payload)+len(reqID))
	buf = append(buf, payload...)
	buf = append(buf, reqID...)
	m := &message{kind: kindOwn, act: act, origin: origin}
	m.payload = buf[:len(payload):len(payload)]
	m.frame.buf = m.payload // so that it is counted
	if reqID != nil {
		m.reqID = buf[len(payload):]
	}
	return m
}

// size is what the message counts against a ring's bytes. The messages of one
// publication share one frame, which only the first of them counts: they go
// through a ring one behind the other, so that a ring holds at most one frame
// that it does not count.
func (m *message) size() int {
	if m.borrowed {
		return len(m.group) + len(m.reqID) + messageOverhead
	}
	return m.held()
}

// held is what the message keeps alive by itself, a shared frame included.
func (m *message) held() int {
	return len(m.frame.buf) + len(m.group) + len(m.reqID) + messageOverhead
}

// sameTo is m for another group: it shares the frame.
func (m *message) sameTo(group string) *message {
	other := &message{kind: m.kind, isText: m.isText, published: m.published, payload: m.payload, group: group, borrowed: true}
	other.frame = chunk{buf: m.frame.buf, kind: chunkShared}
	return other
}

// excluded is how many sessions may not get it.
func (m *message) excluded() (n int) {
	if m.excludeSelf {
		n++
	}
	if m.outside != nil {
		n += len(m.outside.exclude)
	}
	return n
}

// allBytes is what m and what comes with it count.
func (m *message) allBytes() int {
	n := m.size()
	if m.outside != nil {
		for _, other := range m.outside.also {
			n += other.size()
		}
	}
	return n
}

// overLimit says whether text, quoted and escaped as envelope mode does it, has
// more than limit bytes. No byte becomes more than six, so that all but the
// largest messages are not looked at.
func overLimit(text []byte, limit int) bool {
	return len(text) > limit/6 && protocol.MessageLen("", text, true)-protocol.MessageLen("", nil, true) > limit
}
