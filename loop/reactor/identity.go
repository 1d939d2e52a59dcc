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
	if err == nil {
		s.who = who
	}
	return err
}
