package reactor

import (
	"bytes"
	"time"

	"github.com/gobwas/ws"

	"groupcast/protocol"
)

// A join takes place at once. In a cluster its ack waits until the bus covers the group, for
// JoinWait at most, and says otherwise that it does not. It holds nothing: it stands outside the
// order of the session's answers. A session that ends takes its waiting acks with it: they are
// dropped when their turn comes, since no other session gets its id.
//
// The engine writes first that a group is covered, or what is believed of the bus, and looks for
// waiting acks then; a loop counts its ack as waiting first, and looks at the table once more
// then. So one of the two sees the other, and no ack is forgotten.

// acknowledgeJoin answers a join that has taken place.
func (r *Reactor) acknowledgeJoin(s *Session, group, reqID []byte) {
	if r.shared.Coverage.State() == CoverageOff {
		s.sendAck(protocol.KindAddGroup, reqID)
		return
	}
	name := r.groups.findBytes(group).name // it has a member
	if covered, settled := r.shared.Coverage.Now(name); settled {
		r.sendJoinAck(s, reqID, covered, &r.stats.JoinsAway)
		return
	}
	id := s.ID()
	switch {
	case r.draining:
		r.sendJoinAck(s, reqID, false, &r.stats.JoinsDraining)
		return
	case r.acks.bySession[id] >= MaxWaitingAcks:
		r.sendJoinAck(s, reqID, false, &r.stats.JoinsLimit)
		return
	case r.acks.count >= MaxLoopWaitingAcks:
		r.sendJoinAck(s, reqID, false, &r.stats.JoinsLoopLimit)
		return
	}
	a := &waitingAck{
		session: id, group: name, reqID: bytes.Clone(reqID),
		until: int64(time.Since(r.shared.Start) + r.opt.JoinWait),
	}
	r.acks.add(a)
	r.memory.acks += a.bytes()
	r.stats.JoinsWaited++
	if r.acksWaiting.Add(1) == 1 {
		r.shared.tellAcksWait()
	}
	r.lookAgain(name)
}

// sendJoinAck answers s; an ack that says that the group is not covered counts for its cause.
func (r *Reactor) sendJoinAck(s *Session, reqID []byte, covered bool, cause *uint64) {
	if covered {
		s.sendAck(protocol.KindAddGroup, reqID)
		return
	}
	*cause++
	r.reply = s.speaks().uncoveredAck(r.reply[:0], s.mode, reqID)
	s.Send(ws.OpText, r.reply)
}

// lookAgain sends the acks that wait for the group, if it is settled what they say.
func (r *Reactor) lookAgain(group string) {
	if covered, settled := r.shared.Coverage.Now(group); settled {
		for a := r.acks.take(group); a != nil; a = r.acks.take(group) {
			r.release(a, covered, &r.stats.JoinsAway)
		}
	}
}

// lookAtAllAgain is lookAgain for every group that an ack waits for.
func (r *Reactor) lookAtAllAgain() {
	for group := range r.acks.byGroup { // which lookAgain may take out
		r.lookAgain(group)
	}
}

// release sends an ack that waited, and was taken out.
func (r *Reactor) release(a *waitingAck, covered bool, cause *uint64) {
	r.acksWaiting.Add(-1)
	r.memory.acks -= a.bytes()
	s := r.session(a.session)
	if s == nil || s.state != stateOpen {
		return
	}
	if covered {
		r.stats.JoinsReleased++
	}
	r.sendJoinAck(s, a.reqID, covered, cause)
}

// releaseUntil sends the acks whose time is over at now, for that cause.
func (r *Reactor) releaseUntil(now int64, cause *uint64) {
	for a := r.acks.first; a != nil && a.until <= now; a = r.acks.first {
		r.acks.take(a.group)
		covered, _ := r.shared.Coverage.Now(a.group)
		r.release(a, covered, cause)
	}
}
