package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"

	"groupcast/server/api"
	"groupcast/server/door"
	"groupcast/server/metrics"
	"groupcast/server/monitor"
	"groupcast/server/page"
	"groupcast/server/settings"
)

// defaultAPI is where the API listens if nobody has said where, and nobody else
// does.
const defaultAPI = "127.0.0.1:1235"

// apiService is the API behind its listeners. The control socket leads to the
// same API.
type apiService struct {
	api      *api.API
	log      *slog.Logger
	maxFiles int
	inForce  Options // whose tokens, limits and hosts are; guarded by the server's reloading
	doors    []*door.Door
	servers  []*http.Server
	serving  sync.WaitGroup
}

// newAPI makes the API, which has no listener yet.
func (s *Server) newAPI() (*api.API, error) {
	tokens, err := apiTokens(s.options, s.log)
	if err != nil {
		return nil, err
	}
	var a *api.API // asked only once it serves
	build := ReadBuild()
	m, err := metrics.New(metrics.Sources{
		Stats:       s.monitor.Stats,
		MaxConns:    s.maxConnections,
		API:         func() api.Stats { return a.Stats() },
		Doors:       s.roadStats,
		Tokens:      s.tokenStats,
		Members:     s.questions.stats,
		Channel:     s.channelStats,
		ChannelJoin: s.joinStats,
		Bus:         s.busStats,
		Build:       metrics.Build{Version: build.Version, Revision: build.Revision, Go: build.Go},
		Logger:      s.log,
	})
	if err != nil {
		return nil, fmt.Errorf("start the metrics: %w", err)
	}
	a, err = api.New(api.Options{
		Engine:  s.engine,
		Monitor: s.monitor,
		Page:    page.Handler(),
		Metrics: m.Handler(),
		Limits:  apiLimits(s.options, s.maxFiles),
		Tokens:  tokens,
		Budget:  s.budget,
		Logger:  s.log,
		Cluster: s.directory.others,

		NotReady: s.notReady,

		IPv6Bits:     s.options.IPv6PrefixBits,
		AllowedHosts: s.options.APIHosts,
	})
	if err != nil {
		return nil, fmt.Errorf("start the API: %w", err)
	}
	return a, nil
}

// openAPI serves the API where --api says. The default address is only a wish:
// several servers on one machine are not to be kept from starting by it.
func (s *Server) openAPI() (service, error) {
	addresses, wish := s.options.API, len(s.options.API) == 0
	switch {
	case wish:
		addresses = []string{cmp.Or(s.program.apiWish, defaultAPI)}
	case slices.Equal(addresses, []string{none}):
		addresses = nil
	}
	doors, err := openDoors("api", addresses, s.options.SocketMode)
	if err != nil && wish {
		s.log.Warn("no HTTP API: its default address is not to be had; --api gives it another, --api none is no API",
			"error", err)
		s.noAPI = err.Error() + " (--api HOST:PORT)"
		doors, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	service := &apiService{api: s.api, log: s.log, maxFiles: s.maxFiles, inForce: s.options, doors: doors}
	if err := service.checkDoors(s.api.HasTokens()); err != nil {
		return nil, errors.Join(err, shutAll(doors))
	}
	open, guarded := s.api.Handler(false), s.api.Handler(true)
	handler := s.roads.believed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.api.HasTokens() {
			guarded.ServeHTTP(w, r)
		} else {
			open.ServeHTTP(w, r)
		}
	}))
	o := s.options.APIServer
	o.Logger = s.log
	for _, d := range doors {
		h := api.NewHTTPServer(handler, o)
		service.servers = append(service.servers, h)
		along, err := s.along(d, s.roads.apiTLS)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--api: %w", err), service.close())
		}
		listener := s.api.LimitConns(along)
		service.serving.Go(func() {
			if err := h.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				d.Ended()
				s.log.Error("the API's listener failed", "address", d.Bound().String(), "error", err)
			}
		})
	}
	return service, nil
}

// apiTokens are those of o. What makes them less of a secret is logged.
func apiTokens(o Options, log *slog.Logger) (tokens []string, err error) {
	if o.APIToken != "" {
		tokens = append(tokens, o.APIToken)
		if len(o.APIToken) < api.MinTokenBytes {
			log.Warn("--api-token is short, and could be guessed", "want_characters", api.MinTokenBytes)
		}
	}
	if o.APITokenFile != "" {
		more, warnings, err := api.ReadTokens(o.APITokenFile)
		if err != nil {
			return nil, fmt.Errorf("--api-token-file: %w", err)
		}
		for _, warning := range warnings {
			log.Warn(warning)
		}
		tokens = append(tokens, more...)
	}
	return tokens, nil
}

func (a *apiService) listeners() []monitor.Listener {
	return shown(monitor.KindAPI, a.doors...)
}

// prepare reads the tokens again in any case.
func (a *apiService) prepare(next Options) (change, error) {
	tokens, err := apiTokens(next, a.log)
	if err != nil {
		return change{}, err
	}
	if err := a.checkDoors(len(tokens) > 0); err != nil {
		return change{}, err
	}
	return change{commit: func() error {
		err := errors.Join(a.api.SetTokens(tokens), a.api.SetLimits(apiLimits(next, a.maxFiles)))
		if err == nil {
			a.api.SetAllowedHosts(next.APIHosts)
			a.inForce = next
		}
		return err
	}}, nil
}

// running puts into o what is in force. A token itself is not kept: of it, the
// settings count that the last ones were read by.
func (a *apiService) running(o *Options) {
	o.APIToken, o.APITokenFile = a.inForce.APIToken, a.inForce.APITokenFile
	o.APIHosts = a.inForce.APIHosts
	if a.api.Limits() == apiLimits(a.inForce, a.maxFiles) {
		o.APILimits = a.inForce.APILimits
	}
}

// checkDoors looks at the addresses that are bound: the table knows them as they
// were asked for.
func (a *apiService) checkDoors(haveToken bool) error {
	for _, d := range a.doors {
		if addr := d.Bound().String(); !haveToken && settings.NeedsToken(addr) {
			return &settings.ValueError{Setting: "api", Wants: settings.WantsToken, Got: addr}
		}
	}
	return nil
}

// drain only makes it say that it is not ready: who asks how the drain is going
// is to be answered until its end.
func (a *apiService) drain() { a.api.SetDraining() }

func (a *apiService) flush(context.Context) error { return nil }

func (a *apiService) close() error {
	var errs []error
	for _, h := range a.servers {
		ctx, cancel := context.WithTimeout(context.Background(), a.inForce.APICloseTimeout)
		if err := h.Shutdown(ctx); err != nil {
			errs = append(errs, h.Close())
		}
		cancel()
	}
	errs = append(errs, shutAll(a.doors))
	a.serving.Wait()
	return errors.Join(errs...)
}
