package reactor

import "groupcast/protocol"

// How sessions come into groups, within the limits, and among their user's, and leave them.

// Why a session cannot join.
var (
	errTooManyGroups = &protocol.CommandError{
		Code:   protocol.CodeTooManyGroups,
		Reason: "this session is in as many groups as it may be",
	}
	errGroupFull  = &protocol.CommandError{Code: protocol.CodeOverloaded, Reason: "the group is full"}
	errGroupsFull = &protocol.CommandError{
		Code:   protocol.CodeOverloaded,
		Reason: "there are as many groups as there may be",
	}
)

// enterGroup takes a place in the group. It is the one thing that joins of all
// loops share, so it does nothing at all unless a limit is set.
func (r *Reactor) enterGroup(name []byte) bool {
	return !r.shared.Members.Counting() || r.shared.Members.Enter(string(name))
}

// enter makes s a member of the group, within the limits. place is where in the order that
// is: s gets the messages behind it. (Of a member it is the same, not where it joined.)
func (r *Reactor) enter(s *Session, name []byte) (place uint64, err *protocol.CommandError) {
	g := r.groups.findBytes(name)
	switch {
	case g != nil && s.membershipOf(g) >= 0:
		return r.place, nil
	case s.groupCount() >= r.opt.MaxGroupsPerSession:
		r.stats.LimitGroups++
		return 0, errTooManyGroups
	case !r.enterGroup(name):
		r.stats.LimitGroup++
		return 0, errGroupFull
	}
	if g == nil {
		if r.shared.Groups.Add(1) > int64(r.opt.MaxGroups) {
			r.shared.Groups.Add(-1)
			r.shared.Members.Exit(string(name))
			r.stats.LimitAll++
			return 0, errGroupsFull
		}
		g = r.groups.add(string(name))
	}
	r.mayMove()
	r.groups.join(s, g)
	if r.outbox != nil {
		r.noteMember(s, g.name, true)
	}
	return r.place, nil
}

// exit takes s out of the group, if it is in it.
func (r *Reactor) exit(s *Session, name []byte) {
	if g := r.groups.findBytes(name); g != nil {
		if at := s.membershipOf(g); at >= 0 {
			r.leaveAt(s, at)
		}
	}
}

// leaveAll costs time in proportion to the session's own groups, however many
// members they have.
func (r *Reactor) leaveAll(s *Session) {
	for n := s.groupCount(); n > 0; n-- {
		r.leaveAt(s, n-1)
	}
}

func (r *Reactor) leaveAt(s *Session, at int) {
	r.mayMove()
	name := s.membership(at).g.name
	r.shared.Members.Exit(name)
	if r.outbox != nil {
		r.noteMember(s, name, false)
	}
	if r.groups.leave(s, at) {
		r.shared.Groups.Add(-1)
	}
}

// enterUser makes s, which is open, one of its user's sessions: it gets what is published to
// the user behind the reactor's place. The anonymous are nobody's.
func (r *Reactor) enterUser(s *Session) {
	if s.who != nil {
		r.mayMove()
		r.users.add(s)
	}
}

// exitUser undoes it.
func (r *Reactor) exitUser(s *Session) {
	if r.users.has(s) {
		r.mayMove()
		r.users.remove(s)
	}
}

// noteMember tells the outbox, which there is, of a membership that begins or ends, unless the
// session is still to be read. It is emptied by the turn that this brings.
func (r *Reactor) noteMember(s *Session, group string, joined bool) {
	if int(s.slot) >= r.outbox.read {
		return
	}
	r.outbox.open().add(Change{Membership{s.ID(), group, s.who}, joined, r.place}, r.outbox.limit)
	r.yield()
}

// noteAll tells the outbox, if there is one, of all memberships of s.
func (r *Reactor) noteAll(s *Session, joined bool) {
	if r.outbox == nil {
		return
	}
	for i := range s.groupCount() {
		r.noteMember(s, s.membership(i).g.name, joined)
	}
}

// emptyOutbox is called at the end of each turn, and before the drain's barrier.
func (r *Reactor) emptyOutbox() {
	if r.outbox != nil {
		r.outbox.empty()
	}
}
