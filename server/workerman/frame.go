package workerman

import (
	"sync/atomic"

	memory "groupcast/loop/budget"
	"groupcast/protocol/workerman"
)

// budget bounds the bytes that wait for all connections together: each once,
// however many connections they wait for. Its methods may be called from any goroutine.
type budget struct {
	limit   int64
	used    atomic.Int64
	process *memory.Account // where it counts for the whole process
}

func (b *budget) add(bytes int) {
	b.used.Add(int64(bytes))
	b.process.Add(int64(bytes))
}

// isOver reports whether more waits than may.
func (b *budget) isOver() bool { return b.used.Load() > b.limit }

// body is bytes that wait for connections. They are never changed.
//
// Owner: shared by the frames that they stand in; each outbox holds those it has.
type body struct {
	bytes  []byte
	budget *budget // nil is none
	held   atomic.Int32
}

func (b *body) hold() {
	if b != nil && b.budget != nil && b.held.Add(1) == 1 {
		b.budget.add(len(b.bytes))
	}
}

func (b *body) release() {
	if b != nil && b.budget != nil && b.held.Add(-1) == 0 {
		b.budget.add(-len(b.bytes))
	}
}

// frame is what is written for a message: in one piece, or in two, the second of
// which is shared with the frames of other channels. The zero frame is none.
type frame struct{ head, tail *body }

func newFrame(bytes []byte, b *budget) frame { return frame{head: &body{bytes: bytes, budget: b}} }

func (f frame) isNone() bool { return f.head == nil }

func (f frame) size() int {
	if f.tail == nil {
		return len(f.head.bytes)
	}
	return len(f.head.bytes) + len(f.tail.bytes)
}

func (f frame) hold()    { f.head.hold(); f.tail.hold() }
func (f frame) release() { f.head.release(); f.tail.release() }

// appendTo appends the frame's pieces to a list of what is to be written.
func (f frame) appendTo(list [][]byte) [][]byte {
	list = append(list, f.head.bytes)
	if f.tail != nil {
		list = append(list, f.tail.bytes)
	}
	return list
}

// shareBytes is how long data must be that is kept once for several channels.
// What is shorter is copied: one piece is written faster than two.
const shareBytes = 4 << 10

// shipment is the data of one message, for all the channels that it names.
type shipment struct {
	data workerman.Data
	many bool  // it names several channels
	tail *body // made for the first frame that shares it
}

// event is a message for subscribers, which is only encoded if a connection takes it.
type event struct {
	typ     workerman.Type
	channel workerman.Channel
	data    *shipment
	budget  *budget
	limit   int
	made    frame
	tooLong bool
}

func (e *event) message() workerman.Message {
	return workerman.Message{Type: e.typ, Channels: []workerman.Channel{e.channel}, Data: e.data.data}
}

// maxSize is what the frame has at most, not much more than it will have.
func (e *event) maxSize() int {
	m := e.message()
	return m.MaxLen()
}

// frame is the message encoded; none if it is longer than frames may be, which
// back references with longer numbers can make of one that just was not.
func (e *event) frame() frame {
	if !e.made.isNone() || e.tooLong {
		return e.made
	}
	m := e.message()
	if e.data.many && len(m.Data.Bytes) >= shareBytes {
		if e.data.tail == nil {
			e.data.tail = &body{bytes: m.AppendTail(make([]byte, 0, m.MaxLen())), budget: e.budget}
		}
		e.made = newFrame(m.AppendHead(nil, len(e.data.tail.bytes)), e.budget)
		e.made.tail = e.data.tail
	} else {
		e.made = newFrame(m.AppendFrame(make([]byte, 0, m.MaxLen())), e.budget)
	}
	if e.tooLong = e.made.size() > e.limit; e.tooLong {
		e.made = frame{}
	}
	return e.made
}
