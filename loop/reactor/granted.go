package reactor

import (
	"fmt"
	"time"

	"github.com/gobwas/ws"

	"groupcast/protocol"
)

// What an identity means for its session: what it may do, groups that it is put into, when
// it is looked at for its end.

const (
	// ExpiryGrace is how long an identity is good for beyond its end: clocks differ.
	ExpiryGrace = 30 * time.Second
	// warnBefore is when a session is told that its identity is about to be over.
	warnBefore = 30 * time.Second
	// expirySpread is over how long the ends of identities are spread that are all over in
	// the same second, and the warnings, which bring as many renewals.
	expirySpread = 5 * time.Second
	// farAway is how far ahead an end is looked at: a wheel's ticks are 32 bits.
	farAway = 24 * time.Hour
)

// grants are what s may do; nil: join and send to every group, and be told the members of none.
func (r *Reactor) grants(s *Session) *Grants {
	if s.who != nil {
		return s.who.Grants
	}
	return r.opt.Anonymous
}

// joinGranted puts s into the groups that its identity names. What a limit forbids is told to
// it as of a command, with the group's number: there may be many, and a reason repeats no input.
func (r *Reactor) joinGranted(s *Session) {
	if s.who == nil || s.who.Grants == nil {
		return
	}
	for i, group := range s.who.Grants.Groups {
		if _, err := r.enter(s, []byte(group)); err != nil {
			reason := fmt.Sprintf("number %d of the token's groups: %s", i+1, err.Reason)
			s.Send(ws.OpText, r.refusal(s, nil, err.Code, reason))
		}
	}
}

// leaveWhere has s leave the groups that out reports of.
func (r *Reactor) leaveWhere(s *Session, out func(group []byte) bool) {
	for i := s.groupCount() - 1; i >= 0; i-- {
		if out([]byte(s.membership(i).g.name)) {
			r.leaveAt(s, i)
		}
	}
}

// scheduleOpen has an open session looked at in tick due for its silence, and before that
// when its identity asks for it.
func (r *Reactor) scheduleOpen(s *Session, due uint32) {
	if s.who != nil && s.who.Expires != 0 {
		if at := r.wheel.now + r.ticks(r.untilExpiry(s)); int32(at-due) < 0 {
			r.later[s] = due
			due = at
		}
	}
	r.wheel.schedule(s, due)
}

// untilExpiry is how long it is until s is to be warned, or, after that, closed.
func (r *Reactor) untilExpiry(s *Session) time.Duration {
	at := time.Unix(s.who.Expires, 0).Add(spread(s.slot))
	if s.is(flagWarned) {
		at = at.Add(ExpiryGrace)
	} else {
		at = at.Add(-warnBefore - expirySpread)
	}
	return min(max(0, at.Sub(r.wall())), farAway)
}

// spread is a time from 0 to expirySpread, another one for each slot.
func spread(slot uint32) time.Duration {
	const golden = 2654435769 // 2^32 by the golden ratio: neighbours are far from each other
	return expirySpread * time.Duration(slot*golden>>16) >> 16
}

// warn tells s, in envelope mode, that its identity is about to be over.
func (r *Reactor) warn(s *Session) {
	if s.mode != protocol.ModeEnvelope {
		return
	}
	r.stats.ExpiryWarned++
	left := max(0, time.Unix(s.who.Expires, 0).Sub(r.wall()))
	r.reply = protocol.AppendExpiring(r.reply[:0], left.Milliseconds())
	s.Send(ws.OpText, r.reply)
}
