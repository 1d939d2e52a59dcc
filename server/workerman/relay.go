package workerman

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"

	"groupcast/loop"
	"groupcast/protocol/workerman"
)

// Broker is what a Server and a Client need of a *loop.Engine.
type Broker interface {
	PublishAll(ctx context.Context, p loop.Publication) (order uint64, err error)
	NewSink(o loop.SinkOptions) *loop.Sink
}

// Refusal is why an event was not published to its group.
type Refusal int

// The reasons. RefusedLate is none: the event was published, but later than
// PublishTimeout, so that its place among this publisher's other events is unknown.
const (
	RefusedShape    Refusal = iota // no array with group_id and message
	RefusedGroup                   // group_id is no string or integer, or no name of a group
	RefusedMessage                 // message has something in it that JSON does not know
	RefusedUTF8                    // message is not UTF-8
	RefusedTooLarge                // message is over the limit
	RefusedOverload                // the broker had no room within PublishTimeout
	RefusedDraining                // this server is stopping
	RefusedLate
	RefusedOther
	refusals
	accepted Refusal = -1
)

var refusalNames = [refusals]string{
	"shape", "bad_group", "bad_message", "not_utf8", "too_large", "overloaded", "draining", "late", "other",
}

// refusalOf is what an error of the broker means.
func refusalOf(err error) Refusal {
	switch {
	case err == nil:
		return accepted
	case errors.Is(err, loop.ErrBadGroup):
		return RefusedGroup
	case errors.Is(err, loop.ErrNotUTF8):
		return RefusedUTF8
	case errors.Is(err, loop.ErrTooLarge):
		return RefusedTooLarge
	case errors.Is(err, loop.ErrOverloaded):
		return RefusedOverload
	case errors.Is(err, loop.ErrDraining), errors.Is(err, loop.ErrClosed):
		return RefusedDraining
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return RefusedLate
	}
	return RefusedOther
}

// maxExtraBytes is what an event may have beside its message and still be
// passed on to other groupcasts and clusters with all its keys. It bounds what a
// sink's queue holds beside what the sink counts.
const maxExtraBytes = 4 << 10

// relay goes through the broker with a message that came from the Channel
// protocol: what it was, for those who get it on the other side. It is the
// publication's Tag.
type relay struct {
	mark workerman.Mark // the groupcasts that it came through
	// kept is the event's data with all its keys, and group is kept again,
	// understood; both are empty where the keys are too much.
	kept  workerman.Data
	group workerman.GroupMessage
	// form says that the event named its channel by an integer.
	form bool
	// data is the event's data for the subscribers of our Server, set if it came
	// from there. The relay that takes it hands it to them: it is done once.
	data atomic.Pointer[workerman.Data]
	// done is closed once that is done; nil if nobody waits.
	done chan struct{}
}

// publication is what the group gets of an event: a payload of at most maxBytes,
// if it has to be encoded. The payload may alias the event. mark is the one in it,
// if there is a valid one.
func publication(g *workerman.GroupMessage, maxBytes int) (p loop.Publication, mark workerman.Mark, refused Refusal) {
	mark, marked := workerman.ParseMark(g.Mark)
	if g.Group.Kind == 0 || g.Message.Kind == 0 {
		return p, mark, RefusedShape
	}
	switch g.Group.Kind {
	case workerman.KindString:
		p.Groups = []string{string(g.Group.Text)}
	case workerman.KindInt:
		p.Groups = []string{string(g.Group.Integer())}
	default:
		return p, mark, RefusedGroup
	}
	switch g.Message.Kind {
	case workerman.KindString:
		p.Payload, p.IsText = g.Message.Text, !marked || mark.IsText
		if !p.IsText && !json.Valid(p.Payload) {
			return p, mark, RefusedMessage
		}
	case workerman.KindInt:
		p.Payload = g.Message.Integer()
	case workerman.KindFloat, workerman.KindNull, workerman.KindArray:
		var err error
		if p.Payload, err = g.AppendJSON(nil, maxBytes); err != nil {
			return p, mark, refusalOfJSON(err)
		}
	case workerman.KindBool:
		p.IsText = true // as PHP makes a string of it
		if string(g.Message.Text) == "1" {
			p.Payload = g.Message.Text
		}
	default:
		return p, mark, RefusedMessage
	}
	return p, mark, accepted
}

func refusalOfJSON(err error) Refusal {
	switch {
	case errors.Is(err, workerman.ErrJSONLong):
		return RefusedTooLarge
	case errors.Is(err, workerman.ErrJSONNotUTF8):
		return RefusedUTF8
	}
	return RefusedMessage
}

// newRelay is the relay of an event with data d, which is copied.
func newRelay(d workerman.Data, payloadBytes int, mark workerman.Mark) (r *relay, own *workerman.Data) {
	r = &relay{mark: mark.Clone()}
	d = d.Clone()
	if len(d.Bytes) <= payloadBytes+maxExtraBytes {
		r.kept = d
		r.group, _ = d.GroupMessage()
	}
	return r, &d
}

// take is the data for our subscribers, nil if it was taken already.
func (r *relay) take() *workerman.Data { return r.data.Swap(nil) }

// finish lets the goroutine that waits go on.
func (r *relay) finish() {
	if r.done != nil {
		close(r.done)
	}
}

// marked is a message from the broker as it is passed on to another groupcast,
// or to a cluster: with this node's name in its mark, and with the keys it came
// with. stripped says that these were too much. ok is false if it has come far
// enough.
func (n *Node) marked(m *loop.SinkMessage, r *relay) (d workerman.Data, stripped, ok bool) {
	mark := workerman.Mark{}
	if r != nil {
		mark = r.mark
	}
	if mark.Hops() >= workerman.MaxHops {
		return workerman.Data{}, false, false
	}
	mark.IsText = m.IsText
	text := mark.AppendMark(make([]byte, 0, 8+(mark.Hops()+1)*(workerman.NodeIDBytes+1)), n.ID)
	if r != nil && r.group.Message.Kind != 0 {
		if d, ok := r.group.WithMark(text); ok {
			return d, false, true
		}
	}
	bytes := workerman.AppendGroupMessage(make([]byte, 0, len(m.Group)+len(m.Payload)+len(text)+96), m.Group, m.Payload,
		text)
	return workerman.Data{Bytes: bytes}, r != nil, true
}

// plain is the data of a message from the broker for PHP programs. A JSON value
// is its text, so that a PHP worker's members get what ours get.
func plain(m *loop.SinkMessage) workerman.Data {
	return workerman.Data{Bytes: workerman.AppendGroupMessage(make([]byte, 0, len(m.Group)+len(m.Payload)+64), m.Group,
		m.Payload, nil)}
}
