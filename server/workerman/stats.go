package workerman

import (
	"iter"
	"sync/atomic"
	"time"

	"groupcast/protocol/workerman"
)

// What is counted here, since the start, and gauges. A field's tag is all there is to
// say about it; package server/metrics tells what the keys mean.

// Stats is how a Server is doing.
type Stats struct {
	*Counters
	HubCounters

	Conns          int `metric:"channel_connections" help:"Connections to the Channel server."`
	Peers          int `metric:"channel_peers" help:"Of these, other groupcasts."`
	Channels       int `metric:"channel_channels" help:"Channels with subscribers."`
	Subscriptions  int `metric:"channel_subscriptions" help:"Subscriptions of all connections."`
	Watches        int `metric:"channel_watches" help:"Queues watched, counted for each connection."`
	SendBytes      int `metric:"channel_send_queue_bytes" help:"Bytes waiting for connections, each once however many it waits for."`
	PartialBytes   int `metric:"channel_partial_frame_bytes" help:"Bytes of frames that are not all there."`
	Queues         int `metric:"channel_queues" help:"Queues."`
	QueuedMessages int `metric:"channel_queued_messages" help:"Messages in queues."`
	QueuedBytes    int `metric:"channel_queued_bytes" help:"Bytes in queues."`
	// Written or waiting, and not taken when the server ended.
	BytesUndelivered uint64 `metric:"channel_undelivered_bytes_total" help:"Bytes written or waiting that connections had not taken when the server ended."`

	Bridge BridgeStats
}

// Counters are those of a Server that count on while they are read.
type Counters struct {
	ConnsAccepted   atomic.Uint64 `metric:"channel_connections_accepted_total" help:"Connections accepted."`
	ConnsRefused    atomic.Uint64 `metric:"channel_connections_refused_total" help:"Connections refused by their limit."`
	ConnsClosed     closedCounts  `metric:"channel_connections_closed_total{cause}" help:"Connections gone."`
	AcceptErrors    atomic.Uint64 `metric:"channel_accept_errors_total" help:"Connections that failed to be accepted."`
	FramesIn        atomic.Uint64 `metric:"channel_frames_received_total" help:"Frames received, pings included."`
	Pings           atomic.Uint64 `metric:"channel_pings_received_total" help:"Pings received."`
	Messages        typeCounts    `metric:"channel_messages_received_total{type}" help:"Messages understood."`
	Bad             reasonCounts  `metric:"channel_bad_frames_total{reason}" help:"Frames that were not understood, or are not allowed."`
	BytesIn         atomic.Uint64 `metric:"channel_received_bytes_total" help:"Bytes received."`
	BytesOut        atomic.Uint64 `metric:"channel_sent_bytes_total" help:"Bytes sent."`
	FramesDiscarded atomic.Uint64 `metric:"channel_frames_discarded_total" help:"Frames that waited for a connection that ended."`
}

// HubCounters are what the hub counts.
type HubCounters struct {
	Limited       limitCounts `metric:"channel_limit_hits_total{limit}" help:"Times that one of the Channel server's limits was reached."`
	EventsOut     uint64      `metric:"channel_events_sent_total" help:"Events handed to a connection."`
	EventsDropped uint64      `metric:"channel_events_dropped_total" help:"Events not handed over because a connection's send buffer was full."`
	EventsUnheard uint64      `metric:"channel_events_unheard_total" help:"Events published to a channel without subscribers."`
	Enqueued      uint64      `metric:"channel_enqueued_messages_total" help:"Messages put into queues."`
	Dequeued      uint64      `metric:"channel_dequeued_messages_total" help:"Messages taken from queues."`
	// A queue, or all together, were full.
	QueueDropped uint64     `metric:"channel_queue_dropped_messages_total" help:"Messages that found their queue full."`
	QueueLost    lossCounts `metric:"channel_queue_lost_messages_total{cause}" help:"Messages thrown away after they were put into a queue: aged, crowded (another had to have room), or purged."`
}

// BridgeStats is how the bridge between a Server and the groups is doing.
type BridgeStats struct {
	*BridgeCounters

	QueuedMessages int    `metric:"channel_bridge_queued_messages" help:"Messages on their way from the broker to subscribers."`
	QueuedBytes    int    `metric:"channel_bridge_queued_bytes" help:"Bytes on their way from the broker to subscribers."`
	Dropped        uint64 `metric:"channel_bridge_dropped_messages_total" help:"Messages that found this way full."`
}

// BridgeCounters are those of a bridge that count on while they are read.
type BridgeCounters struct {
	ToGroups      atomic.Uint64 `metric:"channel_bridged_messages_total{direction=to_groups}" help:"Messages passed between Channel and the groups: to_groups, or to_subscribers."`
	ToSubscribers atomic.Uint64 `metric:"channel_bridged_messages_total{direction=to_subscribers}"`
	// "late" are those that their groups did get.
	Refused  refusalCounts `metric:"channel_bridge_refused_total{reason}" help:"Events that their groups did not get."`
	Own      atomic.Uint64 `metric:"channel_bridge_returned_total" help:"Events that had been here before."`
	Stripped atomic.Uint64 `metric:"channel_bridge_stripped_total" help:"Events passed to other groupcasts without their other keys."`
	TooFar   atomic.Uint64 `metric:"channel_bridge_too_far_total" help:"Events that came through too many servers."`
}

