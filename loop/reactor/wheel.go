package reactor

// wheelSlots is a power of two; deadlines further away are looked at again
// each time their slot comes round.
const wheelSlots = 256

// wheel is a timing wheel of one tick a slot. A session stands in exactly one
// slot, that of the tick at which the reactor must look at it; activity does not
// move it (see Reactor.expire), so receiving costs the wheel nothing.
//
// Owner: the reactor's goroutine.
type wheel struct {
	slots  [wheelSlots]*Session // head of each slot's list
	firing *Session             // head of the list that advance is working on
	now    uint32               // ticks since the engine's start
}

// schedule puts s where it is looked at in tick due, at the earliest the next one.
func (w *wheel) schedule(s *Session, due uint32) {
	w.cancel(s)
	if int32(due-w.now) < 1 {
		due = w.now + 1
	}
	s.due = due
	head := &w.slots[due%wheelSlots]
	s.wheelNext = *head
	if s.wheelNext != nil {
		s.wheelNext.wheelPrev = s
	}
	*head = s
}

// cancel takes s out; a session that is not in the wheel is left alone.
func (w *wheel) cancel(s *Session) {
	if s.wheelPrev != nil {
		s.wheelPrev.wheelNext = s.wheelNext
	} else if head := &w.slots[s.due%wheelSlots]; *head == s {
		*head = s.wheelNext
	} else if w.firing == s {
		w.firing = s.wheelNext
	}
	if s.wheelNext != nil {
		s.wheelNext.wheelPrev = s.wheelPrev
	}
	s.wheelPrev, s.wheelNext = nil, nil
}

// advance moves to the next tick and calls expire for each session that is
// due. expire may schedule and cancel any session.
func (w *wheel) advance(expire func(*Session)) {
	w.now++
	// The slot's list is moved aside first: a session that expire puts back
	// into this very slot (a full turn away) must not be visited again now.
	slot := &w.slots[w.now%wheelSlots]
	w.firing, *slot = *slot, nil
	for w.firing != nil {
		s := w.firing
		w.cancel(s)
		if s.due == w.now {
			expire(s)
		} else {
			w.schedule(s, s.due)
		}
	}
}
