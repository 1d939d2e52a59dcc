package reactor

import (
	"slices"

	"github.com/gobwas/ws"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// A group of which messages may have been lost on their way here: its members are told so at
// that place between its messages. Whose mode has no word for it is closed, since it must not
// take what it has for all there was.

const gapReason = "messages of a group were lost"

// tellGap tells the group's members, or notes those who cannot be told. The run before it has
// ended.
func (r *Reactor) tellGap(name string) {
	g := r.groups.find(name)
	if g == nil {
		return
	}
	b := &r.batch
	b.marks += g.size()
	r.marking = true
	for e := range encodingID(encodingCount) {
		list := g.members[e]
		if len(list) == 0 {
			continue
		}
		appendGap := e.of().appendGap
		if appendGap == nil {
			r.noteGapped(list)
			continue
		}
		c := r.chunks.get(order.ChunkBatch)
		b.chunks = append(b.chunks, c)
		r.reply = appendGap(r.reply[:0], name)
		c.Buf = protocol.AppendFrame(c.Buf, ws.OpText, r.reply)
		b.total += len(c.Buf)
		for i := range list {
			list[i].s.enqueue(c)
		}
		r.stats.Marks += uint64(len(list))
		r.stats.Gaps += uint64(len(list))
	}
	r.marking = false
}

// noteGapped has the members closed, from the turn on that this brings: nobody may leave while
// members are being marked.
func (r *Reactor) noteGapped(list []member) {
	q := &r.gapped
	for i := range list {
		if s := list[i].s; !s.is(flagGapped) {
			s.set(flagGapped)
			q.list = append(q.list, s)
		}
	}
	if len(q.list) > 2*r.sessions.count { // gaps come while sessions come and go
		q.list = slices.DeleteFunc(q.list, func(s *Session) bool { return s.state != stateOpen })
	}
	r.yield()
}

// closeGapped closes as many of them as may be closed now. It is called by each turn and each
// tick; r.now is the time.
func (r *Reactor) closeGapped() {
	q := &r.gapped
	q.earn(r.now)
	n := 0
	for ; n < len(q.list) && q.credit > 0; n++ {
		s := q.list[n]
		q.list[n] = nil
		if s.state == stateOpen {
			q.credit--
			r.stats.GapClosed++
			r.closeWith(s, protocol.StatusTryAgainLater, gapReason)
		}
	}
	if q.list = q.list[n:]; len(q.list) == 0 {
		q.list = nil
	}
}
