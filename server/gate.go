package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"groupcast/loop"
	"groupcast/loop/quota"
	"groupcast/loop/ration"
	"groupcast/protocol"
	"groupcast/server/door"
	"groupcast/server/problem"
	"groupcast/server/token"
)

// gate asks clients for their tokens, off the loops: a request's in front of its upgrade, on
// the road, and an open session's when it sends one.
// Owner: the Server. What is atomic, and its methods, may be used by any goroutine.
type gate struct {
	log *ration.Logger
	// tell brings a session its answer, as loop.Engine.Authenticated does; set before anybody comes.
	tell func(context.Context, loop.AuthRequest, *loop.Identity, *protocol.CommandError) error
	// drop closes a session, as loop.Engine.CloseSession does; set likewise.
	drop func(context.Context, loop.SessionID, ws.StatusCode, string) error

	force   atomic.Pointer[inForce]
	spent   atomic.Uint64 // answered 429
	crowded atomic.Uint64 // renewals that found no place
	panics  atomic.Uint64 // renewals that a mistake here has ended

	life     context.Context // ends with the gate
	end      context.CancelFunc
	renewing sync.WaitGroup
	retiring sync.WaitGroup             // what a reload has replaced
	places   chan struct{}              // for tokens of open sessions
	shares   *quota.Quota[netip.Prefix] // of the places, for each address

	mu      sync.Mutex // also orders force's change and use
	closed  bool
	waiting map[loop.SessionID]bool // those whose token is being looked at
}

const (
	// renewalShare is which part of the places for renewals one address may have: a quarter, as
	// on a road.
	renewalShare = 4
	// waitingShare is which part of the places, on a road or for renewals, the tokens may hold
	// that wait for key servers: less than one address may have of either, since a
	// token that nobody has signed can wait.
	waitingShare = 8
)

// inForce is what a reload may change. It never changes itself. What was replaced goes on
// until nobody uses it: a token may wait for keys that it is about to have.
type inForce struct {
	users    sync.WaitGroup
	options  Options
	checker  *token.Checker
	failures *door.RateLimit
}

// newGate is nil where there are no keys.
func newGate(o Options, places int, log *slog.Logger) (*gate, error) {
	t := o.Tokens()
	if !t.Configured() {
		return nil, nil
	}
	g := &gate{
		log: ration.New(log), places: make(chan struct{}, places), waiting: make(map[loop.SessionID]bool),
		shares: quota.New[netip.Prefix](max(1, places/renewalShare)),
	}
	force, err := g.newInForce(o, nil, log)
	if err != nil {
		return nil, err
	}
	g.life, g.end = context.WithCancel(context.Background())
	g.force.Store(force)
	return g, nil
}

func (g *gate) newInForce(o Options, before *inForce, log *slog.Logger) (*inForce, error) {
	failures, err := door.NewRateLimit(door.RateOptions{
		PerAddress: o.TokenFailures, PerAddressBurst: int(max(1, math.Ceil(2*o.TokenFailures))),
		IPv6Bits: o.IPv6PrefixBits, Uncounted: o.Proxies(),
	})
	if err != nil {
		return nil, fmt.Errorf("--token-failures: %w", err)
	}
	t := o.Tokens()
	t.Log = log
	t.MaxWaiting = max(1, min(cap(g.places), o.MaxHandshakes)/waitingShare)
	f := &inForce{options: o, failures: failures}
	var old *token.Checker
	if before != nil {
		old = before.checker
		if before.options.TokenFailures == o.TokenFailures {
			f.failures = before.failures
		}
	}
	f.checker, err = token.New(t, old)
	return f, err
}

// use is what is in force, until users.Done.
func (g *gate) use() *inForce {
	g.mu.Lock()
	defer g.mu.Unlock()
	force := g.force.Load()
	force.users.Add(1)
	return force
}

// replace puts next in force.
func (g *gate) replace(next *inForce) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		next.checker.Close()
		return
	}
	before := g.force.Swap(next)
	g.retiring.Go(func() {
		before.users.Wait() // no longer than a handshake may take
		before.checker.Close()
	})
}

// ask is who comes with a request for an upgrade; nil: anonymous. Where refusal is not nil, it
// is what the client is to be answered in place of one.
func (g *gate) ask(ctx context.Context, client netip.AddrPort, request protocol.RequestFacts) (
	who *loop.Identity, refusal []byte,
) {
	force := g.use()
	defer force.users.Done()
	text, refused := token.Find(request)
	switch {
	case refused == nil:
		who, refused = g.check(ctx, force, client, text)
	case refused.Reason == token.Missing && force.options.TokenOptional:
		return nil, nil
	default:
		force.checker.Count(refused)
	}
	if refused != nil {
		return nil, answerOf(refused)
	}
	return who, nil
}

