package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"groupcast/loop"
	"groupcast/server/bus/wire"
)

// waiter is a publication whose requester waits for its place.
type waiter struct {
	order   <-chan uint64
	subject string
}

// maxWaiters publications wait for their places at a time; one more is published, and not answered.
const maxWaiters = 4096

// submitAsked is submit for a message that wants an answer.
func (r *reader) submitAsked(m *nats.Msg, p loop.Publication) error {
	ctx, cancel := context.WithTimeout(r.b.stop, submitWait)
	defer cancel()
	order, err := r.b.engine.SubmitForPlace(ctx, p)
	if err != nil {
		return err
	}
	select {
	case r.b.waiters <- waiter{order, m.Reply}:
	default:
		r.b.count.RepliesDropped.Add(1)
	}
	return nil
}

// reply answers requesters, in the order of their messages' places.
func (b *Bus) reply() {
	for {
		select {
		case w := <-b.waiters:
			select {
			case order := <-w.order:
				b.answer(w.subject, order)
			case <-b.stop.Done():
				return
			}
		case <-b.stop.Done():
			return
		}
	}
}

func (b *Bus) answer(subject string, order uint64) {
	place := wire.Place{Node: b.opt.Node, Epoch: b.epoch, Order: order}
	b.want(request{subject: subject, data: wire.NewReply(place).JSON()})
}

// lateReply is how much later a node without members answers, so that those with some come first.
const lateReply = 100 * time.Millisecond

// replyLate answers a requester whose group has no members here: place 0.
func (r *reader) replyLate(m *nats.Msg) {
	if !r.mayAnswer(m) {
		return
	}
	if r.b.late.Add(1) > maxWaiters {
		r.b.late.Add(-1)
		r.b.count.RepliesDropped.Add(1)
		return
	}
	time.AfterFunc(lateReply, func() {
		r.b.late.Add(-1)
		r.b.answer(m.Reply, 0)
	})
}

var errBadSession = errors.New("not a session id: want 0-1f-3 or NODE.EPOCH.0-1f-3")
