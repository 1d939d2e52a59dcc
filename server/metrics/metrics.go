package metrics

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"groupcast/loop"
	"groupcast/loop/ration"
	"groupcast/server/api"
	"groupcast/server/bus"
	"groupcast/server/door"
	"groupcast/server/members"
	"groupcast/server/token"
	"groupcast/server/workerman"
)

// Sources are who is asked at each scrape. Their functions must answer at once,
// from any goroutine; a nil one, or one that answers nil, is something that this
// server does not have. What they answer with says in tags what it is told as.
type Sources struct {
	// Stats is required: the monitor's last sample.
	Stats func() loop.Stats
	// MaxConns is the limit of connections in force.
	MaxConns func() int
	// API is what the HTTP API counts.
	API func() api.Stats
	// Doors are the roads from listeners to loops, where there are any.
	Doors func() *door.Stats
	// Tokens is what was counted of clients' tokens, where there are keys.
	Tokens func() *token.Stats
	// Members is what was counted of sessions' questions who is in a group.
	Members func() *members.Stats
	// Channel is the Workerman Channel server.
	Channel func() *workerman.Stats
	// ChannelJoin is the connection to another program's Channel server.
	ChannelJoin func() *workerman.Status
	// Bus is this node's part in a cluster.
	Bus func() *bus.Stats
	// Build is what the program was made of.
	Build Build
	// Logger gets what goes wrong with a scrape; nil is slog.Default.
	Logger *slog.Logger
}

// Build describes the program.
type Build struct {
	Version, Revision, Go string
}

// program is Build as it is told.
type program struct {
	Version  string `label:"version"`
	Revision string `label:"revision"`
	Go       string `label:"go_version"`
	Info     int    `metric:"build_info{version,revision,go_version}" help:"Always 1; the labels say what is running."`
}

// settings are those that are told.
type settings struct {
	MaxConns int `metric:"connections_limit" help:"The most connections there may be."`
}

// list are all that are asked. A package that counts has its place here, once.
func (s Sources) list(r *reader) []source {
	return []source{
		from(r, func() *program { return &program{s.Build.Version, s.Build.Revision, s.Build.Go, 1} }),
		from(r, pointer(s.MaxConns, func(n int) settings { return settings{n} })),
		from(r, pointer(s.Stats, same)),
		from(r, pointer(s.API, same)),
		from(r, s.Doors),
		from(r, s.Tokens),
		from(r, s.Members),
		from(r, s.Channel),
		from(r, s.ChannelJoin),
		from(r, s.Bus),
	}
}

// pointer makes a function answer with a pointer to what convert makes of its answer.
func pointer[A, B any](ask func() A, convert func(A) B) func() *B {
	if ask == nil {
		return nil
	}
	return func() *B {
		b := convert(ask())
		return &b
	}
}

func same[T any](v T) T { return v }

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
	own, err := newCollector(s)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		own,
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
		ErrorLog: scrapeLog{ration.New(m.log)},
		// What could be gathered is told, rather than nothing.
		ErrorHandling: promhttp.ContinueOnError,
	})
}

type scrapeLog struct{ log *ration.Logger }

func (l scrapeLog) Println(v ...any) {
	l.log.Warn("metrics: a scrape failed", "error", fmt.Sprint(v...))
}
