package bus

import (
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"groupcast/protocol/subject"
)

// forbidden are the groups whose messages NATS does not let this node have: they are never covered, so that
// the ack of a join says that.
//
// Two things it does not know: that a subject is forbidden where the wildcard is not (NATS takes the wildcard's
// subscription, and leaves the messages out), and that this node may not publish, which only the log and a metric
// say.
type forbidden struct {
	mu     sync.Mutex
	groups map[string]struct{}
	all    bool   // or more of them than are remembered
	last   string // what NATS has said last
}

// maxForbidden is how many groups are remembered that NATS forbids; with more no group is covered.
const maxForbidden = 4096

// note remembers a subject that NATS does not let the node subscribe to.
func (f *forbidden) note(s *subjects, v violation, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = text
	if v.What != "subscribe" {
		return
	}
	if v.Subject == s.groups || v.Subject == s.all || v.Subject == s.own {
		f.all = true
		return
	}
	kind, token, ok := subject.Cut(s.prefix, v.Subject)
	name, err := subject.AppendName(nil, token)
	if !ok || err != nil || kind != subject.KindGroup {
		return
	}
	if f.groups == nil {
		f.groups = make(map[string]struct{})
	}
	if f.groups[string(name)] = struct{}{}; len(f.groups) > maxForbidden {
		f.groups, f.all = nil, true
	}
}

// forget is when there is another connection: an operator may have changed what the node may do.
func (f *forbidden) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.groups, f.all, f.last = nil, false, ""
}

// allowed are those of groups that may be covered.
func (f *forbidden) allowed(groups []string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.all:
		return nil
	case len(f.groups) == 0:
		return groups
	}
	var some []string
	for _, name := range groups {
		if _, is := f.groups[name]; !is {
			some = append(some, name)
		}
	}
	return some
}

// has reports whether text is what NATS has said last.
func (f *forbidden) has(text string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last == text
}

// noted waits until what the connection has said of forbidden subjects is noted, and reports whether it is:
// nats.go tells of it by another goroutine than of the answer that came behind it.
func (b *Bus) noted() bool {
	const step = time.Millisecond
	for began := time.Now(); ; {
		err := b.conn.Load().LastError()
		if !errors.Is(err, nats.ErrPermissionViolation) || b.forbidden.has(err.Error()) {
			return true
		}
		if time.Since(began) > flushWait {
			return false
		}
		select {
		case <-time.After(step):
		case <-b.stop.Done():
			return false
		}
	}
}
