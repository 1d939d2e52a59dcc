package reactor

import "groupcast/loop/order"

// outQueue is what stands behind a session's next chunk. A session has one
// only while two or more chunks wait, and it comes from its reactor's pool.
type outQueue struct {
	chunks []*order.Chunk
	head   int32
	held   int32 // of rest, from its front: those that the session holds; see holdRest
}

// rest is what has not been taken.
func (q *outQueue) rest() []*order.Chunk { return q.chunks[q.head:] }

// take takes the first chunk, which there is.
func (q *outQueue) take() *order.Chunk {
	c := q.chunks[q.head]
	q.chunks[q.head] = nil
	q.head++
	if q.head >= 64 && int(q.head)*2 >= len(q.chunks) {
		// A reader that is slow but alive never empties its queue: move it to
		// the front now and then, or it would grow for ever.
		n := copy(q.chunks, q.chunks[q.head:])
		clear(q.chunks[n:])
		q.chunks, q.head = q.chunks[:n], 0
	}
	return c
}