// check looks at a token, unless too many of that address have failed.
func (g *gate) check(ctx context.Context, force *inForce, from netip.AddrPort, text string) (
	*loop.Identity, *token.RefusedError,
) {
	client := from.Addr()
	if force.failures.Exhausted(client, time.Now()) {
		g.spent.Add(1)
		return nil, errSpent
	}
	// One that is to wait counts as failed until it has not: an address has no more of them
	// under way than may fail.
	charged, tooMany, judged := false, false, false
	defer func() {
		if !judged && !charged { // a panic: what brings one is not for free
			force.failures.Allow(client, time.Now())
		}
	}()
	who, err := force.checker.Check(ctx, text, func() bool {
		charged = force.failures.Allow(client, time.Now())
		tooMany = !charged
		return charged
	})
	judged = true
	refused, _ := errors.AsType[*token.RefusedError](err)
	failed := refused != nil && refused.Reason != token.Unavailable
	switch {
	case charged && !failed:
		force.failures.GiveBack(client, time.Now())
	case failed && !charged:
		force.failures.Allow(client, time.Now())
	}
	switch {
	case refused == nil:
		return who, nil
	case tooMany:
		g.spent.Add(1)
		return nil, errSpent
	}
	g.log.Log(slog.LevelDebug, "token", "a token is refused", "peer", from.String(), "reason", refused.Reason.String())
	return nil, refused
}

// errSpent is answered where a token is not even looked at.
var errSpent = &token.RefusedError{
	Reason: token.Reasons,
	Detail: "too many tokens of this address have failed; try again later",
}

// retryAfter is told with 429 and 503, in seconds.
const retryAfter = 1

// answerOf is the whole response to a request whose token is refused.
func answerOf(refused *token.RefusedError) []byte {
	status, fields := 401, "WWW-Authenticate: Bearer\r\n"
	p := problem.Of(401, refused)
	p.Code = refused.Reason.String()
	switch {
	case refused == errSpent:
		status, fields, p.Code = 429, fmt.Sprintf("Retry-After: %d\r\n", retryAfter), "too_many_failures"
	case refused.Reason == token.Unavailable:
		status, fields = 503, fmt.Sprintf("Retry-After: %d\r\n", retryAfter)
	}
	p.Status, p.Title = status, http.StatusText(status)
	return protocol.AppendRefusal(nil, status, fields+"Cache-Control: no-store\r\n", problem.MediaType, p.Body())
}

// close ends all that looks at tokens, and waits for it.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.end()
	g.renewing.Wait()
	g.retiring.Wait()
	g.force.Load().checker.Close()
}

// prepare reads the keys again, in any case.
func (g *gate) prepare(next Options, log *slog.Logger) (change, error) {
	before := g.force.Load()
	force, err := g.newInForce(next, before, log)
	if err != nil {
		return change{}, err
	}
	return change{
		commit: func() error {
			g.replace(force)
			return nil
		},
		undo: force.checker.Close,
	}, nil
}

// tokenStats is what metrics tell of tokens; nil where there are none.
func (s *Server) tokenStats() *token.Stats {
	if s.gate == nil {
		return nil
	}
	st := s.gate.force.Load().checker.Stats()
	st.Spent, st.Crowded = s.gate.spent.Load(), s.gate.crowded.Load()
	st.Panics += s.gate.panics.Load()
	return &st
}

// tokens are what a reload has to do with: the gate, and what the anonymous may do.
// Owner: the Server.
type tokens struct {
	s       *Server
	inForce Options // of which tokens' settings count; guarded by the server's reloading
}

// prepare: what the anonymous may do is the loops' to take.
func (t *tokens) prepare(next Options) (c change, err error) {
	if t.s.gate != nil {
		if c, err = t.s.gate.prepare(next, t.s.log); err != nil {
			return c, err
		}
	}
	gate := c.commit
	c.commit = func() error {
		t.inForce = next
		if gate == nil {
			return nil
		}
		return gate()
	}
	return c, nil
}

// running is what is in force.
func (t *tokens) running(o *Options) {
	now := &t.inForce
	o.TokenKeyFiles, o.TokenJWKS, o.TokenIssuers = now.TokenKeyFiles, now.TokenJWKS, now.TokenIssuers
	o.TokenAudience, o.TokenOptional, o.TokenMaxBytes = now.TokenAudience, now.TokenOptional, now.TokenMaxBytes
	o.TokenFailures = now.TokenFailures
	o.AnonymousJoin, o.AnonymousPublish = now.AnonymousJoin, now.AnonymousPublish
	o.AnonymousMembers = now.AnonymousMembers
}
