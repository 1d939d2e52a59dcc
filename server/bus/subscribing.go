package bus

import (
	"github.com/nats-io/nats.go"

	"groupcast/protocol/subject"
	"groupcast/server/bus/interest"
	"groupcast/server/bus/wire"
)

// What a node is subscribed to, of the writer's: what interest asks for, made once more where there is
// another connection.

// subscribed makes all subscriptions, where the connection has not had them yet, and reports whether
// it has them.
func (w *writer) subscribed() bool {
	conn := w.b.conn.Load()
	if conn == w.conn {
		return true
	}
	w.conn = conn
	ok := true
	for _, text := range w.b.subjects.fixed() {
		if ok {
			_, ok = w.listen(text)
		}
	}
	if ok && w.b.listening.Swap(conn) != conn { // else who took the name has done it
		_, ok = w.listen(w.b.subjects.own)
	}
	for name := range w.subs {
		if ok {
			w.subs[name], ok = w.listenTo(name)
		}
	}
	if w.wide && ok {
		w.wild, ok = w.listen(w.b.subjects.groups)
	}
	if !ok {
		conn.Close() // the next one gets them all
	}
	return ok
}

// subscribe does what interest asks for. What cannot be written is not known to be subscribed to: then
// the connection is given up, and the next one has it.
func (w *writer) subscribe(batch interest.Batch) {
	if batch.Switching {
		w.change++
		w.b.switching.Store(w.change)
	}
	if batch.WildcardOn {
		w.wide = true
	}
	ok := true
	if w.wide && w.wild == nil {
		w.wild, ok = w.listen(w.b.subjects.groups)
	}
	for _, name := range batch.Subscribe {
		if w.subs[name] == nil {
			sub, listens := w.listenTo(name)
			w.subs[name] = sub
			ok = ok && listens
		}
	}
	for _, name := range batch.Unsubscribe {
		w.unlisten(w.subs[name])
		delete(w.subs, name)
	}
	if batch.WildcardOff {
		w.unlisten(w.wild)
		w.wild, w.wide = nil, false
	}
	if !ok {
		w.conn.Close()
		w.leave()
		return
	}
	if batch.Marker != 0 {
		w.tell(told{kind: toldMarker, number: batch.Marker})
		if !w.send(w.b.subjects.all, wire.Control{Marker: &wire.Marker{ID: w.b.markerID(batch.Marker, false)}}) {
			w.leave()
			return
		}
		w.flush(flush{marker: batch.Marker})
	}
	if batch.Switched {
		w.switched = w.change
	}
	if w.switched != 0 && w.flush(flush{switched: w.switched}) {
		w.switched = 0
	}
}

// listenTo subscribes to a group.
func (w *writer) listenTo(name string) (*nats.Subscription, bool) {
	text, err := w.b.subjects.of(subject.KindGroup, name)
	if err != nil {
		return nil, true // no group can be called that: --max-group-name is within 256
	}
	return w.listen(text)
}

func (w *writer) listen(text string) (*nats.Subscription, bool) {
	sub, err := w.conn.ChanSubscribe(text, w.b.in)
	if err != nil {
		w.broken(err)
		return nil, false
	}
	return sub, true
}

func (w *writer) unlisten(sub *nats.Subscription) {
	if sub == nil {
		return
	}
	// A connection that is gone has forgotten it, and does not subscribe to it again.
	_ = sub.Unsubscribe()
}
