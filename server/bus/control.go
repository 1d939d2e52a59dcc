package bus

import (
	"time"

	"github.com/nats-io/nats.go"

	"groupcast/server/bus/wire"
)

// control is what a node says to this one or to all.
func (r *reader) control(m *nats.Msg) {
	c, bad := wire.ReadControl(m.Data)
	if bad != nil {
		r.ignore(m, bad)
		return
	}
	if c.Node == r.b.opt.Node {
		r.b.namesake(&c, m.Reply)
		return
	}
	now := time.Now()
	switch {
	case c.Heartbeat != nil:
		r.beat(&c, now)
		return
	case c.Marker != nil:
		r.answerMarker(&c, now)
		return
	}
	p := r.peerOf(&c, now)
	if p == nil {
		return
	}
	switch {
	case c.Marked != nil:
		r.answered(p, c.Marked)
	case c.Notice != nil:
		r.noticed(p, c.Notice)
	case c.Range != nil:
		r.answerSpan(p, c.Range, now)
	case c.Ranged != nil:
		r.ranged(p, c.Ranged)
	case c.Watch != nil:
		if r.b.watch.watchThese(c.Watch.Groups, now.Add(time.Duration(c.Watch.Seconds)*time.Second)) {
			r.b.count.WatchedFull.Add(1)
		}
	case c.Counts != nil:
		r.b.watch.announced(p.name, c.Counts.Counts)
	case c.Members != nil:
		r.b.answerMembers(r.b.subjects.node+p.name, c.Members)
	case c.MembersAnswer != nil:
		r.b.questions.answer(c.MembersAnswer.ID, c)
	case c.Remove != nil:
		r.b.answerRemove(r.b.subjects.node+p.name, c.Remove)
	case c.Removed != nil:
		r.b.questions.answer(c.Removed.ID, c)
	}
}

// answerAgain is how often a node is answered what it asks about a span of places: the writer looks
// through all that it has sent for that. It asks again after askAgain.
const answerAgain = askAgain / 10

// answerSpan has a question about a span of places answered.
func (r *reader) answerSpan(p *peer, q *wire.Range, now time.Time) {
	if now.Sub(p.answeredAt) < answerAgain {
		r.b.count.QuestionsFull.Add(1)
		return
	}
	p.answeredAt = now
	r.b.want(request{subject: r.b.subjects.node + p.name, span: q})
}
