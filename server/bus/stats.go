package bus

import (
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"groupcast/server/bus/interest"
	"groupcast/server/bus/wire"
)

// Stats is how a Bus is doing. A field's tag is all there is to say about it; package
// server/metrics tells what the keys mean.
type Stats struct {
	*Counters
	interest.Stats

	State      stateFlags    `metric:"bus_state{state}" help:"1 for the state that the connection to NATS is in."`
	NameTaken  bool          `metric:"bus_name_taken" help:"1 while another node has this one's name, and this one is out of the cluster."`
	Reconnects uint64        `metric:"bus_reconnects_total" help:"Times that the connection to NATS was made again."`
	RoundTrip  time.Duration `metric:"bus_round_trip_seconds" help:"The last round trip to the NATS server and back."`
	Nodes      int           `metric:"bus_nodes" help:"Nodes in the cluster, this one included."`
	Buffered   int           `metric:"bus_buffered_bytes" help:"Bytes of messages that wait for the bus to be back."`
	Inbound    int           `metric:"bus_inbound_messages" help:"Messages that have come from NATS and are not published yet."`
	Lag        time.Duration `metric:"bus_lag_seconds" help:"How long the oldest message that waits for NATS has waited, at least."`

	Dropped uint64 `metric:"bus_dropped_messages_total" also:"limit_hits_total{limit=nats_sink}" help:"Messages that found the way from the broker to NATS full."`
}

// Counters count on while they are read.
type Counters struct {
	Out      atomic.Uint64 `metric:"bus_messages_total{direction=out}" help:"Messages that crossed: out, to other nodes, or in, from other nodes and foreign publishers, with what nodes say to each other."`
	In       atomic.Uint64 `metric:"bus_messages_total{direction=in}"`
	BytesOut atomic.Uint64 `metric:"bus_bytes_total{direction=out}" help:"Bytes of their payloads."`
	BytesIn  atomic.Uint64 `metric:"bus_bytes_total{direction=in}"`
	Avoided  atomic.Uint64 `metric:"bus_avoided_total" help:"Messages of other nodes that did not cross to this one, which had no members for them."`
	Unwanted atomic.Uint64 `metric:"bus_unwanted_total" help:"Messages that crossed to this node by the wildcard, although it had no members for them."`
	Doubles  atomic.Uint64 `metric:"bus_doubles_total" help:"Messages that came twice while the node changed between the wildcard and single subjects, and were published once."`
	// What was not understood.
	Ignored ignoredCounts `metric:"bus_ignored_total{reason}" help:"Messages on the cluster's subjects that were not understood."`
	Errors  errorCounts   `metric:"bus_errors_total{reason}" help:"What NATS, or the way to it, has refused."`
	// What did not reach everybody.
	Lost           atomic.Uint64 `metric:"bus_lost_messages_total{cause=down}" help:"Messages that did not cross: down, since the bus was away and --nats-down or --nats-buffer kept no more; too_large, for the NATS server; overloaded, for this node's broker."`
	TooLarge       atomic.Uint64 `metric:"bus_lost_messages_total{cause=too_large}"`
	LostOverloaded atomic.Uint64 `metric:"bus_lost_messages_total{cause=overloaded}"`
	LostGroups     lossCounts    `metric:"bus_losses_total{cause}" help:"Times that members were told of messages that they have missed."`
	Notices        atomic.Uint64 `metric:"bus_notices_total" help:"Times that this node told others of messages that may not have reached them."`
	SlowConsumer   atomic.Uint64 `metric:"bus_slow_consumer_total" also:"limit_hits_total{limit=nats_inbound}" help:"Times that messages came faster than they could be published, and were dropped."`
	MarkersLate    atomic.Uint64 `metric:"bus_markers_late_total" help:"Markers behind subscriptions that not all nodes had answered in time."`
	NamesTaken     atomic.Uint64 `metric:"bus_names_taken_total" help:"Times that another node turned out to have this one's name."`
	Echoes         atomic.Uint64 `metric:"bus_echoes_total" help:"Messages of this node that came back to it by a connection made after they were sent, and are not published again."`
	Late           atomic.Uint64 `metric:"bus_late_total" help:"Messages of a node that came after it, or this node, had told them as missed, and are not published: left over from a connection that has ended."`
	Strangers      atomic.Uint64 `metric:"bus_strangers_total" help:"Messages between nodes of one that has sent no heartbeat, or counts no more: they are ignored."`
	Removed        atomic.Uint64 `metric:"bus_removed_total" help:"Sessions that were closed here, and members that left, since another node was asked for it."`
	PlacesUnknown  atomic.Uint64 `metric:"bus_places_unknown_total" help:"Messages with a place that their node has not told of."`
	NodesGone      atomic.Uint64 `metric:"bus_nodes_gone_total" also:"limit_hits_total{limit=nats_lease}" help:"Times that a node was silent for so long that it counts no more. One that leaves in order is none."`
	// Limits.
	BufferFull      atomic.Uint64 `metric:"limit_hits_total{limit=nats_buffer}"` // messages that are in Lost as well
	PeersRefused    atomic.Uint64 `metric:"bus_limit_hits_total{limit=nodes}" help:"Times that one of the bus's limits was reached."`
	RequestsDropped atomic.Uint64 `metric:"bus_limit_hits_total{limit=requests}"`
	RepliesDropped  atomic.Uint64 `metric:"bus_limit_hits_total{limit=replies}"`
	QuestionsFull   atomic.Uint64 `metric:"bus_limit_hits_total{limit=questions}"`
	WatchedFull     atomic.Uint64 `metric:"bus_limit_hits_total{limit=watched}"`
}

