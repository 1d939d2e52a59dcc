package monitor

import "time"

// Status is what `groupcast status` prints and GET /v1/status answers: one
// snapshot of a running server. Rates are over the last whole sampling interval.
// Numbers that only grow count since the start.
type Status struct {
	Version   string    `json:"version"`
	Go        string    `json:"go"`
	PID       int       `json:"pid"`
	Host      string    `json:"host"`
	StartedAt time.Time `json:"started_at"`
	// TakenAt is when the snapshot was taken: it may be up to one interval old.
	TakenAt       time.Time  `json:"taken_at"`
	UptimeSeconds float64    `json:"uptime_seconds"`
	Load          [3]float64 `json:"load"` // the machine's, over 1, 5 and 15 minutes
	CPUs          int        `json:"cpus"` // usable ones
	// State is ok; draining, when the server is on its way out; or stalled, when
	// some loop does not answer.
	State         string     `json:"state"`
	Access        string     `json:"access,omitempty"` // who may come in: open, limited, tokens or tokens_optional
	Listeners     []Listener `json:"listeners"`
	ResidentBytes int64      `json:"resident_bytes"`
	// What counts for --max-memory, estimates included, and that; 0 without one.
	MemoryBytes      int64 `json:"memory_bytes"`
	MemoryLimitBytes int64 `json:"memory_limit_bytes"`

	CPUSeconds float64 `json:"cpu_seconds"`

	Connections    int    `json:"connections"` // handshaking ones included
	MaxConnections int    `json:"max_connections"`
	Handshakes     int    `json:"handshakes"`
	Accepted       uint64 `json:"accepted"`
	Refused        uint64 `json:"refused"`
	AcceptErrors   uint64 `json:"accept_errors"`
	Closed         uint64 `json:"closed"`
	Order          uint64 `json:"order"` // the last one given
	// Publications from outside the loops: those that wait for the broker, and
	// those that were refused because their time was over.
	OutsideWaiting int    `json:"outside_waiting"`
	Overloaded     uint64 `json:"overloaded"`

	Reactors []Reactor `json:"reactors"`
	// Total sums the reactors up: a group with members on three of them counts
	// three times. But a message counts once, though each of them takes it. Its latency
	// is over all of them, its share of busy time the mean.
	Total     Reactor `json:"total"`
	TopGroups []Group `json:"top_groups"` // by members, looked at every few seconds

	// Channel, ChannelJoin and Cluster are missing where they are not in use.
	Channel     *Channel     `json:"channel,omitempty"`
	ChannelJoin *ChannelJoin `json:"channel_join,omitempty"`
	Cluster     *Cluster     `json:"cluster,omitempty"`
}

// States of a server or a reactor.
const (
	StateOK       = "ok"
	StateDraining = "draining"
	StateStalled  = "stalled"
)

// Who may come in.
const (
	AccessOpen           = "open"    // anybody, and may join and publish to every group
	AccessLimited        = "limited" // anybody, and may do what --anonymous-join and --anonymous-publish say
	AccessTokens         = "tokens"
	AccessTokensOptional = "tokens_optional" // those without one may do what is limited as above
)

// ExplainAccess says in words what that means.
func ExplainAccess(access string) string {
	switch access {
	case AccessOpen:
		return "open: anybody may join and publish"
	case AccessLimited:
		return "anybody, within --anonymous-join and --anonymous-publish"
	case AccessTokens:
		return "with a token"
	case AccessTokensOptional:
		return "with a token, and without one within --anonymous-join and --anonymous-publish"
	}
	return ""
}

// Kinds and states of a listener.
const (
	KindWebSocket = "websocket"
	KindAPI       = "api"
	KindChannel   = "channel"
	KindControl   = "control"

	ListenerOK     = "ok"
	ListenerClosed = "closed"
)

// Listener is one door.
type Listener struct {
	Kind    string `json:"kind"` // websocket, api, channel or control
	Address string `json:"address"`
	State   string `json:"state"` // ok or closed
}

// Reactor is one event loop, or the sum of all.
type Reactor struct {
	Index       int     `json:"index"` // -1 for the sum
	State       string  `json:"state"` // ok, draining or stalled
	Sessions    int     `json:"sessions"`
	Groups      int     `json:"groups"`
	Memberships int     `json:"memberships"`
	Busy        float64 `json:"busy"` // share of the interval spent working, 0 to 1

	Messages            uint64  `json:"messages"` // taken from the broker
	MessagesPerSecond   float64 `json:"messages_per_second"`
	Deliveries          uint64  `json:"deliveries"`
	DeliveriesPerSecond float64 `json:"deliveries_per_second"`
	BytesIn             uint64  `json:"bytes_in"`
	BytesInPerSecond    float64 `json:"bytes_in_per_second"`
	BytesOut            uint64  `json:"bytes_out"`
	BytesOutPerSecond   float64 `json:"bytes_out_per_second"`
	Errors              uint64  `json:"errors"` // commands answered with an error
	SlowReaders         uint64  `json:"slow_readers"`
	BacklogSessions     int     `json:"backlog_sessions"`
	BacklogBytes        int     `json:"backlog_bytes"`
	RingDepth           int     `json:"ring_depth"` // items waiting for this reactor
	RingFull            uint64  `json:"ring_full"`
	// From publish to flush, in seconds, over the last ten seconds; 0 if nothing was delivered.
	LatencyP50 float64 `json:"latency_p50_seconds"`
	LatencyP99 float64 `json:"latency_p99_seconds"`
}

// Group is a group and how many members it has on all reactors.
type Group struct {
	Name    string `json:"name"`
	Members int    `json:"members"`
}

// Channel is the Workerman Channel server.
type Channel struct {
	Connections   int    `json:"connections"`
	Channels      int    `json:"channels"`
	Subscriptions int    `json:"subscriptions"`
	EventsIn      uint64 `json:"events_in"`
	EventsOut     uint64 `json:"events_out"`
	Dropped       uint64 `json:"dropped"`
	BadFrames     uint64 `json:"bad_frames"`
	Queued        int    `json:"queued"`
}

// ChannelJoin is the connection to another program's Channel server.
type ChannelJoin struct {
	Address      string    `json:"address"`
	Connected    bool      `json:"connected"`
	Since        time.Time `json:"since"` // of this state
	Reconnects   uint64    `json:"reconnects"`
	Forwarded    uint64    `json:"forwarded"`
	NotForwarded uint64    `json:"not_forwarded"`
	Received     uint64    `json:"received"`
	LastError    string    `json:"last_error,omitempty"`
}
