package metrics

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"groupcast/loop"
	"groupcast/server/api"
)

// Sources are who is asked at each scrape. Their functions must answer at once,
// from any goroutine; a nil one, or one that answers nil, is something that this
// server does not have.
type Sources struct {
	// Stats is required: the monitor's last sample.
	Stats func() loop.Stats
	// MaxConns is the limit of connections in force.
	MaxConns func() int
	// API is what the HTTP API counts.
	API func() api.Stats
	// Channel is the Workerman Channel server.
	Channel func() *Channel
	// ChannelJoin is the connection to somebody else's Channel server.
	ChannelJoin func() *ChannelJoin
	// Build is what the program was made of.
	Build Build
	// Logger gets what goes wrong with a scrape; nil is slog.Default.
	Logger *slog.Logger
}

// Build describes the program.
type Build struct {
	Version, Revision, Go string
}

// Channel is a snapshot of the Workerman Channel server. What is an int is there
// now, what is a uint64 was counted since the start. The labels of Counts must
// come from fixed sets.
type Channel struct {
	Conns, Peers                     int // Peers are groupcasts among Conns
	Channels, Subscriptions, Watches int
	SendBytes, PartialBytes          int // waiting for connections; of frames that are not all there
	Queues, QueuedMessages           int
	QueuedBytes                      int

	ConnsAccepted, ConnsRefused uint64
	ConnsClosed                 []Count // by cause
	AcceptErrors                uint64
	FramesIn, Pings             uint64  // pings are frames too
	Messages                    []Count // understood, by type
	Bad                         []Count // refused frames, by reason
	Limited                     []Count // refused by a limit
	BytesIn, BytesOut           uint64
	EventsOut                   uint64 // handed to a connection
	EventsDropped               uint64 // not handed over: its send buffer was full
	EventsUnheard               uint64 // published to a channel without subscribers
	FramesDiscarded             uint64 // waited for a connection that ended
	Enqueued, Dequeued          uint64
	QueueDropped                uint64

	Bridge Bridge
}

// Bridge is a snapshot of what goes between Channel and the groups.
type Bridge struct {
	ToGroups                    uint64
	ToSubscribers               uint64
	Refused                     []Count // by reason
	Own                         uint64  // had been here before
	Stripped                    uint64  // passed on without their other keys
	TooFar                      uint64  // came through too many servers
	QueuedMessages, QueuedBytes int
	Dropped                     uint64 // found the way from the broker full
}

// ChannelJoin is a snapshot of a connection to somebody else's Channel server.
type ChannelJoin struct {
	Connected    bool
	Since        time.Time // of this state; the zero time is not told
	Reconnects   uint64
	Forwarded    uint64
	NotForwarded uint64
	Received     uint64

	Refused  []Count // by reason: events that their groups did not get
	Bad      []Count // by reason: what was not understood
	Returned []Count // by cause: events that had been here before, or come twice
	Stripped uint64  // forwarded without their other keys
	TooFar   uint64  // came through too many servers
	Dropped  uint64  // found the way from the broker full
}

// Count is one of several counters that belong together.
type Count struct {
	Label string
	N     uint64
}

// Metrics is a registry of its own with all there is to tell about the server.
type Metrics struct {
	registry *prometheus.Registry
	log      *slog.Logger
}

// New makes a registry. It does not ask the sources yet.
func New(s Sources) (*Metrics, error) {
	if s.Stats == nil {
		return nil, errors.New("metrics: Stats is required")
	}
	m := &Metrics{registry: prometheus.NewRegistry(), log: s.Logger}
	if m.log == nil {
		m.log = slog.Default()
	}
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newCollector(s),
	} {
		if err := m.registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// Handler answers a scrape.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: scrapeLog{m.log},
		// What could be gathered is told, rather than nothing.
		ErrorHandling: promhttp.ContinueOnError,
	})
}

type scrapeLog struct{ log *slog.Logger }

func (l scrapeLog) Println(v ...any) {
	l.log.Warn("metrics: a scrape failed", "error", fmt.Sprint(v...))
}
