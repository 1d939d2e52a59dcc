package reactor

import "groupcast/loop/order"

// Identity is who a session's peer is known to be. It never changes: sessions, and those
// who ask about them, share it, and who becomes known as somebody else gets another one.
// A session without one is anonymous.
type Identity struct {
	User string
}

// Identify has an open session belong to who from now on, nil makes it anonymous.
func (r *Reactor) Identify(id order.SessionID, who *Identity) error {
	s, err := r.openSession(id)
	if err != nil {
		return err
	}
	r.noteAll(s, false)
	s.who = who
	r.noteAll(s, true)
	return nil
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
