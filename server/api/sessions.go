package api

import (
	"context"
	"errors"

	"github.com/gobwas/ws"

	"groupcast/loop"
	"groupcast/server/members"
)

type sessionsQuery struct {
	after loop.SessionID
	limit int
}

func (a *API) sessionsQueryOf(v *parameters) (q sessionsQuery) {
	if after := v.text("after"); after != "" {
		q.after = a.sessionID(v, "query.after", after)
	}
	q.limit = v.pageLimit()
	return q
}

type userQuery struct {
	sessionsQuery

	user string // "": everybody's
}

func (a *API) userQueryOf(v *parameters) userQuery {
	return userQuery{a.sessionsQueryOf(v), v.text("user")}
}

type sessionsPage struct {
	Sessions []sessionInfo `json:"sessions"`
	Next     string        `json:"next,omitempty"`
}

func (a *API) listSessions(ctx context.Context, q userQuery) (page sessionsPage, p *problem) {
	ctx, cancel := a.queried(ctx)
	defer cancel()
	if p := a.enterListing(ctx); p != nil {
		return page, p
	}
	defer a.listings.leave()
	if q.user == "" {
		return a.sessionsPageOf(a.engine.Sessions(ctx, q.after, q.limit))
	}
	sessions, next, err := a.engine.UserSessions(ctx, q.user, q.after, q.limit)
	if errors.Is(err, loop.ErrNoUser) { // an empty list
		err = nil
	}
	return a.sessionsPageOf(sessions, next, err)
}

func (a *API) sessionsPageOf(sessions []loop.SessionInfo, next loop.SessionID, err error) (page sessionsPage,
	p *problem,
) {
	if err != nil {
		return page, problemOf(err)
	}
	page.Sessions = make([]sessionInfo, len(sessions)) // never null
	for i := range sessions {
		page.Sessions[i] = sessionInfo{a.sessionText(sessions[i].ID), sessions[i]}
	}
	if next != (loop.SessionID{}) {
		page.Next = a.sessionText(next)
	}
	return page, nil
}

func (a *API) getSession(ctx context.Context, id loop.SessionID) (sessionInfo, *problem) {
	ctx, cancel := a.queried(ctx)
	defer cancel()
	info, err := a.engine.Session(ctx, id)
	return sessionInfo{a.sessionText(info.ID), info}, problemOf(err)
}

// closing is what is to be done with a session: one of this node's, or of a cluster's by its text.
type closing struct {
	session loop.SessionID
	cluster members.Cluster // nil: the session is this node's
	text    string
	code    ws.StatusCode
	reason  string
}

func (a *API) closingOf(v *parameters) closing {
	code := v.number("code", 1000, 4999, int(ws.StatusPolicyViolation))
	c := closing{code: ws.StatusCode(code), text: v.request.PathValue("session"), reason: v.text("reason")}
	cluster := a.cluster()
	id, ours, ok := readID(cluster, v, "path.session", c.text)
	if c.session = id; ok && !ours {
		c.cluster = cluster
	}
	return c
}

type userClosing struct {
	user   string
	code   ws.StatusCode
	reason string
}

func userClosingOf(v *parameters) userClosing {
	code := v.number("code", 1000, 4999, int(ws.StatusPolicyViolation))
	return userClosing{userOf(v), ws.StatusCode(code), v.text("reason")}
}

func (a *API) deleteUserSessions(ctx context.Context, c userClosing) (silent []string, p *problem) {
	ctx, cancel := a.queried(ctx)
	defer cancel()
	if p := a.enterListing(ctx); p != nil {
		return nil, p
	}
	defer a.listings.leave()
	if all := a.cluster(); all != nil {
		closed, silent, err := all.CloseUser(ctx, c.user, c.code, c.reason)
		return removedAnywhere(closed, silent, err, loop.ErrNoUser)
	}
	_, err := a.engine.CloseUser(ctx, c.user, c.code, c.reason)
	return nil, problemOf(err)
}

// removedAnywhere is nobody if there is nothing to remove, which is not known while nodes are silent.
func removedAnywhere(removed int, silent []string, err, nobody error) ([]string, *problem) {
	if err == nil && removed == 0 && len(silent) == 0 {
		err = nobody
	}
	return silent, problemOf(err)
}

func (a *API) deleteSession(ctx context.Context, c closing) *problem {
	ctx, cancel := a.queried(ctx)
	defer cancel()
	if c.cluster != nil {
		return problemOf(c.cluster.CloseSession(ctx, c.text, c.code, c.reason))
	}
	return problemOf(a.engine.CloseSession(ctx, c.session, c.code, c.reason))
}
