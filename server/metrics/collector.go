package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"groupcast/loop"
	"groupcast/server/api"
)

// collector turns what the sources say into metrics, all of one scrape from one
// snapshot of each.
type collector struct {
	sources Sources
	known   map[string]known
}

type known struct {
	family

	desc *prometheus.Desc
}

func newCollector(s Sources) *collector {
	c := &collector{sources: s, known: make(map[string]known, len(families))}
	for _, f := range families {
		c.known[f.name] = known{f, prometheus.NewDesc(f.name, f.help, f.labels, nil)}
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, k := range c.known {
		ch <- k.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	out := scrape{c.known, ch}
	b := c.sources.Build
	out.value("groupcast_build_info", 1, b.Version, b.Revision, b.Go)
	stats := c.sources.Stats()
	out.server(&stats, time.Now())
	if c.sources.MaxConns != nil {
		out.value("groupcast_connections_limit", float64(c.sources.MaxConns()))
	}
	if c.sources.API != nil {
		s := c.sources.API()
		out.api(&s)
	}
	if c.sources.Channel != nil {
		if s := c.sources.Channel(); s != nil {
			out.channel(s)
		}
	}
	if c.sources.ChannelJoin != nil {
		if s := c.sources.ChannelJoin(); s != nil {
			out.channelJoin(s, time.Now())
		}
	}
}

// scrape is one answer in the making.
type scrape struct {
	known map[string]known
	ch    chan<- prometheus.Metric
}

// value tells one value. The name has to be in families, the labels are in their
// order.
func (s scrape) value(name string, v float64, labels ...string) {
	k := s.known[name]
	s.ch <- prometheus.MustNewConstMetric(k.desc, valueTypes[k.kind], v, labels...)
}

// int is value for what is there now.
func (s scrape) int(name string, n int, labels ...string) { s.value(name, float64(n), labels...) }

// count is value for what was counted.
func (s scrape) count(name string, n uint64, labels ...string) { s.value(name, float64(n), labels...) }

// counts tells counters that belong together. Those of one label are added up: two
// of a name would make the whole scrape invalid.
func (s scrape) counts(name string, list []Count) {
	sums := make(map[string]uint64, len(list))
	for _, one := range list {
		sums[one.Label] += one.N
	}
	for label, n := range sums {
		s.count(name, n, label)
	}
}

// histogram tells a histogram with a bucket for each power of two from 2^low to
// 2^high. le makes of such an exponent the upper bound that a bucket is told
// with; unit is what one counts in it.
func (s scrape) histogram(name string, h *loop.Histogram, low, high int, unit float64, le func(exponent int) float64) {
	buckets := make(map[float64]uint64, high-low+1)
	for exponent := low; exponent <= high; exponent++ {
		buckets[le(exponent)] = h.Below(exponent)
	}
	s.ch <- prometheus.MustNewConstHistogram(s.known[name].desc, h.Count, float64(h.Sum)*unit, buckets)
}

// micro is a microsecond in seconds, which latencies are counted in; nano is what
// times spent are counted in.
const micro, nano = 1e-6, 1e-9

// server tells what the loops and the broker counted.
func (s scrape) server(stats *loop.Stats, now time.Time) {
	if !stats.Taken.IsZero() {
		s.value("groupcast_sample_age_seconds", max(0, now.Sub(stats.Taken).Seconds()))
	}
	draining := 0
	if stats.Draining {
		draining = 1
	}
	s.int("groupcast_draining", draining)

	total := stats.Sum()
	s.int("groupcast_connections", stats.Conns)
	s.int("groupcast_handshakes", stats.Handshakes)
	s.count("groupcast_connections_accepted_total", stats.Accepted)
	s.count("groupcast_connections_closed_total", total.Closed)
	s.counts("groupcast_connections_refused_total", []Count{
		{"connections", stats.RefusedConns},
		{"handshakes", stats.RefusedHandshakes},
		{"connections_per_ip", stats.RefusedPerIP},
		{"draining", stats.RefusedDraining},
	})
	s.count("groupcast_accept_errors_total", stats.AcceptErrors)
	s.count("groupcast_upgrades_total", total.Upgrades)
	s.counts("groupcast_handshake_failures_total", []Count{
		{"refused", total.HandshakeErrors},
		{"expired", total.HandshakeExpired},
	})
	s.counts("groupcast_session_ends_total", []Count{
		{"slow_reader", total.SlowReaders},
		{"idle", total.IdleClosed},
		{"close_timeout", total.Resets},
		{"rate", total.RateClosed},
		{"kicked", total.Kicked},
		{"panic", total.Panics},
	})
	s.count("groupcast_cut_sessions_total", stats.CutSessions)
	s.count("groupcast_cut_bytes_total", stats.CutBytes)
	s.counts("groupcast_closes_total", []Count{
		{"1000", total.CloseNormal},
		{"1001_1012", total.CloseGoingAway},
		{"1002_1007", total.CloseProtocol},
		{"1008", total.ClosePolicy},
		{"1009", total.CloseTooBig},
		{"1011", total.CloseInternal},
		{"other", total.CloseOther},
	})

	s.counts("groupcast_frames_received_total", []Count{
		{"text", total.TextFrames},
		{"binary", total.BinaryFrames},
		{"continuation", total.Continuations},
		{"ping", total.PingFrames},
		{"pong", total.PongFrames},
		{"close", total.CloseFrames},
	})
	s.count("groupcast_messages_received_total", total.MessagesIn)
	for _, code := range loop.ErrorCodes {
		s.count("groupcast_command_errors_total", total.Errors.Of(code), string(code))
	}
	s.count("groupcast_deferred_commands_total", total.Deferred)
	s.count("groupcast_pings_sent_total", total.Pings)

	s.counts("groupcast_published_messages_total", []Count{{"session", total.Published}, {"outside", stats.OutsideTaken}})
	s.count("groupcast_ordered_messages_total", stats.Order)
	s.count("groupcast_coalesced_messages_total", total.Coalesced)
	s.count("groupcast_marks_total", total.Marks)
	// Whole messages: up to and including one less than the power.
	s.histogram("groupcast_batch_messages", &total.BatchSizes, 1, 10, 1, func(e int) float64 { return float64(uint64(1)<<e - 1) })
	s.int("groupcast_batch_marks_max", total.MaxMarks)
	s.histogram("groupcast_publish_to_flush_seconds", &total.Latency, 5, 24, micro, func(e int) float64 { return float64(uint64(1)<<e) * micro })

	s.count("groupcast_writes_total", total.Writes)
	s.count("groupcast_writes_blocked_total", total.Blocked)
	s.count("groupcast_write_errors_total", total.WriteErrors)
	s.int("groupcast_flush_writes_max", total.MaxWrites)
	s.int("groupcast_outside_queued_messages", stats.OutsideLen)
	s.count("groupcast_outside_full_total", stats.OutsideFull)
	s.count("groupcast_outside_overloaded_total", stats.Overloaded)
	s.count("groupcast_loop_stalls_total", stats.Stalls)
	s.count("groupcast_panics_total", total.Panics, "loop")
	s.counts("groupcast_limit_hits_total", []Count{
		{"max_conns", stats.RefusedConns},
		{"max_handshakes", stats.RefusedHandshakes},
		{"max_conns_per_ip", stats.RefusedPerIP},
		{"handshake_timeout", total.HandshakeExpired},
		{"max_message", total.CloseTooBig},
		{"max_groups_per_session", total.LimitGroups},
		{"max_groups", total.LimitAll},
		{"max_members", total.LimitGroup},
		{"rate", total.Errors.Of("rate_limited")},
		{"max_backlog", total.SlowReaders},
		{"close_after", total.IdleClosed},
		{"close_timeout", total.Resets},
		{"ring", stats.Overloaded},
	})
	for i := range stats.Reactors {
		s.reactor(strconv.Itoa(i), &stats.Reactors[i])
	}
	for i, silence := range stats.Silence {
		s.value("groupcast_reactor_silence_seconds", silence.Seconds(), strconv.Itoa(i))
	}
	s.sinks(stats.Sinks)
}

// reactor tells what is worth knowing of each event loop by itself.
func (s scrape) reactor(label string, r *loop.ReactorStats) {
	s.int("groupcast_sessions", r.Sessions, label)
	s.int("groupcast_groups", r.Groups, label)
	s.int("groupcast_memberships", r.Memberships, label)
	s.count("groupcast_received_bytes_total", r.BytesIn, label)
	s.count("groupcast_reactor_messages_total", r.Messages, label)
	s.count("groupcast_deliveries_total", r.Deliveries, label)
	s.count("groupcast_sent_bytes_total", r.BytesOut, label)
	s.int("groupcast_backlog_bytes", r.BacklogBytes, label)
	s.int("groupcast_backlog_sessions", r.BacklogSessions, label)
	s.int("groupcast_watched_sessions", r.Watched, label)
	s.int("groupcast_ring_messages", r.IngressLen, "ingress", label)
	s.int("groupcast_ring_messages", r.EgressLen, "egress", label)
	s.count("groupcast_ring_full_total", r.RingFull, label)
	s.value("groupcast_ring_blocked_seconds_total", float64(r.BlockedNanos)*nano, label)
	s.value("groupcast_reactor_busy_seconds_total", float64(r.BusyNanos)*nano, label)
	s.count("groupcast_reactor_wakeups_total", r.Wakeups, label)
	s.count("groupcast_reactor_yields_total", r.Yields, label)
}

// sinks tells of the bridges. Those of one name are added up.
func (s scrape) sinks(list []loop.SinkStats) {
	byName := make(map[string]loop.SinkStats, len(list))
	for _, one := range list {
		sum := byName[one.Name]
		sum.QueuedMessages += one.QueuedMessages
		sum.QueuedBytes += one.QueuedBytes
		sum.Taken += one.Taken
		sum.Dropped += one.Dropped
		byName[one.Name] = sum
	}
	for name, sum := range byName {
		s.int("groupcast_sink_queued_messages", sum.QueuedMessages, name)
		s.int("groupcast_sink_queued_bytes", sum.QueuedBytes, name)
		s.count("groupcast_sink_messages_total", sum.Taken, name)
		s.count("groupcast_sink_dropped_messages_total", sum.Dropped, name)
	}
}

func (s scrape) api(stats *api.Stats) {
	for _, r := range stats.Requests {
		s.count("groupcast_api_requests_total", r.Count, r.Operation, r.Class)
	}
	s.int("groupcast_api_in_flight_requests", stats.InFlight)
	s.int("groupcast_api_connections", stats.Conns)
	s.counts("groupcast_api_items_total", []Count{{"published", stats.PublishedItems}, {"refused", stats.RefusedItems}})
	s.count("groupcast_api_auth_failures_total", stats.AuthFailures)
	s.count("groupcast_api_cross_site_refusals_total", stats.CrossSite)
	s.count("groupcast_panics_total", stats.Panics, "api")
	s.counts("groupcast_limit_hits_total", []Count{
		{"api_in_flight", stats.Busy},
		{"api_listings", stats.ListingsFull},
		{"api_conns", stats.RefusedConns},
	})
}

func (s scrape) channel(c *Channel) {
	s.int("groupcast_channel_connections", c.Conns)
	s.int("groupcast_channel_peers", c.Peers)
	s.int("groupcast_channel_channels", c.Channels)
	s.int("groupcast_channel_subscriptions", c.Subscriptions)
	s.int("groupcast_channel_watches", c.Watches)
	s.int("groupcast_channel_send_queue_bytes", c.SendBytes)
	s.int("groupcast_channel_partial_frame_bytes", c.PartialBytes)
	s.int("groupcast_channel_queues", c.Queues)
	s.int("groupcast_channel_queued_messages", c.QueuedMessages)
	s.int("groupcast_channel_queued_bytes", c.QueuedBytes)
	s.count("groupcast_channel_connections_accepted_total", c.ConnsAccepted)
	s.count("groupcast_channel_connections_refused_total", c.ConnsRefused)
	s.counts("groupcast_channel_connections_closed_total", c.ConnsClosed)
	s.count("groupcast_channel_accept_errors_total", c.AcceptErrors)
	s.count("groupcast_channel_frames_received_total", c.FramesIn)
	s.count("groupcast_channel_pings_received_total", c.Pings)
	s.counts("groupcast_channel_messages_received_total", c.Messages)
	s.counts("groupcast_channel_bad_frames_total", c.Bad)
	s.counts("groupcast_channel_limit_hits_total", c.Limited)
	s.count("groupcast_channel_received_bytes_total", c.BytesIn)
	s.count("groupcast_channel_sent_bytes_total", c.BytesOut)
	s.count("groupcast_channel_events_sent_total", c.EventsOut)
	s.count("groupcast_channel_events_dropped_total", c.EventsDropped)
	s.count("groupcast_channel_events_unheard_total", c.EventsUnheard)
	s.count("groupcast_channel_frames_discarded_total", c.FramesDiscarded)
	s.count("groupcast_channel_enqueued_messages_total", c.Enqueued)
	s.count("groupcast_channel_dequeued_messages_total", c.Dequeued)
	s.count("groupcast_channel_queue_dropped_messages_total", c.QueueDropped)
	b := &c.Bridge
	s.counts("groupcast_channel_bridged_messages_total", []Count{{"to_groups", b.ToGroups}, {"to_subscribers", b.ToSubscribers}})
	s.counts("groupcast_channel_bridge_refused_total", b.Refused)
	s.count("groupcast_channel_bridge_returned_total", b.Own)
	s.count("groupcast_channel_bridge_stripped_total", b.Stripped)
	s.count("groupcast_channel_bridge_too_far_total", b.TooFar)
	s.int("groupcast_channel_bridge_queued_messages", b.QueuedMessages)
	s.int("groupcast_channel_bridge_queued_bytes", b.QueuedBytes)
	s.count("groupcast_channel_bridge_dropped_messages_total", b.Dropped)
}

func (s scrape) channelJoin(j *ChannelJoin, now time.Time) {
	connected := 0
	if j.Connected {
		connected = 1
	}
	s.int("groupcast_channel_join_connected", connected)
	if !j.Since.IsZero() {
		s.value("groupcast_channel_join_state_seconds", max(0, now.Sub(j.Since).Seconds()))
	}
	s.count("groupcast_channel_join_reconnects_total", j.Reconnects)
	s.counts("groupcast_channel_join_refused_total", j.Refused)
	s.counts("groupcast_channel_join_bad_frames_total", j.Bad)
	s.counts("groupcast_channel_join_returned_total", j.Returned)
	s.count("groupcast_channel_join_stripped_total", j.Stripped)
	s.count("groupcast_channel_join_too_far_total", j.TooFar)
	s.count("groupcast_channel_join_dropped_messages_total", j.Dropped)
	s.counts("groupcast_channel_join_messages_total", []Count{
		{"forwarded", j.Forwarded},
		{"not_forwarded", j.NotForwarded},
		{"received", j.Received},
	})
}
