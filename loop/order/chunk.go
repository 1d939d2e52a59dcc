package order

import (
	"bytes"
	"sync/atomic"
)

// Chunk is a run of whole frames, the unit that sessions queue. A shared chunk
// is immutable from its first enqueue; a private one belongs to one session,
// which may append replies to it while it waits.
//
// Owner: a message's own chunk is shared by all reactors; any other belongs to
// the reactor that made it.
type Chunk struct {
	Buf []byte
	// Group, First, Last and Messages say what a chunk of one group's messages
	// holds: how many, and their places in the order. They are zero in others, but for
	// a message to users, which is of no group.
	Group    string
	First    uint64
	span     uint32 // from First to Last
	Messages uint32

	// refs is how many sessions hold the chunk beyond its batch, and count it as memory. Of
	// a private one it is how many of its bytes are counted. Of a shared one it is atomic.
	refs int32
	Kind ChunkKind
	// retained is set on a batch chunk when a session keeps it beyond its
	// batch, so that the batch's end does not reuse it.
	retained bool
	// sharers is how many messages of one publication have the frame of a shared chunk; 0 is
	// one.
	sharers uint16
}

// Last is the place in the order of the last message.
func (c *Chunk) Last() uint64 { return c.First + uint64(c.span) }

// Stamp says which places in the order the messages have.
func (c *Chunk) Stamp(first, last uint64) { c.First, c.span = first, uint32(last-first) }

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

// Overhead is what a ring counts for a message beside its bytes: the struct and
// the two allocations' headers.
const Overhead = 160

// Hold notes that a session keeps c beyond its batch, and returns how many bytes more are
// held now: those of one that others keep already are counted. A batch's buffer may be much
// larger than what is in it; what a slow reader holds on to should not be.
func (c *Chunk) Hold() (more int) {
	switch c.Kind {
	case ChunkShared:
		if atomic.AddInt32(&c.refs, 1) == 1 {
			return c.held()
		}
	case ChunkBatch:
		if !c.retained {
			c.retained = true
			if cap(c.Buf) > 2*len(c.Buf)+512 {
				c.Buf = bytes.Clone(c.Buf)
			}
		}
		if c.refs++; c.refs == 1 {
			return c.held()
		}
	case ChunkPrivate, ChunkSealed, ChunkPlain:
		more = c.held()
		c.refs = int32(more)
	}
	return more
}

// LetGo undoes one Hold, and returns how many bytes fewer are held.
func (c *Chunk) LetGo() (less int) {
	switch c.Kind {
	case ChunkShared:
		if atomic.AddInt32(&c.refs, -1) == 0 {
			return c.held()
		}
	case ChunkBatch:
		if c.refs--; c.refs == 0 {
			return c.held()
		}
	case ChunkPrivate, ChunkSealed, ChunkPlain:
		less = int(c.refs)
		c.refs = 0
	}
	return less
}

// Grew notes that a private chunk has n bytes more, n may be negative, and returns how many
// of them are held.
func (c *Chunk) Grew(n int) (more int) {
	if c.refs == 0 {
		return 0
	}
	c.refs += int32(n)
	return n
}

// held is what the chunk keeps alive.
func (c *Chunk) held() int {
	n := len(c.Buf)
	if c.Kind == ChunkShared {
		n = n/max(1, int(c.sharers)) + len(c.Group)
	}
	return n + Overhead
}

// Retained reports whether a session keeps c beyond its batch.
func (c *Chunk) Retained() bool { return c.retained }
