package bus

import (
	"time"

	"groupcast/server/bus/wire"
)

// control is what a node says to this one or to all.
func (r *reader) control(data []byte) {
	c, bad := wire.ReadControl(data)
	if bad != nil {
		r.b.count.Ignored.add(bad.Reason)
		r.b.ration.Warn("bus: a node's message was not understood and is ignored", "reason", bad.Reason.String(),
			"why", bad.Err)
		return
	}
	if c.Node == r.b.opt.Node {
		r.namesake(&c)
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

// namesake is a message of a node that has this one's name: what asks for the name at its start,
// or another that has it by a mistake, or because a partition had hidden it.
func (r *reader) namesake(c *wire.Control) {
	if c.Epoch == r.b.epoch {
		return
	}
	switch {
	case c.Who != nil:
		// Of two that ask at once, the one with the lower epoch stays.
		if r.b.named.Load() || r.b.epoch < c.Epoch {
			r.b.want(request{subject: r.b.subjects.own, control: wire.Control{Here: r.b.here()}})
		}
	case c.Here != nil:
		r.b.taken(c.Here.Host, c.Here.PID)
	case c.Heartbeat != nil && r.b.yields(c):
		r.b.taken(c.Heartbeat.Host, c.Heartbeat.PID)
	}
}
