package api

import (
	"context"
	"errors"

	"groupcast/loop"
	"groupcast/server/members"
)

// Who is in a group: on this node as it has always been told, and over several, where those are asked.

// groupOfAll is one group, over all nodes.
type groupOfAll struct {
	loop.GroupInfo

	Silent []string `json:"silent,omitempty"` // nodes whose members are missing
}

// groupOfCluster is what this node knows of a group, or that it has none of its members, with what all know.
// Where not all have answered, nobody knows that there is no such group.
func groupOfCluster(ctx context.Context, c members.Cluster, name string, own loop.GroupInfo, err error) (all groupOfAll,
	p *problem,
) {
	if err != nil && !errors.Is(err, loop.ErrNoGroup) {
		return all, problemOf(err)
	}
	total, silent, err := c.Total(ctx, name)
	switch {
	case err != nil:
		return all, problemOf(err)
	case total == 0 && len(silent) == 0:
		return all, problemOf(loop.ErrNoGroup)
	}
	own.Name, own.Members = name, total
	return groupOfAll{own, silent}, nil
}

type membersQuery struct {
	group   string
	limit   int
	cluster members.Cluster // nil: this node is alone
	after   string          // in a cluster
	place   loop.SessionID  // else
}

// membersQueryOf reads after by who has to understand it.
func (a *API) membersQueryOf(v *parameters) membersQuery {
	q := membersQuery{group: groupOf(v), cluster: a.cluster()}
	if q.cluster != nil {
		q.after, q.limit = v.text("after"), v.pageLimit()
		return q
	}
	s := a.sessionsQueryOf(v)
	q.place, q.limit = s.after, s.limit
	return q
}

// clusterPage is a page of a cluster's members, of whom less is known than of this node's sessions.
type clusterPage struct {
	Sessions []clusterMember `json:"sessions"`
	Total    int             `json:"total"`
	Next     string          `json:"next,omitempty"`
	Silent   []string        `json:"silent,omitempty"` // nodes whose members are missing
}

type clusterMember struct {
	ID   string `json:"id"`
	User string `json:"user,omitempty"`
	Node string `json:"node"`
}

// listMembers answers with a sessionsPage, or in a cluster a clusterPage.
func (a *API) listMembers(ctx context.Context, q membersQuery) (page any, p *problem) {
	ctx, cancel := a.queried(ctx)
	defer cancel()
	if p := a.enterListing(ctx); p != nil {
		return nil, p
	}
	defer a.listings.leave()
	if q.cluster != nil {
		return clusterPageOf(q.cluster.Members(ctx, q.group, q.after, q.limit))
	}
	return a.sessionsPageOf(a.engine.Members(ctx, q.group, q.place, q.limit))
}

func clusterPageOf(found members.Page, err error) (page clusterPage, p *problem) {
	if err == nil && found.Total == 0 && len(found.Members) == 0 && len(found.Silent) == 0 {
		err = loop.ErrNoGroup
	}
	if err != nil {
		return page, problemOf(err)
	}
	page = clusterPage{make([]clusterMember, len(found.Members)), found.Total, found.Next, found.Silent}
	for i, m := range found.Members {
		page.Sessions[i] = clusterMember{m.Session, m.User, m.Node}
	}
	return page, nil
}