// ignoredCounts count by why a message was not understood.
type ignoredCounts [wire.Reasons]atomic.Uint64

func (c *ignoredCounts) add(r wire.Reason) { c[r].Add(1) }

// All are the counts, those at zero too.
func (c *ignoredCounts) All() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for i := range c {
			if !yield(wire.Reason(i).String(), c[i].Load()) {
				return
			}
		}
	}
}

// errorCounts count by what kind of error NATS had.
type errorCounts [len(Reasons)]atomic.Uint64

func (c *errorCounts) add(r Reason) { c[max(0, slices.Index(Reasons[:], r))].Add(1) }

// All are the counts, those at zero too.
func (c *errorCounts) All() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for i, r := range Reasons {
			if !yield(string(r), c[i].Load()) {
				return
			}
		}
	}
}

// cause is why members are told of messages that they have missed.
type cause int

const (
	causeAway       cause = iota // this node was away, or the way to another one was
	causeForeign                 // it was, and the group has had messages of publishers that are no nodes
	causeNotice                  // the node that sent them says so
	causeOverflow                // they came faster than they could be published
	causeOverloaded              // the broker had no room for one
	causeRestarted               // this node was away, and another one has begun anew meanwhile
	causeTooLarge                // another node takes larger messages than this one
	causeVanished                // this node was away, and another one has not come back
	causeCount
)

var causeNames = [causeCount]string{
	"away", "foreign", "notice", "overflow", "overloaded", "restarted", "too_large", "vanished",
}

func (c cause) String() string { return causeNames[c] }

// lossCounts count by cause.
type lossCounts [causeCount]atomic.Uint64

// All are the counts, those at zero too.
func (c *lossCounts) All() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for i, name := range causeNames {
			if !yield(name, c[i].Load()) {
				return
			}
		}
	}
}

// stateFlags is a State as one flag each.
type stateFlags State

// All are the flags of all states.
func (s stateFlags) All() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for i, name := range States {
			n := uint64(0)
			if State(i) == State(s) {
				n = 1
			}
			if !yield(name, n) {
				return
			}
		}
	}
}

// Stats returns the counters and gauges.
func (b *Bus) Stats() Stats {
	conn, sink := b.state.Status(), b.sink.Stats()
	return Stats{
		Counters: &b.count, Stats: b.interest.Stats(),
		State: stateFlags(conn.State), Reconnects: conn.Reconnects, RoundTrip: time.Duration(b.roundTrip.Load()),
		Nodes: 1 + len(b.others()), Buffered: int(b.buffered.Load()), Inbound: len(b.in), Lag: b.lag(),
		NameTaken: b.nameTaken.Load(), Dropped: sink.Dropped,
	}
}

// Status is what an operator looks at first.
type Status struct {
	ConnStatus

	Node    string
	Epoch   string
	Named   bool // the name is this node's; else it is out of the cluster
	Joined  bool // this node's messages go to the others
	Nodes   []Node
	Servers []string
	// NameTaken is why it is not Named, where that is known: another node has the name.
	NameTaken bool
}

// Status returns the state and the other nodes.
func (b *Bus) Status() Status {
	return Status{
		ConnStatus: b.state.Status(), Node: b.opt.Node, Epoch: wire.EpochText(b.epoch), Named: b.named.Load(),
		Joined: b.joined.Load(), Nodes: slices.Clone(*b.nodes.Load()), Servers: b.opt.ShownServers(),
		NameTaken: b.nameTaken.Load(),
	}
}

// others are the nodes that count.
func (b *Bus) others() (names []string) {
	for _, n := range *b.nodes.Load() {
		if n.State != NodeGone {
			names = append(names, n.Name)
		}
	}
	return names
}

// lag is how long the pump has waited for the writer.
func (b *Bus) lag() time.Duration {
	if since := b.waiting.Load(); since != 0 {
		return time.Since(time.Unix(0, since))
	}
	return 0
}
