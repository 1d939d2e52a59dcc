package bus

import (
	"groupcast/loop"
	"groupcast/loop/budget"
	"groupcast/server/bus/wire"
)

// message is one as the sink brings it.
type message = loop.SinkMessage

// keptOverhead is what a message counts beside its payload while it is kept.
const keptOverhead = 256

// kept are the messages that wait for the bus, oldest first.
//
// Owner: the writer's goroutine.
type kept struct {
	list    []*message
	begun   int // those in front of it are gone
	bytes   int
	account *budget.Account // where they count for the process
}

func (k *kept) empty() bool { return k.len() == 0 }

func (k *kept) len() int { return len(k.list) - k.begun }

// add keeps m, and reports whether there is room for it within limit bytes.
func (k *kept) add(m *message, limit int) bool {
	n := len(m.Payload) + keptOverhead
	if k.bytes+n > limit {
		return false
	}
	k.bytes += n
	k.account.Add(int64(n))
	k.list = append(k.list, m)
	return true
}

// first is the oldest, nil if there is none.
func (k *kept) first() *message {
	if k.empty() {
		return nil
	}
	return k.list[k.begun]
}

// drop takes the oldest out.
func (k *kept) drop() {
	n := len(k.list[k.begun].Payload) + keptOverhead
	k.bytes -= n
	k.account.Add(-int64(n))
	k.list[k.begun] = nil
	if k.begun++; k.empty() {
		k.list, k.begun = nil, 0 // it may have been long
	}
}

// maxNever is how many groups are told apart that messages to nobody were for.
const maxNever = 1 << 16

// never are groups of which messages were sent to no other node, with the last one's place.
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
