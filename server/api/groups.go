package api

import (
	"context"
	"net/http"

	"groupcast/loop"
)

type groupsQuery struct {
	prefix, after string
	limit         int
}

func groupsQueryOf(v *parameters) groupsQuery {
	return groupsQuery{v.groupName("prefix"), v.groupName("after"), v.pageLimit()}
}

// maxPageEntries bounds a page of a listing.
const (
	maxPageEntries     = 1000
	defaultPageEntries = 100
)

func (v *parameters) pageLimit() int {
	return v.number("limit", 1, maxPageEntries, defaultPageEntries)
}

type groupsPage struct {
	Groups []loop.GroupInfo `json:"groups"`
	Next   string           `json:"next,omitempty"`
}

func (a *API) listGroups(ctx context.Context, q groupsQuery) (page groupsPage, p *problem) {
	ctx, cancel := a.queried(ctx)
	defer cancel()
	if p := a.enterListing(ctx); p != nil {
		return page, p
	}
	defer a.listings.leave()
	groups, more, err := a.engine.Groups(ctx, q.prefix, q.after, q.limit)
	if err != nil {
		return page, problemOf(err)
	}
	page.Groups = append([]loop.GroupInfo{}, groups...) // never null
	if more {
		page.Next = groups[len(groups)-1].Name
	}
	return page, nil
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

func (a *API) getGroup(ctx context.Context, name string) (groupOfAll, *problem) {
	ctx, cancel := a.queried(ctx)
	defer cancel()
	info, err := a.engine.Group(ctx, name)
	if c := a.cluster(); c != nil {
		return groupOfCluster(ctx, c, name, info, err)
	}
	return groupOfAll{GroupInfo: info}, problemOf(err)
}

func (a *API) deleteGroup(ctx context.Context, name string) (silent []string, p *problem) {
	ctx, cancel := a.queried(ctx)
	defer cancel()
	if c := a.cluster(); c != nil {
		left, silent, err := c.Dissolve(ctx, name)
		return removedAnywhere(left, silent, err, loop.ErrNoGroup)
	}
	_, err := a.engine.Dissolve(ctx, name)
	return nil, problemOf(err)
}

// joined is the answer to a join of a group that the bus does not cover.
type joined struct {
	Cluster bool `json:"cluster"`
}

// putMember has nothing to say but of a group that the bus does not cover.
func (a *API) putMember(w http.ResponseWriter, r *http.Request, _ *Limits) *problem {
	m, p := readParameters(r, a.memberOf)
	if p != nil {
		return p
	}
	ctx, cancel := a.queried(r.Context())
	defer cancel()
	if p := problemOf(a.engine.Join(ctx, m.group, m.session)); p != nil {
		return p
	}
	if !a.engine.WaitCovered(ctx, m.group) {
		writeJSON(w, http.StatusOK, joined{Cluster: false})
		return nil
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) deleteMember(ctx context.Context, m membership) *problem {
	ctx, cancel := a.queried(ctx)
	defer cancel()
	return problemOf(a.engine.Leave(ctx, m.group, m.session))
}
