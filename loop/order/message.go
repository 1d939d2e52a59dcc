package order

import (
	"unsafe"

	"github.com/gobwas/ws"

	"groupcast/protocol"
)

// Kind tags what a ring item is.
type Kind uint8

const (
	// KindPublish is a message for the members of a group.
	KindPublish Kind = iota
	// KindBarrier marks the end of all that was accepted before a drain: each
	// door sends one to the broker, and the broker sends one to every reactor
	// once it has all of them.
	KindBarrier
	// KindOwn is what a session asked for behind a send of its own that is still
	// under way: it goes to the broker and back to its own reactor only, so that
	// it comes after that send. It has no place in the order.
	KindOwn
	// KindKeep asks the broker for what it keeps of a group. It goes to no reactor and has
	// no place in the order, but comes behind those that were taken before.
	KindKeep
	// KindUsers is a message for the sessions of users. It belongs to no group, and only sinks
	// that ask for it get it.
	KindUsers
	// KindGap says to the members of a group that messages to it may have been lost. It has no
	// place in the order of its own, but stands between two of it. No sink gets it.
	KindGap
)

// Act is what is to be done when a KindOwn comes back.
type Act uint8

// What a session may ask for behind its sends.
const (
	ActJoin  Act = iota // the session joins the group in the payload
	ActLeave            // it leaves it
	ActReply            // the payload is frames for it
)

// Message is one ring item. It is written by its publisher, stamped with its
// order by the broker, and immutable from then on: every reactor and every
// session that queues its frame shares it, and the garbage collector frees it.
type Message struct {
	// Frame is the bare mode's whole frame, shared by all who take it. It is
	// private to nobody and never reused. It holds the group's name and, as its
	// First and Last, the place in the order.
	Frame Chunk
	// ReqID is a raw JSON token, nil if no ack is wanted. It and the group alias
	// the same buffer as the frame.
	ReqID []byte
	// Published is when it was handed in, in nanoseconds since the engine's start.
	Published int64
	// Origin is the session that sent it; the zero id for callers outside the loops.
	Origin SessionID

	header      uint8 // length of the frame's header: the payload is behind it
	Kind        Kind
	Act         Act  // of a KindOwn
	IsText      bool // the payload is a JSON string's characters, else raw JSON
	ExcludeSelf bool
	borrowed    bool // the frame is that of the publication's first message, which counts it

	// Outside is what only messages from outside the loops have.
	Outside *Outside
}

// Outside is what a message from outside the loops carries beside it.
type Outside struct {
	// Exclude are the sessions that do not get it.
	Exclude []SessionID
	// ExcludeElsewhere are texts that name sessions of other nodes, which do not get it there:
	// for sinks, a loop has none of these.
	ExcludeElsewhere []string
	// Groups are all of the publication's, in its order: of a KindUsers that comes behind
	// messages to groups.
	Groups []string
	// Users are those whose sessions get the publication. All of its messages have them: the
	// KindUsers, which is its last, is for the sessions that the others have not reached.
	Users []string
	// From is the sink whose owner publishes it, Tag what sinks get with it.
	From *Sink
	Tag  any

	// reply, if set, takes the order once the broker has stamped it. Capacity one.
	reply chan<- uint64
	// keep is what a KindKeep asks for.
	keep *keepOrder
	// also are the same publication's messages to further groups: they come
	// right after this one in the order, or none of them does.
	also []*Message
}

// Group is the name of the group that the message is for.
func (m *Message) Group() string { return m.Frame.Group }

// Order is the message's place in the broker's order: 1 for the first one after
// the start, 0 before it has one.
func (m *Message) Order() uint64 { return m.Frame.First }

// Payload is what was sent, without the frame's header. It aliases the frame.
func (m *Message) Payload() []byte { return m.Frame.Buf[m.header:] }

// Opens reports whether it is the first message of its publication.
func (m *Message) Opens() bool { return !m.borrowed }

// Names reports whether its publication is for users.
func (m *Message) Names() bool { return m.Outside != nil && len(m.Outside.Users) > 0 }

// Alone reports whether it has to be looked at apart from other messages to its group.
func (m *Message) Alone() bool { return m.Excludes() || m.Names() }

// Excludes reports whether some members may not get it.
func (m *Message) Excludes() bool {
	return m.ExcludeSelf || m.Outside != nil && len(m.Outside.Exclude) > 0
}

// Excluded is how many sessions may not get it.
func (m *Message) Excluded() (n int) {
	if m.ExcludeSelf {
		n++
	}
	if m.Outside != nil {
		n += len(m.Outside.Exclude)
	}
	return n
}

// NewUsersMessage is a publication's first message where it is for users alone, whom the
// caller sets.
func NewUsersMessage(payload []byte, isText bool) *Message {
	m := NewMessage(nil, payload, nil, isText)
	m.Kind = KindUsers
	return m
}

