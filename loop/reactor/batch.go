package reactor

import (
	"groupcast/loop/order"
	"groupcast/protocol"
)

// batch is what takeBatch works with: the run of messages to one group that
// may become one shared chunk, and the chunks built so far.
//
// Owner: the reactor's goroutine. Between takeBatch and the end of the flush,
// chunks belong to the batch; a session that keeps one longer says so.
type batch struct {
	chunks   []*order.Chunk
	run      []*order.Message
	group    *group     // of the run; nil if it has no members here
	excluded []*Session // from the run
	// lens are how long the run's messages are in each encoding that is built here, without
	// their frames' headers; only where a member wants it.
	lens [encodingCount][]int
	// reached are when the messages that have members here were published.
	reached []int64

	messages, total, marks int
}

// measure notes how long m is in each encoding that a member wants. Escapes can make six
// bytes of one, and an envelope names its group: what members are sent counts for the
// batch, not what came.
func (b *batch) measure(m *order.Message) {
	longest := len(m.Frame.Buf)
	for e := range encodingID(encodingCount) {
		if len(b.group.members[e]) == 0 {
			continue
		}
		if size := e.of().size; size != nil {
			n := size(m)
			b.lens[e] = append(b.lens[e], n)
			longest = max(longest, protocol.HeaderLen(n)+n)
		}
	}
	b.total += longest - len(m.Frame.Buf)
}
