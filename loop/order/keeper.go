package order

import (
	"errors"
	"sync/atomic"
)

// MaxKept is how many groups the broker keeps something of at most.
const MaxKept = 1 << 16

// ErrTooManyKept is the answer of Keep where MaxKept groups are kept.
var ErrTooManyKept = errors.New("as many groups are kept as there may be")

// keeper has the state of groups that must follow the order. It is touched between the
// stamp of a message and the rings, so that no loop has a message that it does not know.
//
// Owner: the broker's goroutine, but for size.
type keeper struct {
	groups map[string]*Kept
	size   atomic.Int64 // of groups
}

// note takes a message that has its place and is in no ring yet.
func (k *keeper) note(m *Message) {
	if one := k.groups[m.Group()]; one != nil {
		one.Last = m.Order()
	}
}

// answer does what a KindKeep asks for; last is the last place in the order.
func (k *keeper) answer(m *Message, last uint64) {
	ask, group := m.Outside.keep, m.Group()
	one := k.groups[group]
	switch {
	case one != nil:
		if ask.forget {
			delete(k.groups, group)
		}
	case ask.forget:
		one = &Kept{}
	case len(k.groups) >= MaxKept:
		ask.reply <- keepAnswer{err: ErrTooManyKept}
		return
	default:
		if k.groups == nil {
			k.groups = make(map[string]*Kept)
		}
		one = &Kept{Since: last}
		k.groups[group] = one
	}
	k.size.Store(int64(len(k.groups)))
	ask.reply <- keepAnswer{kept: *one}
}
