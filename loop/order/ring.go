package order

import "sync/atomic"

// cacheLine keeps the producer's and the consumer's fields apart: two lines,
// since the prefetcher of current x86 pulls them in pairs.
const cacheLine = 128

// ring is a bounded queue of messages between one producer goroutine and one
// consumer goroutine. It is bounded in slots and in bytes and never waits:
// a refused push is the caller's to handle (see the rules in doc.go).
//
// Owner: the producer calls push and room, the consumer calls pop, release
// and empty. len may be called from anywhere.
//
// Positions only grow; position i lives in slot i & mask. Each side works on
// plain fields of its own and looks at the other side's published position
// only when its cached copy says full or empty. Go's atomics are sequentially
// consistent, which is what the wake-up protocol in wake.go rests on.
type ring struct {
	slots    []*Message
	mask     uint64
	maxBytes uint64

	_ [cacheLine]byte

	// Written by the producer.
	tail      atomic.Uint64 // published position behind the last item
	nextTail  uint64        // the producer's own copy of tail
	bytesIn   uint64        // bytes pushed ever
	seenHead  uint64        // cached head
	seenBytes uint64        // cached bytesOut
	toldBytes atomic.Uint64 // bytesIn, told now and then; see held
	nextTold  uint64        // bytesIn at which it is told again

	_ [cacheLine]byte

	// Written by the consumer.
	head      atomic.Uint64 // published position of the first item still held
	bytesOut  atomic.Uint64 // bytes released ever
	nextHead  uint64        // position of the next item to pop
	nextBytes uint64        // bytes popped ever
	seenTail  uint64        // cached tail

	_ [cacheLine]byte
}

// newRing makes a ring of slots items (a power of two) and maxBytes bytes.
func newRing(slots, maxBytes int) *ring {
	return &ring{slots: make([]*Message, slots), mask: uint64(slots - 1), maxBytes: uint64(maxBytes)}
}

// push appends m and publishes it; false means the ring is full in slots or
// bytes and nothing happened.
func (q *ring) push(m *Message) bool {
	size := uint64(m.Size())
	if !q.room(size) {
		return false
	}
	q.slots[q.nextTail&q.mask] = m
	q.nextTail++
	q.bytesIn += size
	if q.bytesIn >= q.nextTold {
		q.toldBytes.Store(q.bytesIn)
		q.nextTold = q.bytesIn + tellBytes
	}
	q.tail.Store(q.nextTail)
	return true
}

// room says whether an item of size bytes would be taken now.
func (q *ring) room(size uint64) bool {
	if q.nextTail-q.seenHead < uint64(len(q.slots)) && q.bytesIn-q.seenBytes+size <= q.maxBytes {
		return true
	}
	// bytesOut is published before head, so that a head seen here never has
	// bytes that are not counted yet.
	q.seenHead = q.head.Load()
	q.seenBytes = q.bytesOut.Load()
	return q.nextTail-q.seenHead < uint64(len(q.slots)) && q.bytesIn-q.seenBytes+size <= q.maxBytes
}

// pop takes the next item, nil if there is none. Its slot is cleared for the
// garbage collector, and handed back to the producer by release.
func (q *ring) pop() *Message {
	if q.nextHead == q.seenTail {
		q.seenTail = q.tail.Load()
		if q.nextHead == q.seenTail {
			return nil
		}
	}
	at := q.nextHead & q.mask
	m := q.slots[at]
	q.slots[at] = nil
	q.nextHead++
	q.nextBytes += uint64(m.Size())
	return m
}

// peek is the item that pop would take, nil if there is none. It stays in the ring.
func (q *ring) peek() *Message {
	if q.nextHead == q.seenTail {
		q.seenTail = q.tail.Load()
		if q.nextHead == q.seenTail {
			return nil
		}
	}
	return q.slots[q.nextHead&q.mask]
}

// release publishes the slots and bytes of all popped items to the producer
// and says whether there were any.
func (q *ring) release() bool {
	if q.head.Load() == q.nextHead {
		return false
	}
	q.bytesOut.Store(q.nextBytes)
	q.head.Store(q.nextHead)
	return true
}

// empty says whether the consumer has taken everything that is published.
func (q *ring) empty() bool {
	return q.nextHead == q.tail.Load()
}

// len is how many items are held, popped but unreleased ones included.
func (q *ring) len() int {
	head := q.head.Load() // first: the tail read after it is never behind it
	return int(q.tail.Load() - head)
}

// tellBytes is how many bytes may be in a ring that held does not know of.
const tellBytes = 64 << 10

// held is how many bytes are in the ring, or up to tellBytes fewer. For any goroutine.
func (q *ring) held() int64 {
	out := q.bytesOut.Load() // first: what is told after it is never behind it by more than that
	return max(0, int64(q.toldBytes.Load()-out))
}
