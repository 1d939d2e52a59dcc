package order

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// Sink is a way out of the broker for a goroutine outside the loops: a bridge
// to another protocol, a bus to other machines. It gets the messages that the
// broker orders, in that order. Its queue is bounded and its own: what finds it
// full is dropped for this sink and counted, since only event loops may make the
// broker wait (rule R6). Which messages it gets is data, never a call from the
// broker into another package's code.
//
// Next is for one goroutine; the other methods are for any.
type Sink struct {
	opt     SinkOptions
	epoch   Epoch // of the order that it is a way out of
	queue   chan sinkItem
	news    chan struct{} // capacity one: something to say, perhaps with nothing behind it in the queue
	closed  chan struct{}
	stopped <-chan struct{} // the engine ends
	groups  atomic.Pointer[map[string]struct{}]
	leave   func() // takes the sink out of the broker
	once    sync.Once

	bytes   atomic.Int64 // of what is queued
	taken   atomic.Uint64
	dropped atomic.Uint64
	missed  missed
	// barrier is set once a drain's barrier has come: behind all that is in the queue or
	// was dropped. It is no item of the queue, which may be full.
	barrier atomic.Bool

	// Next's own: what it holds back to say first what was missed, how many dropped
	// messages it has said that of, and whether it has said that the barrier came.
	next        *Message
	told        uint64
	saidDrained bool
}

// SinkOptions are what a sink is, and what it gets.
type SinkOptions struct {
	Name string
	// MaxMessages and MaxBytes bound what is queued; both are at least one. A
	// message counts its frame and what a ring counts beside that. A frame that
	// several messages of one publication share is counted by each: any of them
	// may be the one that is kept while the others are dropped.
	MaxMessages, MaxBytes int
	// Users has publications to users come as well: with the messages to their groups, which
	// are Joint, or without any, one message to the users, as the last.
	Users bool
	// NameMissed has Missed say which groups' messages were dropped.
	NameMissed bool
	// SkipOwn leaves out what the sink's owner has published with From.
	SkipOwn bool
	// SayDrained has Next return ErrSinkDrained, once, where a drain's barrier stands.
	SayDrained bool
}

// sinkItem is a message, and how many were dropped before it.
type sinkItem struct {
	m       *Message
	dropped uint64
}

// SinkMessage is one message as a sink gets it.
type SinkMessage struct {
	Epoch   Epoch // Epoch and Order name the message, for ever
	Order   uint64
	Group   string // "": it is for Users
	Payload []byte // shared with everybody: read only
	IsText  bool   // Payload is a string's characters, else a JSON value's text
	From    *Sink  // the sink whose owner published it, nil otherwise
	Tag     any    // the publication's own

	Origin      SessionID   // the session that sent it, zero if it came from outside
	ExcludeSelf bool        // Origin does not get it
	Exclude     []SessionID // nor do these; read only
	// ExcludeElsewhere are texts that name sessions of other nodes, which do not get it either;
	// read only.
	ExcludeElsewhere []string

	// Joint says of a message to a group that its publication is for users as well: theirs
	// comes behind those to its groups, to sinks that have asked for it.
	Joint bool
	// Users are all users of a publication, each once, in the message to them, and Groups all
	// its groups, as often and in the order that it names them; nil: it has none. Whoever is a
	// member of one gets the publication once, as such. Both are read only.
	Users, Groups []string
}

// SinkStats is a snapshot of a Sink.
type SinkStats struct {
	Name           string `label:"sink"`
	QueuedMessages int    `metric:"sink_queued_messages{sink}" help:"Messages waiting for a bridge."`
	QueuedBytes    int    `metric:"sink_queued_bytes{sink}" help:"Bytes waiting for a bridge."`
	Taken          uint64 `metric:"sink_messages_total{sink}" help:"Messages queued for a bridge."`
	Dropped        uint64 `metric:"sink_dropped_messages_total{sink}" help:"Messages that a bridge did not get because its queue was full."`
}

// Errors of Next.
var (
	// ErrSinkClosed ends it.
	ErrSinkClosed = errors.New("sink closed")
	// ErrSinkMissed says that messages were dropped here: the next call goes on
	// behind the gap.
	ErrSinkMissed = errors.New("sink missed messages")
	// ErrSinkDrained says that the engine drains, and that all it had accepted before has
	// been returned. Nothing comes behind it but ErrSinkClosed.
	ErrSinkDrained = errors.New("sink drained")
)

