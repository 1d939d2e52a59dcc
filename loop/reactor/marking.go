package reactor

import (
	"github.com/gobwas/ws"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// How sessions are handed messages: who is left out, the encodings, the references.

// exclude notes who may not get m. Only sessions of this reactor are looked for.
func (r *Reactor) exclude(m *order.Message) {
	if m.ExcludeSelf {
		r.excludeOne(m.Origin)
	}
	if m.Outside != nil {
		for _, id := range m.Outside.Exclude {
			r.excludeOne(id)
		}
	}
}

func (r *Reactor) excludeOne(id order.SessionID) {
	if s := r.session(id); s != nil && !s.is(flagExcluded) {
		s.set(flagExcluded)
		r.batch.excluded = append(r.batch.excluded, s)
	}
}

func (r *Reactor) includeAgain() {
	for i, s := range r.batch.excluded {
		s.clear(flagExcluded)
		r.batch.excluded[i] = nil
	}
	r.batch.excluded = r.batch.excluded[:0]
}

// mark hands a reference to every member and lists it for the flush.
func (r *Reactor) mark(list []member, c *order.Chunk) {
	n := uint64(len(list))
	if len(r.batch.excluded) == 0 {
		for i := range list {
			list[i].s.enqueue(c)
		}
	} else {
		for i := range list {
			if s := list[i].s; !s.is(flagExcluded) {
				s.enqueue(c)
			} else {
				n--
			}
		}
	}
	r.stats.Marks += n
	r.stats.Deliveries += n * uint64(len(r.batch.run))
}

// encode returns the run as members with that encoding are sent it. Each is built once
// a run at most, and only where a member wants it.
func (r *Reactor) encode(e encodingID, run []*order.Message) *order.Chunk {
	if appendText := e.of().appendText; appendText != nil {
		return r.builtChunk(run, r.batch.lens[e], appendText)
	}
	return r.ownChunk(run)
}

// ownChunk is the run's own frames in one chunk: that of a single message, or a copy
// of all of them.
func (r *Reactor) ownChunk(run []*order.Message) *order.Chunk {
	if len(run) == 1 {
		return &run[0].Frame
	}
	r.stats.Coalesced += uint64(len(run))
	c := r.batchChunk(run)
	for _, m := range run {
		c.Buf = append(c.Buf, m.Frame.Buf...)
	}
	return c
}

// builtChunk is the run in frames that are built here; lens are how long their texts are.
func (r *Reactor) builtChunk(
	run []*order.Message, lens []int, appendText func([]byte, *order.Message) []byte,
) *order.Chunk {
	c := r.batchChunk(run)
	for i, m := range run {
		c.Buf = protocol.AppendHeader(c.Buf, ws.OpText, lens[i])
		c.Buf = appendText(c.Buf, m)
	}
	return c
}

// batchChunk is an empty chunk for the messages of run.
func (r *Reactor) batchChunk(run []*order.Message) *order.Chunk {
	c := r.chunks.get(order.ChunkBatch)
	c.Group, c.Messages = run[0].Group(), uint32(len(run))
	c.Stamp(run[0].Order(), run[len(run)-1].Order())
	r.batch.chunks = append(r.batch.chunks, c)
	return c
}
