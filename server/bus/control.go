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
	p := r.peerOf(&c, time.Now())
	if p == nil {
		return
	}
	from := r.b.subjects.node + c.Node
	switch {
	case c.Heartbeat != nil:
		r.beat(p, c.Heartbeat)
	case c.Marker != nil:
		r.b.want(request{subject: from, marker: c.Marker.ID})
	case c.Marked != nil:
		r.answered(p, c.Marked)
	case c.Notice != nil:
		r.noticed(p, c.Notice)
	case c.Range != nil:
		r.b.want(request{subject: from, span: c.Range})
	case c.Ranged != nil:
		r.ranged(p, c.Ranged)
	case c.Members != nil:
		r.b.answerMembers(from, c.Members)
	case c.Watch != nil:
		if r.b.watch.watchThese(c.Watch.Groups, time.Now().Add(time.Duration(c.Watch.Seconds)*time.Second)) {
			r.b.count.WatchedFull.Add(1)
		}
	case c.Counts != nil:
		if !p.gone {
			r.b.watch.announced(p.name, c.Counts.Counts)
		}
	case c.MembersAnswer != nil:
		r.b.questions.answer(c.Node, c.MembersAnswer)
	}
}
