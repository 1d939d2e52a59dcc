package loop

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// Sink is a way out of the broker for a goroutine outside the loops: a bridge
// to another protocol, a bus to other machines. It gets every message that the
// broker orders, in that order. Its queue is bounded and its own: what finds it
// full is dropped for this sink and counted, since only reactors may make the
// broker wait (rule R6).
//
// Next is for one goroutine; the other methods are for any.
type Sink struct {
	name   string
	engine *Engine
	queue  chan *message
	closed chan struct{}
	once   sync.Once

	maxBytes int64
	bytes    atomic.Int64 // of what is queued
	taken    atomic.Uint64
	dropped  atomic.Uint64
}

// SinkMessage is one message as a sink gets it.
type SinkMessage struct {
	Order   uint64
	Group   string
	Payload []byte // shared with everybody: read only
	IsText  bool   // Payload is a string's characters, else a JSON value's text
	From    *Sink  // the sink whose owner published it, nil otherwise
	Tag     any    // the publication's own
}

// SinkStats is a snapshot of a Sink.
type SinkStats struct {
	Name           string
	QueuedMessages int
	QueuedBytes    int
	Taken          uint64 // messages queued since the start
	Dropped        uint64 // messages that found the queue full
}

// ErrSinkClosed ends Next.
var ErrSinkClosed = errors.New("sink closed")

// NewSink adds a way out. It holds maxMessages and maxBytes at most, both at
// least one; a message counts its frame and what a ring counts beside that. A
// frame that several messages of one publication share is counted by each: any
// of them may be the one that is kept while the others are dropped. Only messages
// ordered after NewSink returns are sure to come.
func (e *Engine) NewSink(name string, maxMessages, maxBytes int) *Sink {
	s := &Sink{
		name:     name,
		engine:   e,
		queue:    make(chan *message, maxMessages),
		closed:   make(chan struct{}),
		maxBytes: int64(maxBytes),
	}
	e.broker.changeSinks(func(list []*Sink) []*Sink { return append(slices.Clone(list), s) })
	return s
}

// Next returns the next message. It waits until ctx ends, or until the sink or
// the engine is closed: then it first returns what is queued, and ErrSinkClosed
// after that.
func (s *Sink) Next(ctx context.Context) (SinkMessage, error) {
	select {
	case m := <-s.queue:
		return s.take(m), nil
	default:
	}
	select {
	case m := <-s.queue:
		return s.take(m), nil
	case <-ctx.Done():
		return SinkMessage{}, ctx.Err()
	case <-s.closed:
	case <-s.engine.stopped:
	}
	select {
	case m := <-s.queue:
		return s.take(m), nil
	default:
		return SinkMessage{}, ErrSinkClosed
	}
}

func (s *Sink) take(m *message) SinkMessage {
	s.bytes.Add(-int64(m.held()))
	out := SinkMessage{Order: m.order, Group: m.group, Payload: m.payload, IsText: m.isText}
	if m.outside != nil {
		out.From, out.Tag = m.outside.from, m.outside.tag
	}
	return out
}

// offer is the broker's: it never waits.
func (s *Sink) offer(m *message) {
	n := int64(m.held())
	if s.bytes.Add(n) > s.maxBytes {
		s.bytes.Add(-n)
		s.dropped.Add(1)
		return
	}
	select {
	case s.queue <- m:
		s.taken.Add(1)
	default:
		s.bytes.Add(-n)
		s.dropped.Add(1)
	}
}

// Close takes the sink out of the broker; Next returns what is queued and ends.
func (s *Sink) Close() {
	s.once.Do(func() {
		s.engine.broker.changeSinks(func(list []*Sink) []*Sink {
			return slices.DeleteFunc(slices.Clone(list), func(other *Sink) bool { return other == s })
		})
		close(s.closed)
	})
}

// Stats returns the sink's counters and gauges.
func (s *Sink) Stats() SinkStats {
	return SinkStats{
		Name:           s.name,
		QueuedMessages: len(s.queue),
		QueuedBytes:    int(s.bytes.Load()),
		Taken:          s.taken.Load(),
		Dropped:        s.dropped.Load(),
	}
}

// changeSinks replaces the list that the broker reads.
func (b *broker) changeSinks(change func([]*Sink) []*Sink) {
	b.sinksMu.Lock()
	defer b.sinksMu.Unlock()
	list := change(*b.sinks.Load())
	b.sinks.Store(&list)
}
