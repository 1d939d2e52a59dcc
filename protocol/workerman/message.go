package workerman

import "bytes"

// Type is what a message asks for or brings. The zero Type is none.
type Type uint8

// The types of messages: what a client sends, and what a server sends.
const (
	TypeSubscribe Type = iota + 1
	TypeUnsubscribe
	TypePublish
	TypePublishLoop
	TypeWatch
	TypeUnwatch
	TypeEnqueue
	TypeReserve
	TypeEvent
	TypeQueue

	// Types is one more than the last.
	Types
)

// typeNames are the types on the wire.
var typeNames = [Types]string{
	"none", "subscribe", "unsubscribe", "publish", "publishLoop", "watch", "unwatch", "enqueue", "reserve", "event",
	"queue",
}

// String is the type's name on the wire.
func (t Type) String() string {
	if t >= Types {
		t = 0
	}
	return typeNames[t]
}

// HasData says whether messages of the type carry data.
func (t Type) HasData() bool {
	switch t {
	case TypePublish, TypePublishLoop, TypeEnqueue, TypeEvent, TypeQueue:
		return true
	default:
		return false
	}
}

// toClient says whether a server sends it: to one channel, in a field of its own.
func (t Type) toClient() bool { return t == TypeEvent || t == TypeQueue }

// MarkKey is the key under which one groupcast tells another what PHP programs
// have no use for, and pass on or ignore.
const MarkKey = "groupcast"

// Channel is a channel's name.
type Channel struct {
	// Name is a string's characters, or an integer in its shortest form. Two
	// channels are one if their names are equal, whatever the form: PHP makes an
	// array key of both, and there a string that is an integer's shortest form
	// becomes that integer.
	Name []byte
	// IsInt says that it is written as an integer.
	IsInt bool
}

// Data is one serialized value, which is passed on without being understood.
type Data struct {
	// Bytes is the value, as serialize() wrote it.
	Bytes []byte
	// slot is the value's number in the message it comes from, and refs is where
	// back references begin in Bytes; they count slots from that message's start.
	slot int
	refs []int
}

// Clone returns a copy that shares no memory with d.
func (d Data) Clone() Data {
	d.Bytes = bytes.Clone(d.Bytes)
	if len(d.refs) > 0 {
		d.refs = append([]int(nil), d.refs...)
	}
	return d
}

// Message is the body of a frame.
type Message struct {
	Type Type
	// Channels are what it is about: one for an event or queue message, any
	// number for the others, none for reserve.
	Channels []Channel
	// Beyond is how many more it named: those over Limits.MaxChannels.
	Beyond int
	// Data is there for the types that have it.
	Data Data
	// Mark is the string under MarkKey beside the type, nil if there is none. An
	// event's mark stands in its data; see GroupMessage.
	Mark []byte
}
