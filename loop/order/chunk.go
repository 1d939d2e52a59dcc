package order

import "bytes"

// Chunk is a run of whole frames, the unit that sessions queue. A shared chunk
// is immutable from its first enqueue; a private one belongs to one session,
// which may append replies to it while it waits.
//
// Owner: a message's own chunk is shared by all reactors; any other belongs to
// the reactor that made it.
type Chunk struct {
	Buf []byte
	// Group, First, Last and Messages say what a chunk of one group's messages
	// holds: how many, and their places in the order. They are zero in others.
	Group       string
	First, Last uint64
	Messages    uint32

	Kind ChunkKind
	// retained is set on a batch chunk when a session keeps it beyond its
	// batch, so that the batch's end does not reuse it.
	retained bool
}

// ChunkKind says who may touch a chunk and when it may be reused.
type ChunkKind uint8

const (
	// ChunkShared is a message's own frame: never written again, never reused.
	ChunkShared ChunkKind = iota
	// ChunkBatch is what one reactor built for one batch: reused after the
	// batch unless retained.
	ChunkBatch
	// ChunkPrivate is one session's: replies are appended while it waits, and
	// it is reused after its last byte.
	ChunkPrivate
	// ChunkSealed is a private chunk that takes no further replies.
	ChunkSealed
	// ChunkPlain is a sealed chunk that does not consist of frames: an HTTP
	// response.
	ChunkPlain
)

// Retain notes that a session keeps c beyond its batch. A batch's buffer may be
// much larger than what is in it; what a slow reader holds on to should not be.
func (c *Chunk) Retain() {
	if c.Kind != ChunkBatch || c.retained {
		return
	}
	c.retained = true
	if cap(c.Buf) > 2*len(c.Buf)+512 {
		c.Buf = bytes.Clone(c.Buf)
	}
}

// Retained reports whether a session keeps c beyond its batch.
func (c *Chunk) Retained() bool { return c.retained }
