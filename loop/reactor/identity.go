package reactor

import (
	"net"

	"groupcast/loop/order"
	"groupcast/loop/pattern"
	"groupcast/protocol"
)

// Identity is who a session's peer is known to be, and what it may do. It never changes:
// sessions, and those who ask about them, share it, and a session whose peer becomes known as
// another user gets another one. A session without one is anonymous.
type Identity struct {
	User string
	// Expires is when it is over, in seconds since 1970; 0: never.
	Expires int64
	// Grants are what it may do, shared by all to whom the same is granted; nil: join and send
	// to every group, and be told the members of none.
	Grants *Grants
}

// Grants say into which groups a session may go, to which it may send, and of which it may be
// told the members. They never change.
type Grants struct {
	Join, Publish, Members pattern.Set
	// Groups are those that it joins before its first command. Join has them as well.
	Groups []string
}

// AuthRequest is a token that an open session sends. Its slices are its own.
type AuthRequest struct {
	Session order.SessionID
	Remote  net.Addr
	Token   string
	ReqID   []byte // nil: there is none
}

// MembersRequest is a question of an open session who is in a group. Its slices are its own.
type MembersRequest struct {
	Session order.SessionID
	Group   string
	After   string // where the page before has ended; "": the beginning
	Limit   int    // members that are wanted, 1 to protocol.MaxMembersPage
	ReqID   []byte // nil: there is none

	via  dialectID
	mode protocol.Mode
}

// Text is the answer as the session is sent it. It may be called from any goroutine: a page is
// long, and a loop has better things to do than to write it.
func (q *MembersRequest) Text(page *protocol.MembersPage) []byte {
	return dialects[q.via].members(nil, q.mode, q.ReqID, q.Group, page)
}
