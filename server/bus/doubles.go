package bus

import (
	"hash/maphash"

	"github.com/nats-io/nats.go"

	"groupcast/server/bus/wire"
)

// doubles knows the messages that have come by one of two subscriptions and may come by the other
// as well.
//
// Owner: the reader's goroutine.
type doubles struct {
	seed maphash.Seed
	came map[uint64]int // by the wildcard less by single subjects
	// before is what came was until it was full.
	before map[uint64]int
	change uint64 // the last one that was seen
	// left is how many messages are still to be looked at once the change is over.
	left int
	over bool
}

// maxDoubles is how many messages are remembered at least, and twice as many at most. The copies of one
// message come one behind the other, or nearly so.
const maxDoubles = 1 << 15

// endBehind ends it behind n messages more.
func (d *doubles) endBehind(n int) { d.over, d.left = true, n }

// isDouble reports whether m has come by the other subscription, in a change.
func (r *reader) isDouble(m *nats.Msg, change uint64) bool {
	d := &r.doubles
	if d.change != change { // another one has begun: what the last one left may still come
		d.change, d.over = change, false
	}
	if d.over {
		if d.left--; d.left < 0 {
			*d = doubles{}
			r.b.switching.CompareAndSwap(change, 0)
			return false
		}
	}
	by := -1
	switch m.Sub.Subject {
	case r.b.subjects.groups:
		by = 1
	case r.b.subjects.users, r.b.subjects.all, r.b.subjects.many, r.b.subjects.own:
		return false // these come by one
	}
	if d.came == nil {
		d.seed, d.came = maphash.MakeSeed(), make(map[uint64]int)
	}
	key := d.key(m)
	for _, came := range []map[uint64]int{d.came, d.before} {
		n := came[key]
		if n*by >= 0 {
			continue
		}
		// One that came by the other waits for its copy.
		if n += by; n == 0 {
			delete(came, key)
		} else {
			came[key] = n
		}
		r.b.count.Doubles.Add(1)
		return true
	}
	if len(d.came) >= maxDoubles {
		d.before, d.came = d.came, make(map[uint64]int)
	}
	d.came[key] += by
	return false
}

// key is all that the copies of a message have in common.
func (d *doubles) key(m *nats.Msg) uint64 {
	var h maphash.Hash
	h.SetSeed(d.seed)
	_, _ = h.WriteString(m.Subject)
	_ = h.WriteByte(0)
	for _, name := range []string{wire.HeaderOrigin, wire.HeaderExclude, wire.HeaderMode} {
		for _, value := range m.Header[name] {
			_, _ = h.WriteString(value)
		}
		_ = h.WriteByte(0)
	}
	_, _ = h.WriteString(m.Reply)
	_ = h.WriteByte(0)
	_, _ = h.Write(m.Data)
	return h.Sum64()
}
