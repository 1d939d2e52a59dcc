package metrics

import "github.com/prometheus/client_golang/prometheus"

// family is one metric name. METRICS.md has the same table for people, and a
// test holds the two together.
type family struct {
	name   string
	kind   string // gauge, counter or histogram
	labels []string
	help   string
}

const (
	gauge     = "gauge"
	counter   = "counter"
	histogram = "histogram"
)

var valueTypes = map[string]prometheus.ValueType{gauge: prometheus.GaugeValue, counter: prometheus.CounterValue}

var reactorLabel = []string{"reactor"}

// families are all metrics of this package, in the order of METRICS.md.
var families = []family{
	{"groupcast_build_info", gauge, []string{"version", "revision", "go_version"}, "Always 1; the labels say what is running."},
	{"groupcast_sample_age_seconds", gauge, nil, "Age of the sample that the loops' figures come from. They are sampled once a second."},
	{"groupcast_draining", gauge, nil, "1 while the server is going away and takes no new messages."},

	{"groupcast_connections", gauge, nil, "Connections to the WebSocket port, handshaking ones included."},
	{"groupcast_connections_limit", gauge, nil, "The most connections there may be."},
	{"groupcast_handshakes", gauge, nil, "Connections that are not upgraded yet."},
	{"groupcast_connections_accepted_total", counter, nil, "Connections handed to an event loop."},
	{"groupcast_connections_closed_total", counter, nil, "Connections gone."},
	{"groupcast_connections_refused_total", counter, []string{"cause"}, "Connections answered 503: a limit (connections, handshakes, connections_per_ip), or draining."},
	{"groupcast_accept_errors_total", counter, nil, "Connections that failed to be accepted for want of descriptors or memory."},
	{"groupcast_upgrades_total", counter, nil, "Handshakes that became sessions."},
	{"groupcast_handshake_failures_total", counter, []string{"cause"}, "Handshakes that did not: refused (no proper upgrade), or expired."},

	{"groupcast_sessions", gauge, reactorLabel, "Connections of an event loop, upgraded or not."},
	{"groupcast_groups", gauge, reactorLabel, "Groups with members on an event loop; a group with members on several counts on each."},
	{"groupcast_memberships", gauge, reactorLabel, "Members of all groups of an event loop: a session counts once for each of its groups."},
	{"groupcast_session_ends_total", counter, []string{"cause"}, "Sessions ended by the server: slow_reader, idle, close_timeout, rate, kicked, panic."},
	{"groupcast_cut_sessions_total", counter, nil, "Sessions ended before they had acknowledged all that was queued for them: too slow for a close handshake, or a drain."},
	{"groupcast_cut_bytes_total", counter, nil, "Bytes that these had not acknowledged."},
	{"groupcast_closes_total", counter, []string{"code"}, "Close frames sent, by code; codes that mean the same kind of thing are counted together."},

	{"groupcast_frames_received_total", counter, []string{"opcode"}, "WebSocket frames received."},
	{"groupcast_messages_received_total", counter, nil, "Complete messages received."},
	{"groupcast_received_bytes_total", counter, reactorLabel, "Bytes received from clients."},
	{"groupcast_command_errors_total", counter, []string{"code"}, "Commands answered with an error."},
	{"groupcast_deferred_commands_total", counter, nil, "Commands and answers that waited behind a send of their session."},
	{"groupcast_pings_sent_total", counter, nil, "Pings sent to silent sessions."},

	{"groupcast_published_messages_total", counter, []string{"source"}, "Publications: by sessions, or from outside the loops (API, bridges), where one for several groups counts once."},
	{"groupcast_ordered_messages_total", counter, nil, "Messages that the broker gave a place in the order."},
	{"groupcast_reactor_messages_total", counter, reactorLabel, "Messages that an event loop took from the broker."},
	{"groupcast_deliveries_total", counter, reactorLabel, "Messages handed to members."},
	{"groupcast_coalesced_messages_total", counter, nil, "Messages that went out together with others to the same group."},
	{"groupcast_marks_total", counter, nil, "References queued for members; fewer than deliveries where messages were put together."},
	{"groupcast_batch_messages", histogram, nil, "Messages that an event loop took at a time."},
	{"groupcast_batch_marks_max", gauge, nil, "Most references queued by one batch since the start."},
	{"groupcast_publish_to_flush_seconds", histogram, nil, "From a message's publication until an event loop has written to all its members."},

	{"groupcast_sent_bytes_total", counter, reactorLabel, "Bytes sent to clients."},
	{"groupcast_writes_total", counter, nil, "Writes to sockets."},
	{"groupcast_writes_blocked_total", counter, nil, "Writes of which the kernel did not take everything."},
	{"groupcast_write_errors_total", counter, nil, "Writes that failed: the client was gone."},
	{"groupcast_flush_writes_max", gauge, nil, "Most writes made in a row before other events were served, since the start."},
	{"groupcast_backlog_bytes", gauge, reactorLabel, "What sessions have not read, with what is kept beside it."},
	{"groupcast_backlog_sessions", gauge, reactorLabel, "Sessions whose socket takes no more at the moment."},
	{"groupcast_watched_sessions", gauge, reactorLabel, "Sessions whose progress is looked at: pinged behind a backlog, or slow to close."},

	{"groupcast_ring_messages", gauge, []string{"ring", "reactor"}, "Messages waiting in the ring from an event loop to the broker (ingress), or back (egress)."},
	{"groupcast_ring_full_total", counter, reactorLabel, "Publications of an event loop's sessions that had to wait for room."},
	{"groupcast_ring_blocked_seconds_total", counter, reactorLabel, "Time that an event loop spent waiting for room."},
	{"groupcast_outside_queued_messages", gauge, nil, "Publications from outside the loops that wait for the broker."},
	{"groupcast_outside_full_total", counter, nil, "Publications from outside the loops that had to wait for room."},
	{"groupcast_outside_overloaded_total", counter, nil, "Of these, those refused when their time was over."},

	{"groupcast_reactor_busy_seconds_total", counter, reactorLabel, "Time that an event loop spent working, waiting for room included."},
	{"groupcast_reactor_silence_seconds", gauge, reactorLabel, "Time since an event loop last answered the clock, when the sample was taken."},
	{"groupcast_reactor_wakeups_total", counter, reactorLabel, "Times that the broker woke an event loop."},
	{"groupcast_reactor_yields_total", counter, reactorLabel, "Times that a long delivery let other events go first."},
	{"groupcast_loop_stalls_total", counter, nil, "Times that an event loop did not answer for 5 seconds."},
	{"groupcast_panics_total", counter, []string{"where"}, "Mistakes in the server that cost one session (loop) or one request (api)."},
	{"groupcast_limit_hits_total", counter, []string{"limit"}, "Times that a limit was reached, by the name of its flag."},

	{"groupcast_sink_queued_messages", gauge, []string{"sink"}, "Messages waiting for a bridge."},
	{"groupcast_sink_queued_bytes", gauge, []string{"sink"}, "Bytes waiting for a bridge."},
	{"groupcast_sink_messages_total", counter, []string{"sink"}, "Messages queued for a bridge."},
	{"groupcast_sink_dropped_messages_total", counter, []string{"sink"}, "Messages that a bridge did not get because its queue was full."},

	{"groupcast_api_requests_total", counter, []string{"operation", "class"}, "Requests answered, by operation and class of status."},
	{"groupcast_api_in_flight_requests", gauge, nil, "Requests being worked on, health left out."},
	{"groupcast_api_connections", gauge, nil, "Connections to the API."},
	{"groupcast_api_items_total", counter, []string{"result"}, "Publications asked for: published, or refused."},
	{"groupcast_api_auth_failures_total", counter, nil, "Requests without the right token."},
	{"groupcast_api_cross_site_refusals_total", counter, nil, "Requests refused because they came from another site's page."},

	{"groupcast_channel_connections", gauge, nil, "Connections to the Channel server."},
	{"groupcast_channel_peers", gauge, nil, "Of these, other groupcasts."},
	{"groupcast_channel_channels", gauge, nil, "Channels with subscribers."},
	{"groupcast_channel_subscriptions", gauge, nil, "Subscriptions of all connections."},
	{"groupcast_channel_watches", gauge, nil, "Queues watched, counted for each connection."},
	{"groupcast_channel_send_queue_bytes", gauge, nil, "Bytes waiting for connections."},
	{"groupcast_channel_partial_frame_bytes", gauge, nil, "Bytes of frames that are not all there."},
	{"groupcast_channel_queues", gauge, nil, "Queues."},
	{"groupcast_channel_queued_messages", gauge, nil, "Messages in queues."},
	{"groupcast_channel_queued_bytes", gauge, nil, "Bytes in queues."},
	{"groupcast_channel_connections_accepted_total", counter, nil, "Connections accepted."},
	{"groupcast_channel_connections_refused_total", counter, nil, "Connections refused by their limit."},
	{"groupcast_channel_connections_closed_total", counter, []string{"cause"}, "Connections gone."},
	{"groupcast_channel_accept_errors_total", counter, nil, "Connections that failed to be accepted."},
	{"groupcast_channel_frames_received_total", counter, nil, "Frames received, pings included."},
	{"groupcast_channel_pings_received_total", counter, nil, "Pings received."},
	{"groupcast_channel_messages_received_total", counter, []string{"type"}, "Messages understood."},
	{"groupcast_channel_bad_frames_total", counter, []string{"reason"}, "Frames that were not understood, or are not allowed."},
	{"groupcast_channel_limit_hits_total", counter, []string{"limit"}, "Times that one of the Channel server's limits was reached."},
	{"groupcast_channel_received_bytes_total", counter, nil, "Bytes received."},
	{"groupcast_channel_sent_bytes_total", counter, nil, "Bytes sent."},
	{"groupcast_channel_events_sent_total", counter, nil, "Events handed to a connection."},
	{"groupcast_channel_events_dropped_total", counter, nil, "Events not handed over because a connection's send buffer was full."},
	{"groupcast_channel_events_unheard_total", counter, nil, "Events published to a channel without subscribers."},
	{"groupcast_channel_frames_discarded_total", counter, nil, "Frames that waited for a connection that ended."},
	{"groupcast_channel_enqueued_messages_total", counter, nil, "Messages put into queues."},
	{"groupcast_channel_dequeued_messages_total", counter, nil, "Messages taken from queues."},
	{"groupcast_channel_queue_dropped_messages_total", counter, nil, "Messages that found their queue full."},
	{"groupcast_channel_bridged_messages_total", counter, []string{"direction"}, "Messages passed between Channel and the groups: to_groups, or to_subscribers."},
	{"groupcast_channel_bridge_refused_total", counter, []string{"reason"}, "Events that their groups did not get."},
	{"groupcast_channel_bridge_returned_total", counter, nil, "Events that had been here before."},
	{"groupcast_channel_bridge_stripped_total", counter, nil, "Events passed to other groupcasts without their other keys."},
	{"groupcast_channel_bridge_too_far_total", counter, nil, "Events that came through too many servers."},
	{"groupcast_channel_bridge_queued_messages", gauge, nil, "Messages on their way from the broker to subscribers."},
	{"groupcast_channel_bridge_queued_bytes", gauge, nil, "Bytes on their way from the broker to subscribers."},
	{"groupcast_channel_bridge_dropped_messages_total", counter, nil, "Messages that found this way full."},

	{"groupcast_channel_join_connected", gauge, nil, "1 while there is a connection to the Channel server that was joined."},
	{"groupcast_channel_join_state_seconds", gauge, nil, "Time since that connection was made or lost."},
	{"groupcast_channel_join_reconnects_total", counter, nil, "Times that it was made again."},
	{"groupcast_channel_join_messages_total", counter, []string{"direction"}, "Messages passed over it: forwarded to it, received from it, or not_forwarded."},
	{"groupcast_channel_join_refused_total", counter, []string{"reason"}, "Events from it that their groups did not get."},
	{"groupcast_channel_join_bad_frames_total", counter, []string{"reason"}, "What it sent and was not understood."},
	{"groupcast_channel_join_returned_total", counter, []string{"cause"}, "Events from it that had been here before: our own, or those that come twice."},
	{"groupcast_channel_join_stripped_total", counter, nil, "Messages forwarded to it without their other keys."},
	{"groupcast_channel_join_too_far_total", counter, nil, "Messages not forwarded to it: they came through too many servers."},
	{"groupcast_channel_join_dropped_messages_total", counter, nil, "Messages that found the way from the broker to it full."},
}
