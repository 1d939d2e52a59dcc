package loop

import (
	"bytes"
	"context"
	"errors"

	"github.com/gobwas/ws"

	"groupcast/loop/reactor"
	"groupcast/protocol"
)

// Questions about sessions, and orders to them, from outside the loops. Each is
// run on the session's own loop; nothing reads a reactor's maps from outside.

// Sessions lists up to limit sessions (1 to MaxPage) behind after, by reactor
// and slot; the zero id is the beginning. next is the id to go on with, the
// zero one at the end. A session that lives during the whole listing is in it once.
func (e *Engine) Sessions(ctx context.Context, after SessionID, limit int) (page []SessionInfo, next SessionID,
	err error,
) {
	return e.list(ctx, after, limit, (*reactor.Reactor).ListSessions)
}

// Members lists up to limit sessions that are in a group, as Sessions does. The error is
// ErrNoGroup if after is the beginning and there are none, ErrClosed or ctx's.
func (e *Engine) Members(ctx context.Context, group string, after SessionID, limit int) (page []SessionInfo,
	next SessionID, err error,
) {
	page, next, err = e.list(ctx, after, limit, func(r *reactor.Reactor, slot, limit int) reactor.SessionsPart {
		return r.ListMembers(group, slot, limit)
	})
	if err == nil && len(page) == 0 && after == (SessionID{}) {
		err = ErrNoGroup
	}
	return page, next, err
}

// Memberships is Members for who asks only who they are. A group without members has none.
func (e *Engine) Memberships(ctx context.Context, group string, after SessionID, limit int) (page []Membership,
	next SessionID, err error,
) {
	return listBy(ctx, e, after, limit, func(r *reactor.Reactor, slot, limit int) ([]Membership, int) {
		part := r.ListMemberships(group, slot, limit)
		return part.Memberships, part.Next
	}, func(m *Membership) SessionID { return m.Session })
}

// UserSessions lists up to limit sessions of a user, as Sessions does. The error is ErrNoUser
// if after is the beginning and there are none, ErrClosed or ctx's.
func (e *Engine) UserSessions(ctx context.Context, user string, after SessionID, limit int) (page []SessionInfo,
	next SessionID, err error,
) {
	page, next, err = e.list(ctx, after, limit, func(r *reactor.Reactor, slot, limit int) reactor.SessionsPart {
		return r.ListUser(user, slot, limit)
	})
	if err == nil && len(page) == 0 && after == (SessionID{}) {
		err = ErrNoUser
	}
	return page, next, err
}

// CloseUser begins the close handshakes of a user's sessions, as CloseSession does, and
// returns how many. Who comes meanwhile may stay. The error is ErrNoUser if there are
// none, ErrClosed or ctx's.
func (e *Engine) CloseUser(ctx context.Context, user string, code ws.StatusCode, reason string) (closed int,
	err error,
) {
	if err := protocol.CheckClose(code, reason); err != nil {
		return 0, err
	}
	for after := (SessionID{}); ; {
		page, next, err := e.UserSessions(ctx, user, after, MaxPage)
		if err != nil {
			return closed, err
		}
		for i := range page {
			switch err := e.CloseSession(ctx, page[i].ID, code, reason); {
			case err == nil:
				closed++
			case !errors.Is(err, ErrNoSession): // it has gone by itself
				return closed, err
			}
		}
		if after = next; next == (SessionID{}) {
			return closed, nil
		}
	}
}

// ErrNoUser is the answer when a user has no session.
var ErrNoUser = errors.New("no session of that user")

// list asks one reactor after the other for parts of a page.
func (e *Engine) list(ctx context.Context, after SessionID, limit int,
	part func(r *reactor.Reactor, slot, limit int) reactor.SessionsPart,
) (page []SessionInfo, next SessionID, err error) {
	return listBy(ctx, e, after, limit, func(r *reactor.Reactor, slot, limit int) ([]SessionInfo, int) {
		p := part(r, slot, limit)
		return p.Sessions, p.Next
	}, func(s *SessionInfo) SessionID { return s.ID })
}

