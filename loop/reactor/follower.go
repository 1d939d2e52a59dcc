package reactor

import "math"

// Follower receives one reactor's memberships, from the first reading on.
//
// Owner: a goroutine outside the loops.
type Follower struct {
	r       *Reactor
	outbox  *outbox
	asked   bool // a part of a reading is on its way
	want    int  // the slot that the next one begins with; -1: all is read
	restart bool // the reading under way is in vain

	// Overflows counts how often there were more changes than the limit.
	Overflows uint64
}

// partMemberships is how many memberships are read in one go.
const partMemberships = 4096

// Follow makes a follower of r. Up to limit changes wait for it; news, of capacity one or
// more, gets a token when there are some.
func Follow(r *Reactor, limit int, news chan<- struct{}) *Follower {
	return &Follower{r: r, outbox: &outbox{limit: limit, perPart: partMemberships, news: news}}
}

// Begin is for the loop: from here on, changes are noted. A follower that was there before
// gets no more.
func (f *Follower) Begin() { f.r.outbox = f.outbox }

// End is for the loop: no more changes are noted.
func (f *Follower) End() {
	if f.r.outbox == f.outbox {
		f.r.outbox = nil
	}
}

// Take returns what has changed, nil if nothing has. If read is not nil, the loop is to run
// it, soon: it is the next part of a reading.
func (f *Follower) Take() (c *Changes, read func()) {
	if c = f.outbox.take(); c != nil {
		f.look(c)
	}
	if f.restart && !f.asked {
		f.restart, f.want = false, 0
	}
	if f.want >= 0 && !f.asked {
		slot := f.want
		f.asked = true
		read = func() {
			if f.r.outbox == f.outbox {
				f.r.readMembers(slot)
			}
		}
	}
	if c != nil && !c.Anew && len(c.List) == 0 {
		c = nil
	}
	return c, read
}

// look learns how far the reading is. One is asked for at a time, so that each part is the
// answer to the last question.
func (f *Follower) look(c *Changes) {
	if c.part {
		f.asked = false
		f.want = c.next
		if c.next == 0 {
			f.want = -1
		}
	}
	if c.overflowed {
		f.Overflows++
		f.restart = true
	}
}

// readMembers puts a part of all memberships into the outbox, from a slot on. From slot 0
// on everything begins anew, and nothing is missing any more.
func (r *Reactor) readMembers(slot int) {
	c := r.outbox.open()
	if slot == 0 {
		*c = Changes{Anew: true}
	}
	slots := r.sessions.slots
	n, end := 0, min(slot+scanSlots, len(slots))
	for ; slot < end && n < r.outbox.perPart && !c.overflowed; slot++ {
		s := slots[slot]
		if s == nil {
			continue
		}
		for i := range s.groupCount() {
			c.List = append(c.List, Change{Membership{s.ID(), s.membership(i).g.name, s.who}, true, r.place})
			n++
		}
	}
	c.part, c.next, r.outbox.read = true, 0, math.MaxInt
	if slot < len(slots) {
		c.next, r.outbox.read = slot, slot
	}
	// What comes later may not cancel what stands in front of this part: the part has
	// what became of it.
	c.last, c.changes, c.dead = nil, 0, 0
	r.outbox.empty()
}