// Status is how a Client is doing.
type Status struct {
	*ClientCounters

	Address   string
	Connected bool `metric:"channel_join_connected" help:"1 while there is a connection to the Channel server that was joined."`
	// Since is when it was connected, or was not any more.
	Since      time.Time `metric:"channel_join_state_seconds" help:"Time since that connection was made or lost."`
	Attempts   uint64    `metric:"-"` // to connect
	Reconnects uint64    `metric:"channel_join_reconnects_total" help:"Times that it was made again."`
	LastError  string    // why it is away; empty while it is connected

	SendBytes int `metric:"-"` // that wait for the server
	// Both are told of its sink.
	QueuedMessages int    `metric:"-"`
	QueuedBytes    int    `metric:"-"`
	Dropped        uint64 `metric:"channel_join_dropped_messages_total" help:"Messages that found the way from the broker to it full."`
}

// ClientCounters are those of a Client that count on while they are read.
type ClientCounters struct {
	Forwarded atomic.Uint64 `metric:"channel_join_messages_total{direction=forwarded}" help:"Messages passed over it: forwarded to it, received from it, or not_forwarded."`
	// The server was away, or did not read fast enough.
	NotForwarded atomic.Uint64 `metric:"channel_join_messages_total{direction=not_forwarded}"`
	Received     atomic.Uint64 `metric:"channel_join_messages_total{direction=received}"`
	// "late" are those that their groups did get.
	Refused refusalCounts `metric:"channel_join_refused_total{reason}" help:"Events from it that their groups did not get."`
	Bad     reasonCounts  `metric:"channel_join_bad_frames_total{reason}" help:"What it sent and was not understood."`
	Own     atomic.Uint64 `metric:"channel_join_returned_total{cause=own}" help:"Events from it that had been here before: our own, or those that come twice."`
	// Our own Server was sent them as well.
	Twice    atomic.Uint64 `metric:"channel_join_returned_total{cause=twice}"`
	Stripped atomic.Uint64 `metric:"channel_join_stripped_total" help:"Messages forwarded to it without their other keys."`
	TooFar   atomic.Uint64 `metric:"channel_join_too_far_total" help:"Messages not forwarded to it: they came through too many servers."`
	BytesIn  atomic.Uint64 `metric:"-"`
	BytesOut atomic.Uint64 `metric:"-"`
	// Written, and not taken by the server when this one left.
	BytesUndelivered atomic.Uint64 `metric:"channel_join_undelivered_bytes_total" help:"Bytes written to it that it had not taken when this server left."`
}

// Counters that belong together, by their label. All of them are always there, also
// those at zero, and in the same order.
type (
	typeCounts    [workerman.Types]atomic.Uint64
	reasonCounts  [workerman.Reasons]atomic.Uint64
	closedCounts  [closings]atomic.Uint64
	refusalCounts [refusals]atomic.Uint64
	limitCounts   [limits]uint64
	lossCounts    [losses]uint64
)

// All are those of the types that a server can be sent.
func (c *typeCounts) All() iter.Seq2[string, uint64] {
	return all(c[workerman.TypeSubscribe:workerman.TypeEvent],
		func(i int) string { return (workerman.TypeSubscribe + workerman.Type(i)).String() })
}

// All are the counts by what was wrong.
func (c *reasonCounts) All() iter.Seq2[string, uint64] {
	return all(c[:], func(i int) string { return workerman.Reason(i).String() })
}

// All are the counts by why a connection ended.
func (c *closedCounts) All() iter.Seq2[string, uint64] {
	return all(c[:], func(i int) string { return closingNames[i] })
}

// All are the counts by why a group did not get an event.
func (c *refusalCounts) All() iter.Seq2[string, uint64] {
	return all(c[:], func(i int) string { return refusalNames[i] })
}

// All are the counts by limit.
func (c limitCounts) All() iter.Seq2[string, uint64] { return named(c[:], limitNames[:]) }

// All are the counts by why messages were thrown away.
func (c lossCounts) All() iter.Seq2[string, uint64] { return named(c[:], lossNames[:]) }

func named(values []uint64, names []string) iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for i, n := range values {
			if !yield(names[i], n) {
				return
			}
		}
	}
}

func all(values []atomic.Uint64, label func(int) string) iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for i := range values {
			if !yield(label(i), values[i].Load()) {
				return
			}
		}
	}
}

// Stats returns the server's counters and gauges.
func (s *Server) Stats() Stats {
	st := Stats{
		Counters: &s.count, Peers: s.node.Peers(), PartialBytes: s.halves.bytes(), SendBytes: int(s.hub.budget.used.Load()),
		BytesUndelivered: uint64(s.undelivered.bytes.Load()),
	}
	s.mu.Lock()
	st.Conns = len(s.conns)
	s.mu.Unlock()
	s.hub.addTo(&st)
	if s.bridge != nil {
		st.Bridge = s.bridge.stats()
	}
	return st
}

// addTo fills in what the hub knows.
func (h *hub) addTo(st *Stats) {
	h.mu.Lock()
	defer h.mu.Unlock()
	st.HubCounters = h.count
	st.Channels = len(h.topics.all)
	st.Subscriptions = h.subscriptions
	st.Watches = h.watches
	st.Queues = len(h.queues.all)
	st.QueuedMessages = h.queued
	st.QueuedBytes = h.queuedBytes
}

func (b *bridge) stats() BridgeStats {
	sink := b.sink.Stats()
	return BridgeStats{&b.count, sink.QueuedMessages, sink.QueuedBytes, sink.Dropped}
}

// Status returns the client's state and counters.
func (c *Client) Status() Status {
	c.mu.Lock()
	st := c.status
	if c.out != nil {
		_, st.SendBytes = c.out.waiting()
	}
	c.mu.Unlock()
	st.ClientCounters = &c.count
	sink := c.sink.Stats()
	st.QueuedMessages, st.QueuedBytes, st.Dropped = sink.QueuedMessages, sink.QueuedBytes, sink.Dropped
	return st
}
