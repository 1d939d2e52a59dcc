package bus

import (
	"groupcast/loop"
	"groupcast/loop/budget"
)

// message is one as the sink brings it.
type message = loop.SinkMessage

// groupsOf are the groups that m is for: its own, or those of a publication for users as well.
func groupsOf(m *message) []string {
	if m.Group != "" {
		return []string{m.Group}
	}
	return m.Groups
}

// keptOverhead is what a message counts beside its payload and names while it is kept.
const keptOverhead = 256

// keptBytes is what m counts while it is kept: names count too, since a publication for a thousand users
// has more of them than of all else.
func keptBytes(m *message) int {
	const header = 16 // of a string
	n := keptOverhead + len(m.Payload) + len(m.Group)
	for _, names := range [][]string{m.Users, m.Groups, m.ExcludeElsewhere} {
		for _, name := range names {
			n += header + len(name)
		}
	}
	return n
}

// kept are the messages that wait for the bus, oldest first.
//
// Owner: the writer's goroutine.
type kept struct {
	list    []*message
	bytes   int
	account *budget.Account // where they count for the process
}

func (k *kept) empty() bool { return k.len() == 0 }

func (k *kept) len() int { return len(k.list) }

// add keeps m, and reports whether there is room for it within limit bytes.
func (k *kept) add(m *message, limit int) bool {
	n := keptBytes(m)
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
	return k.list[0]
}

// drop takes the oldest out.
func (k *kept) drop() {
	n := keptBytes(k.list[0])
	k.bytes -= n
	k.account.Add(-int64(n))
	k.list[0] = nil
	if k.list = k.list[1:]; k.empty() {
		k.list = nil // it may have been long
	}
}
