package loop

import "bytes"

// chunk is a run of whole frames, the unit that sessions queue. A shared chunk
// is immutable from its first enqueue; a private one belongs to one session,
// which may append replies to it while it waits.
//
// Owner: a message's own chunk is shared by all reactors; any other belongs to
// the reactor that made it.
type chunk struct {
	buf  []byte
	kind chunkKind
	// retained is set on a batch chunk when a session keeps it beyond its
	// batch, so that the batch's end does not reuse it.
	retained bool
}

// chunkKind says who may touch a chunk and when it may be reused.
type chunkKind uint8

const (
	// chunkShared is a message's own frame: never written again, never reused.
	chunkShared chunkKind = iota
	// chunkBatch is what one reactor built for one batch: reused after the
	// batch unless retained.
	chunkBatch
	// chunkPrivate is one session's: replies are appended while it waits, and
	// it is reused after its last byte.
	chunkPrivate
	// chunkSealed is a private chunk that takes no further replies.
	chunkSealed
	// chunkPlain is a sealed chunk that does not consist of frames: an HTTP
	// response.
	chunkPlain
)

// retain notes that a session keeps c beyond its batch. A batch's buffer may be
// much larger than what is in it; what somebody slow holds on to should not be.
func (c *chunk) retain() {
	if c.kind != chunkBatch || c.retained {
		return
	}
	c.retained = true
	if cap(c.buf) > 2*len(c.buf)+512 {
		c.buf = bytes.Clone(c.buf)
	}
}

// chunkPool hands out chunks that only their reactor has seen. It keeps
// maxFreeChunkBytes at most, in chunks of at most maxEach.
//
// Owner: the reactor's goroutine.
type chunkPool struct {
	free  []*chunk
	bytes int // capacity of all that is free

	maxEach int
}

const (
	maxFreeChunks     = 1024
	maxFreeChunkBytes = 1 << 20
	maxFreeReplyBytes = 4 << 10
)

// get returns an empty chunk of the given kind.
func (p *chunkPool) get(kind chunkKind) *chunk {
	if n := len(p.free); n > 0 {
		c := p.free[n-1]
		p.free[n-1] = nil
		p.free = p.free[:n-1]
		p.bytes -= cap(c.buf)
		c.kind = kind
		return c
	}
	return &chunk{kind: kind}
}

// put takes back a chunk that nobody refers to any more.
func (p *chunkPool) put(c *chunk) {
	if len(p.free) >= maxFreeChunks || cap(c.buf) > p.maxEach || p.bytes+cap(c.buf) > maxFreeChunkBytes {
		return
	}
	*c = chunk{buf: c.buf[:0]}
	p.bytes += cap(c.buf)
	p.free = append(p.free, c)
}
