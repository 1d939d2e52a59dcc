package api

import (
	"context"
	"net/http"
	"unicode/utf8"

	"groupcast/loop"
)

type groupsInput struct {
	Prefix string `query:"prefix" doc:"Only groups whose names begin with it"`
	After  string `query:"after" doc:"Only groups whose names come behind this one, in the order of their bytes: next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"The most groups to answer with"`
}

type groupsOutput struct{ Body groupsPage }

type groupsPage struct {
	Groups []loop.GroupInfo `json:"groups" nullable:"false"`
	Next   string           `json:"next,omitempty" doc:"What to give as after for the next page; missing on the last one"`
}

func (a *API) listGroups(ctx context.Context, in *groupsInput) (*groupsOutput, error) {
	if !utf8.ValidString(in.Prefix) || !utf8.ValidString(in.After) {
		return nil, problemf(http.StatusUnprocessableEntity, codeBadParameter, "prefix and after are UTF-8")
	}
	ctx, cancel := a.queried(ctx)
	defer cancel()
	if p := a.enterListing(ctx); p != nil {
		return nil, p
	}
	defer a.listings.leave()
	page, more, err := a.engine.Groups(ctx, in.Prefix, in.After, in.Limit)
	if err != nil {
		return nil, problemOf(ctx, err)
	}
	out := groupsPage{Groups: append([]loop.GroupInfo{}, page...)} // never null
	if more {
		out.Next = page[len(page)-1].Name
	}
	return &groupsOutput{out}, nil
}

// queried bounds how long a request may wait for the loops.
func (a *API) queried(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, a.limits.Load().QueryTimeout)
}

// enterListing waits for its turn. After nil the caller owes a.listings.leave.
func (a *API) enterListing(ctx context.Context) *problem {
	if a.listings.enter(ctx) == nil {
		return nil
	}
	a.counters.ListingsFull.Add(1)
	return problemf(http.StatusServiceUnavailable, codeBusy, "other listings took too long")
}

type groupInput struct {
	Group string `path:"group" doc:"The group's name, percent-encoded: a slash is %2F"`
}

type groupOutput struct{ Body loop.GroupInfo }

func (a *API) getGroup(ctx context.Context, in *groupInput) (*groupOutput, error) {
	ctx, cancel := a.queried(ctx)
	defer cancel()
	info, err := a.engine.Group(ctx, in.Group)
	if err != nil {
		return nil, problemOf(ctx, err)
	}
	return &groupOutput{info}, nil
}

// nothing is the output of what answers with its status alone.
type nothing struct{}

func (a *API) deleteGroup(ctx context.Context, in *groupInput) (*nothing, error) {
	ctx, cancel := a.queried(ctx)
	defer cancel()
	_, err := a.engine.Dissolve(ctx, in.Group)
	return done(ctx, err)
}

func done(ctx context.Context, err error) (*nothing, error) {
	if err != nil {
		return nil, problemOf(ctx, err)
	}
	return &nothing{}, nil
}

type memberInput struct {
	Group   string         `path:"group" doc:"The group's name, percent-encoded: a slash is %2F"`
	Session loop.SessionID `path:"session" doc:"The session's id"`
}

func (a *API) putMember(ctx context.Context, in *memberInput) (*nothing, error) {
	ctx, cancel := a.queried(ctx)
	defer cancel()
	return done(ctx, a.engine.Join(ctx, in.Group, in.Session))
}

func (a *API) deleteMember(ctx context.Context, in *memberInput) (*nothing, error) {
	ctx, cancel := a.queried(ctx)
	defer cancel()
	return done(ctx, a.engine.Leave(ctx, in.Group, in.Session))
}
