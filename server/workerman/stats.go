package workerman

import (
	"sync/atomic"

	"groupcast/protocol/workerman"
)

// counters are a Server's since its start, but for the hub's and the bridge's.
type counters struct {
	acceptedConns, refusedConns, acceptErrors atomic.Uint64

	frames, pings     atomic.Uint64
	bytesIn, bytesOut atomic.Uint64
	discarded         atomic.Uint64 // frames that waited for a connection which ended
	messages          [workerman.Types]atomic.Uint64
	bad               [workerman.Reasons]atomic.Uint64
	closed            [closings]atomic.Uint64
}

// Count is a counter with a label, of several that belong together. All of them
// are always there, also those at zero, and in the same order.
type Count struct {
	Label string
	N     uint64
}

// Stats is a snapshot of a Server. Counters count since its start; what has no
// comment is a number of things there are now.
type Stats struct {
	Conns         int
	Peers         int // groupcasts among them
	Channels      int // with subscribers
	Subscriptions int
	Watches       int
	SendBytes     int // that wait for connections
	PartialBytes  int // of frames that are not all there

	Queues         int
	QueuedMessages int
	QueuedBytes    int

	ConnsAccepted uint64
	ConnsRefused  uint64  // over MaxConns
	ConnsClosed   []Count // by why
	AcceptErrors  uint64

	FramesIn          uint64 // pings included
	Pings             uint64
	BytesIn, BytesOut uint64
	Messages          []Count // understood, by type
	Bad               []Count // refused, by reason
	Limited           []Count // channels and queues refused, by limit

	EventsOut       uint64 // handed to a connection
	EventsDropped   uint64 // not handed over: its send buffer was full
	EventsUnheard   uint64 // published to a channel without subscribers
	FramesDiscarded uint64 // waited for a connection that ended

	Enqueued, Dequeued uint64
	QueueDropped       uint64 // not enqueued: a queue, or all together, were full

	Bridge BridgeStats
}

// BridgeStats is a snapshot of the bridge between a Server and the groups.
type BridgeStats struct {
	ToGroups      uint64  // events published to their groups
	ToSubscribers uint64  // messages of groups that a subscriber was handed
	Refused       []Count // events that their groups did not get, by reason ("late": they did)
	Own           uint64  // events that had been here before
	Stripped      uint64  // passed to other groupcasts without their other keys
	TooFar        uint64  // not passed on: came through too many groupcasts

	QueuedMessages, QueuedBytes int    // on the way from the broker
	Dropped                     uint64 // messages that found this way full
}

// Stats returns the server's counters and gauges.
func (s *Server) Stats() Stats {
	st := Stats{
		Peers:           s.node.Peers(),
		PartialBytes:    int(s.partial.Load()),
		ConnsAccepted:   s.count.acceptedConns.Load(),
		ConnsRefused:    s.count.refusedConns.Load(),
		ConnsClosed:     counts(s.count.closed[:], func(i int) string { return closingNames[i] }),
		AcceptErrors:    s.count.acceptErrors.Load(),
		FramesIn:        s.count.frames.Load(),
		Pings:           s.count.pings.Load(),
		BytesIn:         s.count.bytesIn.Load(),
		BytesOut:        s.count.bytesOut.Load(),
		Messages:        counts(s.count.messages[workerman.TypeSubscribe:workerman.TypeEvent], func(i int) string { return (workerman.TypeSubscribe + workerman.Type(i)).String() }),
		Bad:             counts(s.count.bad[:], func(i int) string { return workerman.Reason(i).String() }),
		FramesDiscarded: s.count.discarded.Load(),
	}
	s.mu.Lock()
	st.Conns = len(s.conns)
	for c := range s.conns {
		_, bytes := c.out.waiting()
		st.SendBytes += bytes
	}
	s.mu.Unlock()
	s.hub.addTo(&st)
	if s.bridge != nil {
		st.Bridge = s.bridge.stats()
	}
	return st
}

func counts(values []atomic.Uint64, label func(int) string) []Count {
	list := make([]Count, len(values))
	for i := range values {
		list[i] = Count{label(i), values[i].Load()}
	}
	return list
}

// addTo fills in what the hub knows.
func (h *hub) addTo(st *Stats) {
	h.mu.Lock()
	defer h.mu.Unlock()
	st.Channels = len(h.topics)
	st.Subscriptions = h.subscriptions
	st.Watches = h.watches
	st.Queues = len(h.queues)
	st.QueuedMessages = h.queued
	st.QueuedBytes = h.queuedBytes
	st.EventsOut = h.count.events
	st.EventsDropped = h.count.dropped
	st.EventsUnheard = h.count.unheard
	st.Enqueued = h.count.enqueued
	st.Dequeued = h.count.dequeued
	st.QueueDropped = h.count.overflowed
	for i, n := range h.count.limited {
		st.Limited = append(st.Limited, Count{limitNames[i], n})
	}
}

func (b *bridge) stats() BridgeStats {
	sink := b.sink.Stats()
	return BridgeStats{
		ToGroups:       b.toGroups.Load(),
		ToSubscribers:  b.fromSink.Load(),
		Refused:        counts(b.refused[:], func(i int) string { return refusalNames[i] }),
		Own:            b.own.Load(),
		Stripped:       b.stripped.Load(),
		TooFar:         b.far.Load(),
		QueuedMessages: sink.QueuedMessages,
		QueuedBytes:    sink.QueuedBytes,
		Dropped:        sink.Dropped,
	}
}
