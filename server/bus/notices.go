package bus

import "groupcast/server/bus/wire"

// What the writer tells the other nodes of messages that they have not got.

// span are the places behind after, up to upto.
type span struct{ after, upto uint64 }

func (s span) empty() bool { return s.after >= s.upto }

// with is one that covers both.
func (s span) with(t span) span {
	switch {
	case s.empty():
		return t
	case t.empty():
		return s
	}
	return span{min(s.after, t.after), max(s.upto, t.upto)}
}

// nobodySlots is how many groups of messages that were not written are remembered for nodes that have not heard of it.
const nobodySlots = 1 << 12

// maxNever is how many groups are told apart that messages to nobody were for.
const maxNever = 1 << 16

// never are groups of which messages were sent to no other node.
//
// Owner: the writer's goroutine.
type never struct {
	groups map[uint64]uint64 // place by hash
	all    bool              // and others
}

func (n *never) empty() bool { return len(n.groups) == 0 && !n.all }

func (n *never) add(hash, place uint64) {
	if n.all {
		return
	}
	if n.groups == nil {
		n.groups = make(map[uint64]uint64)
	}
	if _, there := n.groups[hash]; !there && len(n.groups) == maxNever {
		n.groups, n.all = nil, true
		return
	}
	n.groups[hash] = place
}

func (n *never) entries() (list []wire.Entry) {
	for hash, place := range n.groups {
		list = append(list, wire.Entry{Hash: hash, Order: place})
	}
	return list
}

// lose notes that no other node gets m.
func (w *writer) lose(m *message) {
	for _, name := range groupsOf(m) {
		w.never.add(wire.Hash(name), m.Order)
	}
}

// tellLost tells the others of what they do not get, where that is possible now.
func (w *writer) tellLost() {
	if w.at == stageJoined && !w.notify() {
		w.leave()
	}
}

// notify tells the other nodes what they have not got, or may not have got. It stands in front
// of all that is published next.
func (w *writer) notify() bool {
	if !w.unsure.empty() {
		entries, all := w.ring.Entries(w.unsure.after, w.unsure.upto)
		n := wire.Notice{After: w.unsure.after, Upto: w.unsure.upto, Nobody: w.blurred, All: all, Lost: entries}
		if !w.notice(n) {
			return false
		}
		w.unsure, w.blurred = span{}, false
	}
	if !w.never.empty() {
		n := wire.Notice{Nobody: true, All: w.never.all, Place: w.last + 1, Lost: w.never.entries()}
		if !w.notice(n) {
			return false
		}
		w.noteNobody(&n)
		w.never = never{}
	}
	return true
}

// noteNobody remembers a notice of messages that nobody got for nodes that do not hear it, since they are away or too
// slow: they ask by its place.
func (w *writer) noteNobody(n *wire.Notice) {
	if n.All {
		w.nobody.Forget(n.Place)
		return
	}
	for _, one := range n.Lost {
		w.nobody.Add(one.Hash, n.Place)
	}
}

func (w *writer) notice(n wire.Notice) bool {
	if n.All {
		n.Lost = nil
	} else if len(n.Lost) == 0 {
		return true
	}
	w.b.count.Notices.Add(1)
	return w.send(w.b.subjects.all, wire.Control{Notice: &n})
}
