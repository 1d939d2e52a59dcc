package bus

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"groupcast/loop"
	"groupcast/protocol/subject"
	"groupcast/server/bus/wire"
)

// outbound is what messages for NATS are made in: nats.go copies what it is given, so that one does
// for all of them.
//
// Owner: the writer's goroutine.
type outbound struct {
	msg     nats.Msg
	headers wire.HeaderBuffer
	subject []byte
}

// outgoing is a message as it crosses, good until the next call: to a group under its subject, else to
// several targets. The error is that of a name that has no subject.
func (w *writer) outgoing(m *message) (*nats.Msg, error) {
	b, o := w.b, &w.out
	out := wire.Message{
		IsText:  m.IsText,
		Origin:  wire.Place{Node: b.opt.Node, Epoch: b.epoch, Order: m.Order},
		Exclude: m.ExcludeElsewhere, // the sender's own session is nowhere but here
	}
	o.msg = nats.Msg{Subject: b.subjects.many, Data: m.Payload}
	if m.Group != "" {
		var err error
		o.subject, err = subject.Append(o.subject[:0], b.subjects.prefix, subject.KindGroup, m.Group)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNoSubject, err)
		}
		o.msg.Subject = string(o.subject)
	} else {
		out.Groups, out.Users = m.Groups, m.Users
	}
	o.msg.Header = o.headers.Fill(&out)
	return &o.msg, nil
}

// SessionText is a session's name in the cluster.
func (b *Bus) SessionText(id loop.SessionID) string {
	return wire.SessionText(b.opt.Node, b.epoch, id.String())
}

// ParseSession reads a session's name in either form. ours is false for one of another node, or of
// an earlier life of this one, which then names nobody here.
func (b *Bus) ParseSession(text string) (id loop.SessionID, ours bool, err error) {
	node, epoch, short, ok := wire.ParseSession(text)
	if !ok {
		return id, false, errBadSession
	}
	id, err = loop.ParseSessionID(short)
	return id, node == "" || wire.IsOwn(node, epoch, b.opt.Node, b.epoch), err
}

// ownSession is the session of this node that text names, if it names one.
func (b *Bus) ownSession(text string) (loop.SessionID, bool) {
	id, ours, err := b.ParseSession(text)
	return id, ours && err == nil
}

// errNoSubject is the answer to a name that is longer than a subject's may be.
var errNoSubject = errors.New("the name has no subject")
