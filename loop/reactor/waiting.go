package reactor

import "groupcast/loop/order"

// Limits of acks that wait.
const (
	// MaxWaitingAcks bounds those of one session: a client that comes back joins all of its groups at once, which
	// are as many at most, by default.
	MaxWaitingAcks = 128
	// MaxLoopWaitingAcks bounds those of one loop.
	MaxLoopWaitingAcks = 65536
)

// waitingAck is the ack of a join that waits until its group is covered.
type waitingAck struct {
	session order.SessionID // it may have gone
	group   string
	reqID   []byte
	until   int64 // nanoseconds since the engine's start

	earlier, later *waitingAck // in the order in which they came
	behind         *waitingAck // the next one of the group
}

// waitingAckBytes is what a waiting ack holds beside its group's name and its reqID.
const waitingAckBytes = 192

func (a *waitingAck) bytes() int64 { return int64(waitingAckBytes + len(a.group) + len(a.reqID)) }

// waitingAcks are a loop's, in the order in which they came and by their groups. A group's are
// taken in that order as well, so that the first of all is the first of its group.
//
// Owner: the reactor's goroutine.
type waitingAcks struct {
	first, last *waitingAck
	byGroup     map[string]ackQueue
	bySession   map[order.SessionID]uint8 // how many
	count, peak int
}

// ackQueue are the acks of one group.
type ackQueue struct{ first, last *waitingAck }

// keptAcks is how many acks the maps may have had at a time to be kept for the next ones: a map
// does not shrink.
const keptAcks = 1024

// add puts an ack behind all others.
func (w *waitingAcks) add(a *waitingAck) {
	if w.byGroup == nil {
		w.byGroup, w.bySession = make(map[string]ackQueue), make(map[order.SessionID]uint8)
	}
	if a.earlier = w.last; w.last != nil {
		w.last.later = a
	} else {
		w.first = a
	}
	w.last = a
	q := w.byGroup[a.group]
	if q.last != nil {
		q.last.behind = a
	} else {
		q.first = a
	}
	q.last = a
	w.byGroup[a.group] = q
	w.bySession[a.session]++
	w.count++
	w.peak = max(w.peak, w.count)
}

// take takes out the first ack of a group, nil if none waits.
func (w *waitingAcks) take(group string) *waitingAck {
	q := w.byGroup[group]
	a := q.first
	if a == nil {
		return nil
	}
	if q.first = a.behind; q.first != nil {
		w.byGroup[group] = q
	} else {
		delete(w.byGroup, group)
	}
	if a.earlier != nil {
		a.earlier.later = a.later
	} else {
		w.first = a.later
	}
	if a.later != nil {
		a.later.earlier = a.earlier
	} else {
		w.last = a.earlier
	}
	a.earlier, a.later, a.behind = nil, nil, nil
	if n := w.bySession[a.session]; n > 1 {
		w.bySession[a.session] = n - 1
	} else {
		delete(w.bySession, a.session)
	}
	if w.count--; w.count == 0 && w.peak > keptAcks {
		*w = waitingAcks{}
	}
	return a
}
