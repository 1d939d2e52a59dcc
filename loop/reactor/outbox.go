package reactor

import (
	"sync/atomic"

	"groupcast/loop/order"
)

// Who is in which group leaves a reactor through its outbox, for one goroutine outside the
// loops. The loop puts changes in and never waits for it: what was not taken yet is taken
// back, added to and put there again, which is one exchange of a pointer. So what cancels
// out meanwhile is never seen, and where there is too much of it the receiver is told to
// read all memberships anew.
//
// That reading comes through the outbox too, in parts, each in its place between the
// changes: replayed one after the other they give what is true on the loop. What becomes of
// a session that is not read yet is no change, since its part will have it: so a membership
// begins once and ends once, and a receiver may count instead of keeping a set.

// Membership is a session in a group.
type Membership struct {
	Session order.SessionID
	Group   string
	Who     *Identity // nil: anonymous
}

// Change is a membership that began or ended. A session that became another user's has left
// as the one and joined as the other.
type Change struct {
	Membership
	Joined bool   // else it left
	Place  uint64 // in the order: a member gets what stands behind the place where it joined, up to where it left
}

// Changes are what became of one reactor's memberships, in order, without what cancelled
// out.
type Changes struct {
	// Anew: forget what was known of this reactor; what follows begins at nothing.
	Anew bool
	List []Change

	overflowed bool // changes are missing, until all is read anew
	part       bool // a part of a reading is in it, which goes on with slot next; 0 at its end
	next       int

	// What can be cancelled: places in List, whose entries have no group once they are.
	last    map[memberKey]int
	changes int // in List, cancelled ones too, since the last part of a reading
	dead    int // of them cancelled
}

type memberKey struct {
	session order.SessionID
	group   string
}

// add notes one more change; there may be limit of them.
func (c *Changes) add(one Change, limit int) {
	if c.overflowed {
		return
	}
	key := memberKey{one.Session, one.Group}
	if i, found := c.last[key]; found && c.List[i].Joined != one.Joined && c.List[i].Who == one.Who {
		c.List[i] = Change{}
		c.dead++
		delete(c.last, key)
		return
	}
	if c.changes-c.dead >= limit {
		*c = Changes{overflowed: true, part: c.part, next: c.next}
		return
	}
	if c.changes >= 2*limit {
		c.compact()
	}
	if c.last == nil {
		c.last = make(map[memberKey]int)
	}
	c.last[key] = len(c.List)
	c.List = append(c.List, one)
	c.changes++
}

// compact takes out what was cancelled.
func (c *Changes) compact() {
	kept := c.List[:0]
	for i := range c.List {
		if one := c.List[i]; one.Group != "" {
			key := memberKey{one.Session, one.Group}
			if at, found := c.last[key]; found && at == i {
				c.last[key] = len(kept)
			}
			kept = append(kept, one)
		}
	}
	clear(c.List[len(kept):])
	c.List = kept
	c.changes, c.dead = c.changes-c.dead, 0
}

// outbox is where the loop puts changes, and a goroutine outside takes them from.
//
// Owner: the reactor's goroutine, but for take.
type outbox struct {
	limit   int                     // of changes that wait
	perPart int                     // memberships that end a part of a reading; the last session's may pass it
	read    int                     // slots below it were read: only what becomes of these is noted
	filling *Changes                // since it was last emptied, with what had not been taken
	ready   atomic.Pointer[Changes] // what can be taken
	news    chan<- struct{}         // capacity one or more: there is something
}

// open returns what is being filled.
func (o *outbox) open() *Changes {
	if o.filling == nil {
		if o.filling = o.ready.Swap(nil); o.filling == nil {
			o.filling = new(Changes)
		}
	}
	return o.filling
}

// empty gives the receiver what there is.
func (o *outbox) empty() {
	c := o.filling
	if c == nil {
		return
	}
	o.filling = nil
	if !c.Anew && !c.overflowed && !c.part && c.changes == c.dead {
		return // all of it cancelled out
	}
	o.ready.Store(c)
	select {
	case o.news <- struct{}{}:
	default:
	}
}

// take is for the receiver: what there is, nil if there is nothing.
func (o *outbox) take() *Changes {
	c := o.ready.Swap(nil)
	if c != nil {
		c.last = nil
		c.compact()
	}
	return c
}