func newSink(o SinkOptions, epoch Epoch, stopped <-chan struct{}) *Sink {
	return &Sink{
		opt:     o,
		epoch:   epoch,
		queue:   make(chan sinkItem, o.MaxMessages),
		news:    make(chan struct{}, 1),
		closed:  make(chan struct{}),
		stopped: stopped,
	}
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
		if err := s.behindAll(); err != nil {
			return SinkMessage{}, err
		}
		select {
		case one := <-s.queue:
			return s.behind(one)
		case <-s.news: // look again
		case <-ctx.Done():
			return SinkMessage{}, ctx.Err()
		case <-s.closed:
			return s.rest()
		case <-s.stopped:
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
	return SinkMessage{}, cmp.Or(s.behindAll(), ErrSinkClosed)
}

// behindAll is what stands behind all that is queued, if there is nothing: that messages
// were dropped, or the barrier. It is said once.
func (s *Sink) behindAll() error {
	barrier := s.barrier.Load() // first: then all in front of it can be seen
	n := s.dropped.Load()
	switch {
	case len(s.queue) > 0:
		return nil
	case n != s.told:
		s.told = n
		return ErrSinkMissed
	case barrier && s.opt.SayDrained && !s.saidDrained:
		s.saidDrained = true
		return ErrSinkDrained
	}
	return nil
}

func (s *Sink) take(m *Message) SinkMessage {
	s.bytes.Add(-int64(m.held()))
	out := SinkMessage{
		Epoch: s.epoch, Order: m.Order(), Group: m.Group(), Payload: m.Payload(), IsText: m.IsText,
		Origin: m.Origin, ExcludeSelf: m.ExcludeSelf,
	}
	if o := m.Outside; o != nil {
		out.From, out.Tag, out.Exclude, out.ExcludeElsewhere = o.From, o.Tag, o.Exclude, o.ExcludeElsewhere
		if m.Kind == KindUsers {
			out.Users, out.Groups = o.Users, o.Groups
		} else {
			out.Joint = m.Names()
		}
	}
	return out
}

// Choose restricts the sink to messages for these groups; nil is all of them, as at the
// start. A message to users is for none of them: it passes only with nil. It holds for
// what is ordered from some moment on; the caller must not change groups afterwards.
func (s *Sink) Choose(groups map[string]struct{}) {
	if groups == nil {
		s.groups.Store(nil)
		return
	}
	s.groups.Store(&groups)
}

// offer is the broker's: it never waits.
func (s *Sink) offer(m *Message) {
	if m.Kind == KindUsers && !s.opt.Users {
		return
	}
	if s.opt.SkipOwn && m.Outside != nil && m.Outside.From == s {
		return
	}
	if groups := s.groups.Load(); groups != nil {
		if _, chosen := (*groups)[m.Group()]; !chosen || m.Kind == KindUsers {
			return
		}
	}
	n := int64(m.held())
	if s.bytes.Add(n) <= int64(s.opt.MaxBytes) {
		select {
		case s.queue <- sinkItem{m, s.dropped.Load()}:
			s.taken.Add(1)
			return
		default:
		}
	}
	s.bytes.Add(-n)
	if s.opt.NameMissed {
		s.missed.note(m) // before it is told, so that who is told finds it
	}
	s.dropped.Add(1)
	s.tell()
}

// Missed returns the groups of which messages were dropped for the sink since the last call,
// in no order: where SinkOptions.NameMissed asks for that. A message to users counts for all
// groups of its publication; one that has none names nobody. With all there were more than
// MaxMissedGroups, and groups is nil.
//
// Called when Next has said ErrSinkMissed, it has at least the groups of what is missing
// there, and may have those of messages that were dropped later: of these there is nothing to
// say any more when Next comes to them. For any goroutine; the broker never waits for it.
func (s *Sink) Missed() (groups []string, all bool) {
	names, all := s.missed.take()
	for name := range names {
		groups = append(groups, name)
	}
	return groups, all
}

// drain is the broker's: nothing is offered any more.
func (s *Sink) drain() {
	s.barrier.Store(true)
	s.tell()
}

// tell has a Next that waits look again.
func (s *Sink) tell() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// Close takes the sink out of the broker; Next returns what is queued and ends.
func (s *Sink) Close() {
	s.once.Do(func() {
		s.leave()
		close(s.closed)
	})
}

// Stats returns the sink's counters and gauges.
func (s *Sink) Stats() SinkStats {
	return SinkStats{
		Name:           s.opt.Name,
		QueuedMessages: len(s.queue),
		QueuedBytes:    int(s.bytes.Load()),
		Taken:          s.taken.Load(),
		Dropped:        s.dropped.Load(),
	}
}
