package bus

import (
	"errors"

	"github.com/nats-io/nats.go"

	"groupcast/server/bus/wire"
)

// request is a message that another goroutine wants the writer to publish.
type request struct {
	subject string
	control wire.Control // unless data is there
	data    []byte
	// Of a marker or a question about a span, the answer is made by the writer, which knows
	// what it has written before.
	marker uint64
	span   *wire.Range
	beat   bool // a heartbeat at once
	early  bool // before this node is in the cluster, too
}

// maxRequests wait for the writer; more are dropped and counted. Questions are asked again, and a late answer is
// of no use.
const maxRequests = 1024

// want hands r to the writer. It never waits.
func (b *Bus) want(r request) {
	select {
	case b.requests <- r:
	default:
		b.count.RequestsDropped.Add(1)
	}
}

// request publishes r, where the bus is there.
func (w *writer) request(r request) {
	if w.at == stageAway && (!r.early || !w.b.connected.Load()) {
		return
	}
	switch {
	case r.beat:
		w.beat(w.left)
	case r.data != nil:
		w.put(r.subject, r.data) // where it fails it is not kept: its requester waits no longer than a moment
	case r.marker != 0:
		w.send(r.subject, wire.Control{Marked: &wire.Marked{ID: r.marker, Place: w.last, Nobody: w.nobody.Last()}})
	case r.span != nil:
		hashes, all := w.ring.Between(r.span.After, r.span.Upto)
		unwritten, allUnwritten := w.nobody.Between(r.span.After, r.span.Upto)
		answer := wire.Ranged{ID: r.span.ID, All: all || allUnwritten, Place: w.last}
		if !answer.All {
			answer.Hashes = append(hashes, unwritten...)
		}
		w.send(r.subject, wire.Control{Ranged: &answer})
	default:
		w.send(r.subject, r.control)
	}
}

// send publishes a control message, in as many parts as the server wants, and reports whether the connection
// holds.
func (w *writer) send(to string, c wire.Control) bool {
	c.Version, c.Node, c.Epoch = wire.Version, w.b.opt.Node, w.b.epoch
	for _, part := range c.Split(int(w.b.conn.Load().MaxPayload())) {
		data, err := part.Append(nil)
		if err != nil { // it is this node's own mistake
			w.b.failed(err)
			return true
		}
		if !w.put(to, data) {
			return false
		}
	}
	return true
}

// put publishes what is no member's, and reports whether the connection holds. What the server does not take
// for its size is counted, and told of: another connection would take it as little.
func (w *writer) put(to string, data []byte) bool {
	err := w.b.conn.Load().PublishMsg(&nats.Msg{Subject: to, Data: data})
	if errors.Is(err, nats.ErrMaxPayload) {
		w.b.failed(err)
		return true
	}
	if err != nil {
		w.broken(err)
	}
	return err == nil
}

// beat says that this node is there, or that it goes.
func (w *writer) beat(leaving bool) {
	if w.at == stageAway {
		return
	}
	sessions, groups := 0, 0
	if w.b.info.Load != nil {
		sessions, groups = w.b.info.Load()
	}
	h := &wire.Heartbeat{
		Generation: w.b.generation.Load(), Place: w.certain(), Sent: w.b.count.Out.Load(), Program: w.b.info.Program,
		Reads: []int{wire.Version},
		Host:  w.b.info.Host, PID: w.b.info.PID, Sessions: sessions, Groups: groups, Lag: w.b.lag().Seconds(),
		Joined: w.b.info.Joined, Leaving: leaving, Connection: w.round,
	}
	if w.at == stageJoined {
		w.beats++
		h.Number = w.beats
	}
	w.send(w.b.subjects.all, wire.Control{Heartbeat: h})
}

// certain is the place in a heartbeat: a node that gets it takes all messages up to there as come. Those in doubt
// are behind it, and a notice behind the first heartbeat on a connection tells of them.
func (w *writer) certain() uint64 {
	if !w.unsure.empty() {
		return w.unsure.after
	}
	return w.last
}
