package interest

// queue is what is to be written, in order but for what is taken back: the last one takes
// the place of that. Each group is in one queue at most, and knows its place.
type queue struct {
	kind  queued
	names []string // what the writer gets a part of: never written to once that is handed over
	slots []uint32
	base  uint64 // of the first one: how many have been popped
}

// queued says in which queue a group is.
type queued uint8

const (
	inNone queued = iota
	inSubscribe
	inUnsubscribe
)

func (q *queue) len() int { return len(q.names) }

// end is the place behind the last one.
func (q *queue) end() uint64 { return q.base + uint64(len(q.names)) }

// passed reports whether all that stood in front of a place has been popped or taken back.
func (q *queue) passed(place uint64) bool { return q.base >= place || len(q.names) == 0 }

// head is the first ones, up to limit.
func (q *queue) head(limit int) []string {
	n := min(limit, len(q.names))
	return q.names[:n:n]
}

// push puts a group at the end, unless it is in the queue. It must be in no other.
func (q *queue) push(t *table, slot uint32) {
	g := &t.groups[slot]
	if g.queued == q.kind {
		return
	}
	g.queued, g.place = q.kind, uint32(q.end())
	q.names, q.slots = append(q.names, g.name), append(q.slots, slot)
}

// remove takes a group back, if it is in the queue.
func (q *queue) remove(t *table, slot uint32) {
	g := &t.groups[slot]
	if g.queued != q.kind {
		return
	}
	at, last := int(g.place-uint32(q.base)), len(q.names)-1
	q.names[at], q.slots[at] = q.names[last], q.slots[last]
	t.groups[q.slots[at]].place = g.place
	q.names[last] = ""
	q.names, q.slots = q.names[:last], q.slots[:last]
	g.queued = inNone
}

// pop takes the first one.
func (q *queue) pop(t *table) (slot uint32) {
	slot = q.slots[0]
	t.groups[slot].queued = inNone
	q.names, q.slots = q.names[1:], q.slots[1:]
	q.base++
	if len(q.names) == 0 {
		q.names, q.slots = nil, nil // the writer has the array
	}
	return slot
}

// clear takes all back.
func (q *queue) clear(t *table) {
	for _, slot := range q.slots {
		t.groups[slot].queued = inNone
	}
	q.names, q.slots = nil, nil
}
