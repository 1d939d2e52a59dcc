package reactor

import (
	"github.com/gobwas/ws"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// Orders that a reactor takes from outside, and counts that its engine asks for. All of it is run
// on the loop; what it returns is shared with nobody.

// Dissolve has up to n members leave.
func (r *Reactor) Dissolve(name string, n int) (left int) {
	for ; left < n; left++ {
		g := r.groups.find(name)
		if g == nil {
			break
		}
		last := g.last()
		r.leaveAt(last.s, int(last.at))
	}
	return left
}

// Narrow has anonymous sessions leave the groups that was let them into and that are granted to
// them no more. It looks through scanSlots slots from *next on, and returns whether any are left;
// next is where it goes on. Groups beyond was, into which a backend has put them, they keep.
func (r *Reactor) Narrow(was *Grants, next *int) (more bool) {
	now := r.opt.Anonymous
	if now == nil {
		return false
	}
	slots := r.sessions.slots
	for end := min(*next+scanSlots, len(slots)); *next < end; *next++ {
		if s := slots[*next]; s != nil && s.who == nil {
			r.leaveWhere(s, func(group []byte) bool {
				return !now.Join.Match(group) && (was == nil || was.Join.Match(group))
			})
		}
	}
	r.settle()
	return *next < len(slots)
}

// openSession is the session of that id, if it is open.
func (r *Reactor) openSession(id order.SessionID) (*Session, error) {
	if s := r.session(id); s != nil && s.state == stateOpen {
		return s, nil
	}
	return nil, ErrNoSession
}

// Kick begins a session's close handshake; code and reason must fit a close frame.
func (r *Reactor) Kick(id order.SessionID, code ws.StatusCode, reason string) error {
	s, err := r.openSession(id)
	if err != nil {
		return err
	}
	r.stats.Kicked++
	r.closeWith(s, code, reason)
	r.settle()
	return nil
}

// Join makes a session a member of a group, and returns the place in the order behind
// which it gets the group's messages. The error is ErrNoSession, or a
// *protocol.CommandError that says which limit is reached.
func (r *Reactor) Join(id order.SessionID, group string) (place uint64, err error) {
	s, err := r.openSession(id)
	if err != nil {
		return 0, err
	}
	place, refused := r.enter(s, []byte(group))
	if refused != nil {
		return 0, refused
	}
	return place, nil
}

// Leave takes a session out of a group; it need not be in it.
func (r *Reactor) Leave(id order.SessionID, group string) error {
	s, err := r.openSession(id)
	if err == nil {
		r.exit(s, []byte(group))
	}
	return err
}

// Tell queues a text for a session, behind what it is being sent.
func (r *Reactor) Tell(id order.SessionID, text []byte) error {
	s, err := r.openSession(id)
	if err != nil {
		return err
	}
	s.Send(ws.OpText, text)
	r.settle()
	return nil
}

// Identify has an open session belong to who from now on, nil makes it anonymous. It leaves
// the groups that who may not be in. The error is ErrNoSession, or a *protocol.CommandError:
// that user has as many sessions as it may.
func (r *Reactor) Identify(id order.SessionID, who *Identity) error {
	s, err := r.openSession(id)
	if err != nil {
		return err
	}
	if refused := r.become(s, who); refused != nil {
		return refused
	}
	r.settle()
	return nil
}

// Authenticated brings the answer to a session's auth command: who it is from now on, or why
// not.
func (r *Reactor) Authenticated(id order.SessionID, reqID []byte, who *Identity,
	refused *protocol.CommandError,
) error {
	s, err := r.openSession(id)
	if err != nil {
		return err
	}
	if refused == nil && s.who != nil && s.who.User != who.User {
		refused = errAnotherUser
	}
	if refused == nil {
		refused = r.become(s, who)
	}
	switch {
	case refused != nil:
		s.Send(ws.OpText, r.refusal(s, reqID, refused.Code, refused.Reason))
	case reqID != nil:
		s.sendAck(protocol.KindAuth, reqID)
	}
	r.settle()
	return nil
}

// MembersListed brings the answer to a session's members command: q.Text's, or why there is none.
func (r *Reactor) MembersListed(q MembersRequest, text []byte, refused *protocol.CommandError) error {
	s, err := r.openSession(q.Session)
	if err != nil {
		return err
	}
	if refused != nil {
		text = r.refusal(s, q.ReqID, refused.Code, refused.Reason)
	}
	s.Send(ws.OpText, text)
	r.settle()
	return nil
}

var (
	errAnotherUser = &protocol.CommandError{Code: protocol.CodeNotAllowed, Reason: "the token is another user's"}
	errManyOfUser  = &protocol.CommandError{
		Code:   protocol.CodeOverloaded,
		Reason: "this user has as many connections as it may have",
	}
)

// become has s belong to who from now on. It leaves the groups that who may not be in, and
// joins those that who is put into.
func (r *Reactor) become(s *Session, who *Identity) *protocol.CommandError {
	if who == nil || s.who == nil || s.who.User != who.User {
		if !r.shared.EnterUser(who) {
			return errManyOfUser
		}
		r.shared.ExitUser(s.who)
	}
	due := s.due
	if silence, sooner := r.later[s]; sooner {
		due = silence
		delete(r.later, s)
	}
	r.stats.Renewed++
	r.noteAll(s, false)
	r.exitUser(s)
	s.who = who
	r.enterUser(s)
	r.noteAll(s, true)
	if g := r.grants(s); g != nil {
		r.leaveWhere(s, func(group []byte) bool { return !g.Join.Match(group) })
	}
	s.clear(flagWarned)
	r.scheduleOpen(s, due)
	r.joinGranted(s)
	return nil
}

// Sessions is how many there are, upgraded or not.
func (r *Reactor) Sessions() int { return r.sessions.count }

// Members is how many members of the group are on this reactor.
func (r *Reactor) Members(group string) int {
	if g := r.groups.find(group); g != nil {
		return g.size()
	}
	return 0
}

// Snapshot is what has been counted so far, and the gauges.
func (r *Reactor) Snapshot() Stats {
	s := r.stats
	s.Groups = len(r.groups.byName)
	s.Memberships = r.groups.memberships
	s.Users = len(r.users.byName)
	s.Watched = len(r.watched)
	s.JoinsWaiting = r.acks.count
	s.SealedBytes, s.HalfBytes = int(r.memory.sealed), int(r.memory.halves)
	port := r.port.Stats()
	s.IngressLen = port.IngressLen
	s.EgressLen = port.EgressLen
	s.Wakeups = port.Wakeups
	s.RingFull = port.Full
	s.BlockedNanos = port.BlockedNanos
	return s
}
