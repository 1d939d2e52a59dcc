package api

import (
	"context"

	"github.com/gobwas/ws"

	"groupcast/loop"
)

type sessionsInput struct {
	After loop.SessionID `query:"after" doc:"Only sessions behind this one: next of the page before"`
	Limit int            `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"The most sessions to answer with"`
}

type sessionsOutput struct{ Body sessionsPage }

type sessionsPage struct {
	Sessions []loop.SessionInfo `json:"sessions" nullable:"false"`
	Next     string             `json:"next,omitempty" doc:"What to give as after for the next page; missing on the last one"`
}

func (a *API) listSessions(ctx context.Context, in *sessionsInput) (*sessionsOutput, error) {
	ctx, cancel := a.queried(ctx)
	defer cancel()
	if p := a.enterListing(ctx); p != nil {
		return nil, p
	}
	defer a.listings.leave()
	page, next, err := a.engine.Sessions(ctx, in.After, in.Limit)
	if err != nil {
		return nil, problemOf(ctx, err)
	}
	out := sessionsPage{Sessions: append([]loop.SessionInfo{}, page...)} // never null
	if next != (loop.SessionID{}) {
		out.Next = next.String()
	}
	return &sessionsOutput{out}, nil
}

type sessionInput struct {
	Session loop.SessionID `path:"session" doc:"The session's id"`
}

type sessionOutput struct{ Body loop.SessionInfo }

func (a *API) getSession(ctx context.Context, in *sessionInput) (*sessionOutput, error) {
	ctx, cancel := a.queried(ctx)
	defer cancel()
	info, err := a.engine.Session(ctx, in.Session)
	if err != nil {
		return nil, problemOf(ctx, err)
	}
	return &sessionOutput{info}, nil
}

type closeInput struct {
	Session loop.SessionID `path:"session" doc:"The session's id"`
	Code    int            `query:"code" minimum:"1000" maximum:"4999" default:"1008" doc:"The close code"`
	Reason  string         `query:"reason" doc:"The close frame's reason: at most 123 bytes of UTF-8"`
}

func (a *API) deleteSession(ctx context.Context, in *closeInput) (*nothing, error) {
	ctx, cancel := a.queried(ctx)
	defer cancel()
	return done(ctx, a.engine.CloseSession(ctx, in.Session, ws.StatusCode(in.Code), in.Reason))
}
