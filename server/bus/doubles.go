package bus

import (
	"hash/maphash"

	"github.com/nats-io/nats.go"
)

// doubles knows the messages that have come by one of two subscriptions and may come by the other
// as well.
//
// Owner: the reader's goroutine.
type doubles struct {
	seed maphash.Seed
	came map[uint64]int // by the wildcard less by single subjects
	// left is how many messages are still to be looked at once the change is over; -1: it is not.
	left int
	over bool
}

// maxDoubles is how many messages are remembered. The copies of one message come one behind the
// other, or nearly so.
const maxDoubles = 1 << 16

// endBehind ends it behind n messages more.
func (d *doubles) endBehind(n int) { d.over, d.left = true, n }

// isDouble reports whether m has come by the other subscription.
func (r *reader) isDouble(m *nats.Msg) bool {
	d := &r.doubles
	if d.over {
		if d.left--; d.left < 0 {
			*d = doubles{}
			r.b.switching.Store(false)
			return false
		}
	}
	if d.came == nil {
		d.seed, d.came = maphash.MakeSeed(), make(map[uint64]int)
	}
	if m.Sub.Subject != r.b.subjects.groups && m.Subject != m.Sub.Subject {
		return false // users and all else come by one
	}
	var h maphash.Hash
	h.SetSeed(d.seed)
	_, _ = h.WriteString(m.Subject)
	for _, name := range []string{"Groupcast-Origin", "Groupcast-Exclude", "Groupcast-Mode"} {
		_, _ = h.WriteString(m.Header.Get(name))
		_ = h.WriteByte(0)
	}
	_, _ = h.WriteString(m.Reply)
	_ = h.WriteByte(0)
	_, _ = h.Write(m.Data)
	key := h.Sum64()
	by := 1
	if m.Sub.Subject != r.b.subjects.groups {
		by = -1
	}
	n := d.came[key]
	if n*by < 0 { // one that came by the other waits for its copy
		if n += by; n == 0 {
			delete(d.came, key)
		} else {
			d.came[key] = n
		}
		r.b.count.Doubles.Add(1)
		return true
	}
	if len(d.came) >= maxDoubles {
		clear(d.came)
	}
	d.came[key] = n + by
	return false
}