// NewMessage copies group, payload and reqID and encodes the bare frame. It
// allocates twice: the message, and one buffer for all its bytes.
func NewMessage(group, payload, reqID []byte, isText bool) *Message {
	header := protocol.HeaderLen(len(payload))
	buf := make([]byte, 0, header+len(payload)+len(group)+len(reqID))
	buf = protocol.AppendFrame(buf, ws.OpText, payload)
	frame := len(buf)
	buf = append(buf, group...)
	buf = append(buf, reqID...)

	m := &Message{Kind: KindPublish, IsText: isText, header: uint8(header)}
	m.Frame = Chunk{Buf: buf[:frame:frame], Messages: 1, Kind: ChunkShared}
	if len(group) > 0 {
		m.Frame.Group = unsafe.String(&buf[frame], len(group))
	}
	if len(reqID) > 0 {
		m.ReqID = buf[frame+len(group):]
	}
	return m
}

// NewOwn makes what a session is to get, or to have done, behind its sends.
func NewOwn(origin SessionID, act Act, payload, reqID []byte) *Message {
	buf := make([]byte, 0, len(payload)+len(reqID))
	buf = append(buf, payload...)
	buf = append(buf, reqID...)
	m := &Message{Kind: KindOwn, Act: act, Origin: origin}
	m.Frame.Buf = buf[:len(payload):len(payload)]
	if reqID != nil {
		m.ReqID = buf[len(payload):]
	}
	return m
}

// NewGap says that messages to these groups may have been lost, of which there is one at
// least: an item of the door, and one to each group behind it.
func NewGap(groups []string) *Message {
	gap := func(group string) *Message {
		m := &Message{Kind: KindGap}
		m.Frame.Group = group
		return m
	}
	m := gap(groups[0])
	m.Outside = &Outside{also: make([]*Message, 0, len(groups)-1)}
	for _, group := range groups[1:] {
		m.Outside.also = append(m.Outside.also, gap(group))
	}
	return m
}

// NewBarrier makes the end of what one door has accepted.
func NewBarrier() *Message { return &Message{Kind: KindBarrier} }

// AddGroup adds a message to another group to a publication from outside, which has
// its Outside already, with the users. It shares the frame of m.
func (m *Message) AddGroup(group string) { m.add(KindPublish, group) }

// AddUsers adds the message to the publication's users, behind those to its groups, of which
// there is one at least and which have all been added.
func (m *Message) AddUsers() {
	groups := make([]string, 0, 1+len(m.Outside.also))
	groups = append(groups, m.Group())
	for _, other := range m.Outside.also {
		groups = append(groups, other.Group())
	}
	m.add(KindUsers, "").Outside.Groups = groups
}

func (m *Message) add(kind Kind, group string) *Message {
	other := &Message{Kind: kind, IsText: m.IsText, Published: m.Published, header: m.header, borrowed: true}
	other.Frame = m.Frame
	other.Frame.Group = group
	other.Outside = &Outside{
		Exclude: m.Outside.Exclude, ExcludeElsewhere: m.Outside.ExcludeElsewhere, Users: m.Outside.Users,
		From: m.Outside.From, Tag: m.Outside.Tag,
	}
	m.Outside.also = append(m.Outside.also, other)
	return other
}

// Size is what the message counts against a ring's bytes. The messages of one
// publication share one frame, which only the first of them counts: they go
// through a ring one behind the other, so that a ring holds at most one frame
// that it does not count.
func (m *Message) Size() int {
	n := len(m.Frame.Group) + len(m.ReqID) + Overhead
	if !m.borrowed {
		n += len(m.Frame.Buf)
	}
	if m.Outside != nil {
		n += m.namesSize(m.borrowed)
	}
	return n
}

// held is what the message keeps alive by itself, what it shares with others of its
// publication included.
func (m *Message) held() int {
	n := len(m.Frame.Buf) + len(m.Frame.Group) + len(m.ReqID) + Overhead
	if m.Outside != nil {
		n += m.namesSize(false)
	}
	return n
}

// namesSize is what names beside the message count: those of the publication's users and
// groups with the message to the users, those of sessions elsewhere unless another message of
// the publication counts them. A session's message has no Outside and does not come here: every
// ring asks for its size.
func (m *Message) namesSize(borrowed bool) (n int) {
	if m.Kind == KindUsers {
		n = namesSize(m.Outside.Users) + namesSize(m.Outside.Groups)
	}
	if !borrowed {
		n += namesSize(m.Outside.ExcludeElsewhere)
	}
	return n
}

func namesSize(names []string) (n int) {
	for _, name := range names {
		n += len(name) + int(unsafe.Sizeof(name))
	}
	return n
}

// SizeWithGroups is what m and the publication's messages to further groups
// count together.
func (m *Message) SizeWithGroups() int {
	n := m.Size()
	if m.Outside != nil {
		for _, other := range m.Outside.also {
			n += other.Size()
		}
	}
	return n
}

// OverLimit reports whether text, quoted and escaped as envelope mode does it, has
// more than limit bytes. No byte becomes more than six, so that all but the
// largest messages are not looked at.
func OverLimit(text []byte, limit int) bool {
	return len(text) > limit/6 && protocol.MessageLen("", text, true)-protocol.MessageLen("", nil, true) > limit
}
