package bus

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// State is how the connection to NATS is.
type State int

// All states. A node begins with StateConnecting and never comes back to it.
const (
	StateConnecting State = iota // no server could be reached yet
	StateUp
	StateAway    // the connection ended, and no server could be reached since
	StateRefused // as one of these two, and a server that could be reached does not take the credentials
	StateClosed  // for good
)

// States are the names of all of them, by their number.
var States = [...]string{
	StateConnecting: "connecting", StateUp: "up", StateAway: "away", StateRefused: "refused", StateClosed: "closed",
}

func (s State) String() string { return States[s] }

// ConnStatus is what is known of the connection. No secret is in it.
type ConnStatus struct {
	State      State
	Since      time.Time // of State
	Server     string    // HOST:PORT; "" unless State is StateUp
	LastError  string    // of the connection or the attempts to have one; "" if there was none yet
	LastReason Reason    // of LastError
	Reconnects uint64    // how often a connection came back
}

// tracker knows how the connection is, from what follow hears, and tells the operator of what has
// changed: once, not with each attempt. Its methods may be called from any goroutine.
type tracker struct {
	log     *slog.Logger
	servers string

	mu     sync.Mutex
	status ConnStatus
	been   bool // a connection was there
	// ended is why the server will end the connection, where it has said so in front.
	ended error
	// said are the reasons that were told since the last change to or from StateUp.
	said map[Reason]bool
	// last is how the last attempt at each server failed.
	last map[string]Reason
}

// maxTrackedServers bounds tracker.last: NATS tells its clients of servers, and of any number.
const maxTrackedServers = 1024

func newTracker(o Options, log *slog.Logger) *tracker {
	if log == nil {
		log = slog.Default()
	}
	t := &tracker{
		log: log, servers: strings.Join(o.ShownServers(), ","),
		said: make(map[Reason]bool), last: make(map[string]Reason),
	}
	t.status.Since = time.Now()
	return t
}

// Status is how the connection is now.
func (t *tracker) Status() ConnStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status
}

// follow is h with the tracker in front of it.
func (t *tracker) follow(h handlers) handlers {
	h = h.whole()
	return handlers{
		dialing:      h.dialing,
		connected:    func(server string) { t.connected(server); h.connected(server) },
		disconnected: func(err error) { t.disconnected(err); h.disconnected(err) },
		reconnected:  func(server string) { t.connected(server); h.reconnected(server) },
		tried:        func(server string, err error) { t.tried(server, err); h.tried(server, err) },
		closed:       func() { t.closed(); h.closed() },
		slow:         func(sub *nats.Subscription) { h.slow(sub) },
		failed:       func(err error) { t.failed(err); h.failed(err) },
	}
}

// is changes the state. t.mu is held.
func (t *tracker) is(s State) {
	if t.status.State != s {
		t.status.State, t.status.Since = s, time.Now()
	}
}

// note remembers err as the last one. t.mu is held.
func (t *tracker) note(err error) Reason {
	reason := reasonOf(err)
	if err != nil {
		t.status.LastError, t.status.LastReason = err.Error(), reason
	}
	return reason
}

func (t *tracker) connected(server string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.status.State == StateClosed {
		return
	}
	if t.been {
		t.status.Reconnects++
	}
	t.log.Info("bus: connected", "server", server)
	t.status.Server, t.been, t.ended = server, true, nil
	clear(t.said)
	clear(t.last)
	t.is(StateUp)
}

// disconnected is the end of a connection that was there.
func (t *tracker) disconnected(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.status.State != StateUp {
		return
	}
	if t.ended != nil {
		err, t.ended = t.ended, nil
	}
	server := t.status.Server
	t.status.Server = ""
	t.is(StateAway)
	if err == nil {
		return // by this node itself: closed follows
	}
	reason := t.note(err)
	t.log.Warn("bus: away, trying again", "server", server, "reason", string(reason), "err", err)
	// What the attempts have to say of this is the same once more.
	t.said[reason], t.said[ReasonUnreachable], t.said[ReasonTimeout] = true, true, true
}

// tried is an attempt that failed. One that comes after a connection is there belongs to another
// one before.
func (t *tracker) tried(server string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.status.State == StateUp || t.status.State == StateClosed {
		return
	}
	reason := t.note(err)
	if len(t.last) >= maxTrackedServers {
		clear(t.last)
	}
	t.last[server] = reason
	refused := false
	for _, one := range t.last {
		refused = refused || one == ReasonAuthorization
	}
	switch {
	case refused:
		t.is(StateRefused)
	case t.been:
		t.is(StateAway)
	default:
		t.is(StateConnecting)
	}
	if !t.said[reason] {
		t.said[reason] = true
		t.say(reason, server, err)
	}
}

// say tells the operator of an attempt that failed for a new reason.
func (t *tracker) say(reason Reason, server string, err error) {
	switch reason {
	case ReasonAuthorization:
		t.log.Error("bus: NATS does not take this node's credentials, trying on", "server", server, "err", err)
	case ReasonTLS:
		t.log.Error("bus: no TLS with the NATS server, trying on", "server", server, "err", err)
	case ReasonUnreachable, ReasonTimeout:
		t.said[ReasonUnreachable], t.said[ReasonTimeout] = true, true // one or the other, by the attempt
		t.log.Warn("bus: no NATS server reachable yet, trying on", "servers", t.servers, "err", err)
	default:
		t.log.Warn("bus: no connection to NATS, trying on", "server", server, "reason", string(reason), "err", err)
	}
}

// failed is what NATS reports beside attempts.
func (t *tracker) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch reason := reasonOf(err); {
	case t.status.State == StateUp && reason == ReasonAuthorization:
		t.ended = err // the server ends the connection next
	case reason == ReasonPermission:
		t.note(err) // the connection is up all the same, and nothing else says why nobody is heard
	}
}

// reopened is when another connection is tried for after one that was closed for good.
func (t *tracker) reopened() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.status.State == StateClosed {
		t.is(StateAway)
	}
}

func (t *tracker) closed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.status.State == StateClosed {
		return
	}
	t.status.Server = ""
	t.is(StateClosed)
	t.log.Info("bus: closed")
}
