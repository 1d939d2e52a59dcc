package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/gobwas/ws"

	"groupcast/loop"
	"groupcast/loop/budget"
	"groupcast/loop/ration"
	"groupcast/server/members"
	"groupcast/server/monitor"
)

// Engine is what the API asks of the loops; *loop.Engine is one. See there for
// what each method promises.
type Engine interface {
	PublishAll(ctx context.Context, p loop.Publication) (order uint64, err error)
	Sessions(ctx context.Context, after loop.SessionID, limit int) ([]loop.SessionInfo, loop.SessionID, error)
	UserSessions(ctx context.Context, user string, after loop.SessionID, limit int) ([]loop.SessionInfo, loop.SessionID,
		error)
	CloseUser(ctx context.Context, user string, code ws.StatusCode, reason string) (closed int, err error)
	Session(ctx context.Context, id loop.SessionID) (loop.SessionInfo, error)
	CloseSession(ctx context.Context, id loop.SessionID, code ws.StatusCode, reason string) error
	Join(ctx context.Context, group string, id loop.SessionID) error
	WaitCovered(ctx context.Context, group string) (covered bool)
	Leave(ctx context.Context, group string, id loop.SessionID) error
	Groups(ctx context.Context, prefix, after string, limit int) ([]loop.GroupInfo, bool, error)
	Group(ctx context.Context, name string) (loop.GroupInfo, error)
	Members(ctx context.Context, group string, after loop.SessionID, limit int) ([]loop.SessionInfo, loop.SessionID, error)
	Dissolve(ctx context.Context, name string) (left int, err error)
}

// Monitor is who knows how the server is doing without asking a loop: its methods
// answer at once, from the last samples.
type Monitor interface {
	Status() monitor.Status
	Stats() loop.Stats
	History() monitor.History
}

// Options are what an API is made of. Engine and Monitor are required.
type Options struct {
	Engine  Engine
	Monitor Monitor
	// Cluster is asked who is in a group, and how sessions are called, where it is not nil: at the moment,
	// this node is one of several then. A nil func is a node that is always alone.
	Cluster func() members.Cluster
	// NotReady says why no new clients should come here although the loops are well; "" if they
	// should. nil: they should.
	NotReady func() string
	// Page serves / and what belongs to it, to every client: it must not hold
	// anything that is worth a token. nil is no page.
	Page http.Handler
	// Metrics answers GET /metrics; nil is 404.
	Metrics http.Handler
	// Limits are in force from the start; see SetLimits.
	Limits Limits
	// Tokens that may be presented; see SetTokens.
	Tokens []string
	// IPv6Bits is how much of an IPv6 address limits count as one; 0 is 64.
	IPv6Bits int
	// AllowedHosts are names, without port, that requests without a token may
	// have in their Host header beside localhost and IP addresses; see SetAllowedHosts.
	AllowedHosts []string
	// Budget is the process's for memory, in which bodies of requests count; nil is none.
	Budget *budget.Budget
	// Logger gets each request at level debug, and what goes wrong at warn; nil
	// is slog.Default.
	Logger *slog.Logger
}

// API is groupcast's HTTP API. It may be used from any goroutine.
type API struct {
	engine  Engine
	monitor Monitor
	cluster func() members.Cluster
	// elsewhere is Options.NotReady.
	elsewhere func() string
	page      http.Handler
	metrics   http.Handler
	sites     *SiteGuard
	log       *slog.Logger

	mux        *http.ServeMux
	operations map[string]*operation // by the mux's pattern
	noRoute    *operation            // stands for what no route leads to
	pageRoute  *operation            // stands for what Page serves

	limits   atomic.Pointer[Limits] // what it points to is never changed
	tokens   tokens
	draining atomic.Bool
	requests gauge // in flight, of those that MaxInFlight is about
	scrapes  gauge // of metrics, in flight
	listings *listingGate
	ration   *ration.Logger
	conns    *conns
	counters Counters
	budget   *budget.Budget
	bodies   *budget.Account // of requests that are being worked on
}

// New makes an API. The error says which option is wrong.
func New(o Options) (*API, error) {
	if o.Engine == nil || o.Monitor == nil {
		return nil, errors.New("api: Engine and Monitor are required")
	}
	a := &API{
		engine:     o.Engine,
		monitor:    o.Monitor,
		cluster:    o.Cluster,
		elsewhere:  o.NotReady,
		page:       o.Page,
		metrics:    o.Metrics,
		sites:      NewSiteGuard(o.AllowedHosts),
		log:        o.Logger,
		mux:        http.NewServeMux(),
		operations: make(map[string]*operation),
		noRoute:    &operation{id: "none"},
		pageRoute:  &operation{id: "page"},
		conns:      newConns(o.IPv6Bits),
		listings:   newListingGate(),
		budget:     o.Budget,
		bodies:     o.Budget.Account(budget.API),
	}
	if a.log == nil {
		a.log = slog.Default()
	}
	if a.cluster == nil {
		a.cluster = func() members.Cluster { return nil }
	}
	a.ration = ration.New(a.log)
	if err := errors.Join(a.SetLimits(o.Limits), a.SetTokens(o.Tokens)); err != nil {
		return nil, err
	}
	a.register()
	return a, nil
}

// SetDraining makes /readyz answer 503 from now on, so that load balancers look
// elsewhere before the doors close.
func (a *API) SetDraining() { a.draining.Store(true) }

// OpenAPI is the API's description, a JSON document. It is not to be changed.
func (a *API) OpenAPI() []byte { return document }

// Stats is what the API counts.
func (a *API) Stats() Stats {
	s := Stats{Counters: &a.counters, InFlight: a.requests.now()}
	s.Conns, s.EvictedConns = a.conns.now()
	add := func(op *operation) {
		for class := range op.counts {
			s.Requests = append(s.Requests, RequestCount{op.id, classNames[class], op.counts[class].Load()})
		}
	}
	for _, op := range a.operations {
		add(op)
	}
	add(a.noRoute)
	if a.page != nil {
		add(a.pageRoute)
	}
	sortRequests(s.Requests)
	return s
}
