package loop

import (
	"context"
	"errors"
	"time"

	"github.com/gobwas/ws"

	"groupcast/protocol"
)

// Questions about sessions, and orders to them, from outside the loops. Each is
// run on the session's own loop; nothing reads a reactor's maps from outside.

// SessionInfo is what is known of one session.
type SessionInfo struct {
	ID           SessionID     `json:"id"`
	Reactor      int           `json:"reactor"`
	Remote       string        `json:"remote"`
	State        string        `json:"state"` // handshake, open or closing
	Envelope     bool          `json:"envelope"`
	GroupCount   int           `json:"group_count"`
	Groups       []string      `json:"groups,omitempty"` // only where one session is asked for
	BacklogBytes int           `json:"backlog_bytes"`    // queued, with what is kept beside it
	Blocked      bool          `json:"blocked"`          // its socket takes no more at the moment
	BytesIn      uint64        `json:"bytes_in"`
	BytesOut     uint64        `json:"bytes_out"`
	Idle         time.Duration `json:"idle_ns"` // since the last byte from it; in whole ticks of the engine's clock
	Age          time.Duration `json:"age_ns"`  // since it was accepted; likewise
}

// ErrNoSession is the answer when there is no session of that id, or it is on
// its way out.
var ErrNoSession = errors.New("no such session")

// MaxPage is the most entries that one page of a listing has.
const MaxPage = 1000

// scanSlots is how many slots a loop looks through before it does something else.
const scanSlots = 4096

// Sessions lists up to limit sessions (1 to MaxPage) behind after, by reactor
// and slot; the zero id is the beginning. next is the id to go on with, the
// zero one at the end. A session that lives during the whole listing is in it once.
func (e *Engine) Sessions(ctx context.Context, after SessionID, limit int) (page []SessionInfo, next SessionID, err error) {
	limit = min(max(limit, 1), MaxPage)
	index, slot := placeBehind(after)
	for index < len(e.reactors) {
		part, err := askOne(ctx, e, e.reactors[index], func(r *reactor) sessionsPart {
			return r.listSessions(slot, limit-len(page))
		})
		if err != nil {
			return nil, SessionID{}, err
		}
		page = append(page, part.sessions...)
		if len(page) == limit {
			return page, page[limit-1].ID, nil
		}
		if slot = part.next; slot == 0 {
			index++
		}
	}
	return page, SessionID{}, nil
}

// placeBehind is the place behind id in the order of a listing: by reactor, then slot.
func placeBehind(id SessionID) (reactor, slot int) {
	if id == (SessionID{}) {
		return 0, 0
	}
	return id.Reactor(), int(id.Slot()) + 1
}

// sessionsPart is what a loop says in one go.
type sessionsPart struct {
	sessions []SessionInfo
	next     int // slot to go on with, 0 at the end
}

// listSessions describes up to limit sessions from slot on, looking through
// scanSlots slots at most.
func (r *reactor) listSessions(slot, limit int) (part sessionsPart) {
	slots := r.sessions.slots
	end := min(slot+scanSlots, len(slots))
	for ; slot < end && len(part.sessions) < limit; slot++ {
		if s := slots[slot]; s != nil && s.state != stateDead {
			part.sessions = append(part.sessions, r.describe(s))
		}
	}
	if slot < len(slots) {
		part.next = slot
	}
	return part
}

var stateNames = [...]string{stateHandshake: "handshake", stateOpen: "open", stateClosing: "closing", stateDead: "dead"}

func (r *reactor) describe(s *Session) SessionInfo {
	info := SessionInfo{
		ID:           s.ID(),
		Reactor:      r.index,
		State:        stateNames[s.state],
		Envelope:     s.mode == protocol.ModeEnvelope,
		GroupCount:   s.groupCount(),
		BacklogBytes: int(s.backlog),
		Blocked:      s.is(flagBlocked),
		BytesIn:      s.bytesIn,
		BytesOut:     s.bytesOut,
		Idle:         time.Duration(r.wheel.now-s.lastSeen) * r.every,
		Age:          time.Duration(r.wheel.now-s.opened) * r.every,
	}
	if s.conn != nil && s.conn.RemoteAddr() != nil {
		info.Remote = s.conn.RemoteAddr().String()
	}
	return info
}

// Session describes one session, with the names of its groups. The error is
// ErrNoSession, ErrClosed or ctx's.
func (e *Engine) Session(ctx context.Context, id SessionID) (SessionInfo, error) {
	return withSession(ctx, e, id, func(r *reactor, s *Session) (SessionInfo, error) {
		info := r.describe(s)
		for i := range s.groupCount() {
			info.Groups = append(info.Groups, s.membership(i).g.name)
		}
		return info, nil
	})
}

// CloseSession begins a session's close handshake. It does not wait for its
// end. code and reason must fit a close frame: see protocol.CheckClose.
func (e *Engine) CloseSession(ctx context.Context, id SessionID, code ws.StatusCode, reason string) error {
	if err := protocol.CheckClose(code, reason); err != nil {
		return err
	}
	return e.orderTo(ctx, id, func(r *reactor, s *Session) error {
		r.stats.Kicked++
		r.closeWith(s, code, reason)
		r.settle()
		return nil
	})
}

// Join makes a session a member of a group. The error is ErrBadGroup,
// ErrNoSession, or a *protocol.CommandError that says which limit is reached.
func (e *Engine) Join(ctx context.Context, group string, id SessionID) error {
	if !e.validGroup(group) {
		return ErrBadGroup
	}
	return e.orderTo(ctx, id, func(r *reactor, s *Session) error {
		if err := r.enter(s, []byte(group)); err != nil {
			return err
		}
		return nil
	})
}

// Leave takes a session out of a group; it need not be in it.
func (e *Engine) Leave(ctx context.Context, group string, id SessionID) error {
	if !e.validGroup(group) {
		return ErrBadGroup
	}
	return e.orderTo(ctx, id, func(r *reactor, s *Session) error {
		r.exit(s, []byte(group))
		return nil
	})
}

// orderTo runs do on the loop of an open session.
func (e *Engine) orderTo(ctx context.Context, id SessionID, do func(*reactor, *Session) error) error {
	_, err := withSession(ctx, e, id, func(r *reactor, s *Session) (struct{}, error) {
		if s.state != stateOpen {
			return struct{}{}, ErrNoSession
		}
		return struct{}{}, do(r, s)
	})
	return err
}

// withSession asks the loop of a session that is not dead.
func withSession[T any](ctx context.Context, e *Engine, id SessionID, question func(*reactor, *Session) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	index := id.Reactor()
	if index < 0 || index >= len(e.reactors) {
		return answer{}.value, ErrNoSession
	}
	a, err := askOne(ctx, e, e.reactors[index], func(r *reactor) (a answer) {
		s := r.session(id)
		if s == nil || s.state == stateDead {
			return answer{err: ErrNoSession}
		}
		a.value, a.err = question(r, s)
		return a
	})
	if err != nil {
		return answer{}.value, err
	}
	return a.value, a.err
}
