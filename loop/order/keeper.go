package order

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
)

// Kept is what the broker keeps of one group for those who have asked for it.
type Kept struct {
	Since uint64 // the place in the order that was the last one when that began
	Last  uint64 // the place of the group's last message since then; 0 if there was none
}

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

// keepOrder is what a KindKeep asks for.
type keepOrder struct {
	forget bool
	reply  chan keepAnswer // capacity one
}

type keepAnswer struct {
	kept Kept
	err  error
}

// Keep has the broker keep the state of a group from here on, and returns what it keeps:
// an item of the order, so that all messages in front of it are in the answer, and none
// behind it. It costs each message a look into a map while any group is kept. The error is
// ErrTooManyKept, one of Publish's, or ctx's: then the group may be kept.
func (b *Broker) Keep(ctx context.Context, group string) (Kept, error) {
	return b.askKeeper(ctx, group, false)
}

// Forget ends what Keep began, and returns what was kept: the zero Kept if nothing was.
func (b *Broker) Forget(ctx context.Context, group string) (Kept, error) {
	return b.askKeeper(ctx, group, true)
}

func (b *Broker) askKeeper(ctx context.Context, group string, forget bool) (Kept, error) {
	ask := &keepOrder{forget: forget, reply: make(chan keepAnswer, 1)}
	m := &Message{Kind: KindKeep, Outside: &Outside{keep: ask}}
	m.Frame.Group = strings.Clone(group)
	if err := b.door.enter(ctx, m); err != nil {
		return Kept{}, fmt.Errorf("keep a group: %w", err)
	}
	select {
	case a := <-ask.reply:
		return a.kept, a.err
	case <-b.stopped:
		return Kept{}, ErrClosed
	case <-ctx.Done():
		return Kept{}, ctx.Err()
	}
}
