package reactor

import "groupcast/loop/order"

// chunkPool hands out chunks that only their reactor has seen. It keeps
// maxFreeChunkBytes at most, in chunks of at most maxEach.
//
// Owner: the reactor's goroutine.
type chunkPool struct {
	free  []*order.Chunk
	bytes int // capacity of all that is free

	maxEach int
}

const (
	maxFreeChunks     = 1024
	maxFreeChunkBytes = 1 << 20
	maxFreeReplyBytes = 4 << 10
)

// get returns an empty chunk of the given kind.
func (p *chunkPool) get(kind order.ChunkKind) *order.Chunk {
	if n := len(p.free); n > 0 {
		c := p.free[n-1]
		p.free[n-1] = nil
		p.free = p.free[:n-1]
		p.bytes -= cap(c.Buf)
		c.Kind = kind
		return c
	}
	return &order.Chunk{Kind: kind}
}

// put takes back a chunk that nobody refers to any more.
func (p *chunkPool) put(c *order.Chunk) {
	if len(p.free) >= maxFreeChunks || cap(c.Buf) > p.maxEach || p.bytes+cap(c.Buf) > maxFreeChunkBytes {
		return
	}
	*c = order.Chunk{Buf: c.Buf[:0]}
	p.bytes += cap(c.Buf)
	p.free = append(p.free, c)
}
