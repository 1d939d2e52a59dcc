// Package members is who is in a group, as those say it who ask the loops of this node, or of several, and how sessions
// are put out wherever they are: what the server, its HTTP API and a bus between nodes have in common about it. It
// holds nothing.
//
// A page says Total, counted a moment before, and goes on behind a place, "after", which is the Next of the
// page before. On one node that is a session's id. In a cluster it is the cluster's own text, which nobody
// else reads.
package members

import (
	"context"
	"errors"
	"fmt"

	"github.com/gobwas/ws"

	"groupcast/loop"
	"groupcast/protocol"
)

type (
	// Member is one session that is in a group.
	Member = protocol.Member
	// Page is a part of a group's members. A group without members has none, and is no error.
	Page = protocol.MembersPage
)

// MaxPage is the most members that a page has.
const MaxPage = loop.MaxPage

// Cluster asks all nodes, this one included, and knows how they call their sessions. It may be used from any goroutine.
type Cluster interface {
	// Members are up to limit members (1 to MaxPage) behind after, in an order of the cluster's; "" is
	// the beginning. Nodes that do not answer in time are Silent, and so are all others while there is
	// no way to them: neither is an error. The error is ErrAfter, or what Local says of this node.
	Members(ctx context.Context, group, after string, limit int) (Page, error)
	// Total is how many members a group has, and which nodes did not say. The error is what Local says
	// of this node.
	Total(ctx context.Context, group string) (total int, silent []string, err error)
	// CloseUser begins the close handshakes of a user's sessions, and Dissolve has a group's members leave. Who comes
	// meanwhile may stay. Nodes that have not said in time that it is done are silent; it may be done there all the
	// same. That there is nobody is no error. The error is ErrSilent where it is not known which other nodes there
	// are, of this node's loops, or protocol.ErrBadClose.
	CloseUser(ctx context.Context, user string, code ws.StatusCode, reason string) (closed int, silent []string, err error)
	Dissolve(ctx context.Context, group string) (left int, silent []string, err error)
	// CloseSession begins the close handshake of a session, of whatever node. The error is loop.ErrNoSession,
	// ErrSilent, of this node's loops, or protocol.ErrBadClose.
	CloseSession(ctx context.Context, text string, code ws.StatusCode, reason string) error
	// Name is this node's.
	Name() string
	// SessionText is the id that one of this node's sessions has in the cluster.
	SessionText(id loop.SessionID) string
	// ParseSession reads an id in either form: the short one is of this node. ours is false for a session of
	// another node, or of an earlier life of this one; id means nothing here then.
	ParseSession(text string) (id loop.SessionID, ours bool, err error)
}

// Engine is the loops of this node; *loop.Engine is one.
type Engine interface {
	Group(ctx context.Context, name string) (loop.GroupInfo, error)
	Memberships(ctx context.Context, group string, after loop.SessionID, limit int) ([]loop.Membership, loop.SessionID,
		error)
}

// ErrSilent is the answer where another node has to do something and does not say that it has: it may have.
var ErrSilent = errors.New("another node does not answer")

// ErrAfter is the answer to a place that no page has ended at.
var ErrAfter = errors.New("after wants the next of a page")

// Local is the page of this node alone. A limit of 0 asks for the total only.
func Local(ctx context.Context, e Engine, group, after string, limit int) (page Page, err error) {
	var place loop.SessionID
	if after != "" {
		if place, err = loop.ParseSessionID(after); err != nil {
			return Page{}, fmt.Errorf("%w: %w", ErrAfter, err)
		}
	}
	info, err := e.Group(ctx, group)
	if err != nil && !errors.Is(err, loop.ErrNoGroup) {
		return Page{}, err
	}
	page.Total = info.Members
	if limit == 0 {
		return page, nil
	}
	found, next, err := e.Memberships(ctx, group, place, limit)
	if err != nil {
		return Page{}, err
	}
	page.Members = make([]Member, len(found))
	for i, m := range found {
		page.Members[i].Session = m.Session.String()
		if m.Who != nil {
			page.Members[i].User = m.Who.User
		}
	}
	if next != (loop.SessionID{}) {
		page.Next = next.String()
	}
	return page, nil
}
