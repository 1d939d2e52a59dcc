package order

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// What goroutines outside the loops ask of the broker.

// Publish hands in a message from outside the loops and waits for its order, the
// last one's if it has several groups. ErrOverloaded means that there was no room
// until ctx ended, and that nothing was published; ctx's own error that it was, and
// that only its order is not known.
func (b *Broker) Publish(ctx context.Context, m *Message) (order uint64, err error) {
	return b.door.publish(ctx, m)
}

// Submit is Publish without the wait for the order: what one goroutine submits
// keeps its sequence.
func (b *Broker) Submit(ctx context.Context, m *Message) error { return b.door.submit(ctx, m) }

// SubmitForPlace is Submit, with a channel of capacity one that the order comes by.
func (b *Broker) SubmitForPlace(ctx context.Context, m *Message) (<-chan uint64, error) {
	return b.door.submitForPlace(ctx, m)
}

// Gap has all members of the groups, of which there is one at least, told that messages of
// theirs may have been lost: behind all that was submitted before, and in front of all that is
// afterwards. The errors are Publish's, and mean that nothing is told.
func (b *Broker) Gap(ctx context.Context, groups []string) error {
	return b.door.enter(ctx, NewGap(groups))
}

// CloseOutside refuses further messages from outside and sends that door's
// barrier behind the last one taken.
func (b *Broker) CloseOutside(ctx context.Context) error { return b.door.close(ctx) }

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

// NewSink adds a way out. Only messages ordered after it returns are sure to come.
func (b *Broker) NewSink(o SinkOptions) *Sink {
	s := newSink(o, b.epoch, b.stopped)
	s.leave = func() {
		b.changeSinks(func(list []*Sink) []*Sink {
			return slices.DeleteFunc(slices.Clone(list), func(other *Sink) bool { return other == s })
		})
	}
	b.changeSinks(func(list []*Sink) []*Sink { return append(slices.Clone(list), s) })
	if b.drained.Load() {
		s.drain()
	}
	return s
}

// changeSinks replaces the list that the broker reads.
func (b *Broker) changeSinks(change func([]*Sink) []*Sink) {
	b.sinksMu.Lock()
	defer b.sinksMu.Unlock()
	list := change(*b.sinks.Load())
	b.sinks.Store(&list)
}
