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
	queue  chan sinkItem
	missed chan struct{} // capacity one: something was dropped, perhaps with nothing behind it
	closed chan struct{}
	once   sync.Once

	maxBytes int64
	bytes    atomic.Int64 // of what is queued
	taken    atomic.Uint64
	dropped  atomic.Uint64

	// Next's own: what it holds back to say first what was missed, and how many
	// dropped messages it has said that of.
	next *message
	told uint64
}

// sinkItem is a message, and how many were dropped before it.
type sinkItem struct {
	m       *message
	dropped uint64
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

// Errors of Next.
var (
	// ErrSinkClosed ends it.
	ErrSinkClosed = errors.New("sink closed")
	// ErrSinkMissed says that messages were dropped here: the next call goes on
	// behind the gap.
	ErrSinkMissed = errors.New("sink missed messages")
)

// NewSink adds a way out. It holds maxMessages and maxBytes at most, both at
// least one; a message counts its frame and what a ring counts beside that. A
// frame that several messages of one publication share is counted by each: any
// of them may be the one that is kept while the others are dropped. Only messages
// ordered after NewSink returns are sure to come.
func (e *Engine) NewSink(name string, maxMessages, maxBytes int) *Sink {
	s := &Sink{
		name:     name,
		engine:   e,
		queue:    make(chan sinkItem, maxMessages),
		missed:   make(chan struct{}, 1),
		closed:   make(chan struct{}),
		maxBytes: int64(maxBytes),
	}
	e.broker.changeSinks(func(list []*Sink) []*Sink { return append(slices.Clone(list), s) })
	return s
}

// Next returns the next message. It waits until ctx ends, or until the sink or
// the engine is closed: then it first returns what is queued, and ErrSinkClosed
// after that. ErrSinkMissed stands where messages were dropped, once for any
// number; it comes even if nothing else ever does.
func (s *Sink) Next(ctx context.Context) (SinkMessage, error) {
	if m := s.next; m != nil {
		s.next = nil
		return s.take(m), nil
	}
	select {
	case one := <-s.queue:
		return s.behind(one)
	default:
	}
	for {
		if n := s.dropped.Load(); n != s.told && len(s.queue) == 0 {
			s.told = n
			return SinkMessage{}, ErrSinkMissed
		}
		select {
		case one := <-s.queue:
			return s.behind(one)
		case <-s.missed: // look again
		case <-ctx.Done():
			return SinkMessage{}, ctx.Err()
		case <-s.closed:
			return s.rest()
		case <-s.engine.stopped:
			return s.rest()
		}
	}
}

// behind returns a message, or first what was missed in front of it.
func (s *Sink) behind(one sinkItem) (SinkMessage, error) {
	if one.dropped != s.told {
		s.told, s.next = one.dropped, one.m
		return SinkMessage{}, ErrSinkMissed
	}
	return s.take(one.m), nil
}

// rest is what Next returns when nothing more is put into the queue.
func (s *Sink) rest() (SinkMessage, error) {
	select {
	case one := <-s.queue:
		return s.behind(one)
	default:
	}
	if s.dropped.Load() != s.told {
		s.told = s.dropped.Load()
		return SinkMessage{}, ErrSinkMissed
	}
	return SinkMessage{}, ErrSinkClosed
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
	if s.bytes.Add(n) <= s.maxBytes {
		select {
		case s.queue <- sinkItem{m, s.dropped.Load()}:
			s.taken.Add(1)
			return
		default:
		}
	}
	s.bytes.Add(-n)
	s.dropped.Add(1)
	select {
	case s.missed <- struct{}{}:
	default:
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