// listBy is list for whatever a page has entries of: one for each session, whose id is id.
func listBy[T any](ctx context.Context, e *Engine, after SessionID, limit int,
	part func(r *reactor.Reactor, slot, limit int) (entries []T, next int), id func(*T) SessionID,
) (page []T, next SessionID, err error) {
	type answer struct {
		entries []T
		next    int
	}
	limit = min(max(limit, 1), MaxPage)
	index, slot := placeBehind(after)
	for index < len(e.reactors) {
		from, most := slot, limit-len(page) // a loop may come to it when ctx has ended, and this has returned
		found, err := askOne(ctx, e, e.reactors[index], func(r *reactor.Reactor) (a answer) {
			a.entries, a.next = part(r, from, most)
			return a
		})
		if err != nil {
			return nil, SessionID{}, err
		}
		page = append(page, found.entries...)
		if len(page) == limit {
			return page, id(&page[limit-1]), nil
		}
		if slot = found.next; slot == 0 {
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

// Session describes one session, with the names of its groups. The error is
// ErrNoSession, ErrClosed or ctx's.
func (e *Engine) Session(ctx context.Context, id SessionID) (SessionInfo, error) {
	return askSession(ctx, e, id, func(r *reactor.Reactor) (SessionInfo, error) { return r.Describe(id) })
}

// CloseSession begins a session's close handshake. It does not wait for its
// end. code and reason must fit a close frame: see protocol.CheckClose.
func (e *Engine) CloseSession(ctx context.Context, id SessionID, code ws.StatusCode, reason string) error {
	if err := protocol.CheckClose(code, reason); err != nil {
		return err
	}
	return e.order(ctx, id, func(r *reactor.Reactor) error { return r.Kick(id, code, reason) })
}

// Tell sends one session a text of the server's own: an answer that had to wait for
// something outside the loops, and so stands outside the order of the session's
// commands. It does not wait until that is written; text is copied. The error is
// ErrNoSession, ErrClosed or ctx's.
func (e *Engine) Tell(ctx context.Context, id SessionID, text []byte) error {
	text = bytes.Clone(text) // the loop may come to it when the caller has gone on
	return e.order(ctx, id, func(r *reactor.Reactor) error { return r.Tell(id, text) })
}

// Identify has an open session belong to who from now on, nil makes it anonymous: a token
// was renewed, or taken back. Sessions lists say who. The error is ErrNoSession, ErrClosed
// or ctx's.
func (e *Engine) Identify(ctx context.Context, id SessionID, who *Identity) error {
	return e.order(ctx, id, func(r *reactor.Reactor) error { return r.Identify(id, who) })
}

// Authenticated brings the answer to an auth command that Options.Authenticate has taken:
// who the session is from now on, or why not. The session gets its answer; that it is
// another user's token, or that the user has as many sessions as it may, is told to it as
// well. The error is ErrNoSession, ErrClosed or ctx's.
func (e *Engine) Authenticated(ctx context.Context, request AuthRequest, who *Identity,
	refused *protocol.CommandError,
) error {
	return e.order(ctx, request.Session, func(r *reactor.Reactor) error {
		return r.Authenticated(request.Session, request.ReqID, who, refused)
	})
}

// MembersListed brings the answer to a members command that Options.ListMembers has taken: the
// text that request.Text has made, which nobody may change any more, or why there is none. It
// stands outside the order of the session's commands. The error is ErrNoSession, ErrClosed or
// ctx's; after the last the session gets its answer all the same.
func (e *Engine) MembersListed(ctx context.Context, request MembersRequest, text []byte,
	refused *protocol.CommandError,
) error {
	return e.order(ctx, request.Session, func(r *reactor.Reactor) error {
		return r.MembersListed(request, text, refused)
	})
}

// Join makes a session a member of a group. The error is ErrBadGroup,
// ErrNoSession, or a *protocol.CommandError that says which limit is reached.
func (e *Engine) Join(ctx context.Context, group string, id SessionID) error {
	if !e.validGroup(group) {
		return ErrBadGroup
	}
	return e.order(ctx, id, func(r *reactor.Reactor) error {
		_, err := r.Join(id, group) // its place in the order
		return err
	})
}

// Leave takes a session out of a group; it need not be in it.
func (e *Engine) Leave(ctx context.Context, group string, id SessionID) error {
	if !e.validGroup(group) {
		return ErrBadGroup
	}
	return e.order(ctx, id, func(r *reactor.Reactor) error { return r.Leave(id, group) })
}
