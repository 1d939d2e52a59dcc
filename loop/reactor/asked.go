package reactor

import (
	"bytes"

	"github.com/gobwas/ws"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// A session's question who is in a group. Members are on all loops, so it is answered by others;
// the session goes on meanwhile.

// MembersRequest is such a question. Its slices are its own.
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

var (
	errNoMembers     = &protocol.CommandError{Code: protocol.CodeNotAllowed, Reason: "nobody is told of members here"}
	errSecretMembers = &protocol.CommandError{
		Code:   protocol.CodeNotAllowed,
		Reason: "this session may not be told who is in that group",
	}
	errManyQuestions = &protocol.CommandError{
		Code:   protocol.CodeOverloaded,
		Reason: "a question of this session about members is under way, or too many are",
	}
)

// askMembers has a question answered elsewhere.
func (r *Reactor) askMembers(s *Session, c *protocol.Command) {
	refused := errManyQuestions
	switch g := r.grants(s); {
	case r.opt.ListMembers == nil:
		refused = errNoMembers
	case g == nil || !g.Members.Match(c.Group):
		refused = errSecretMembers
	case r.opt.ListMembers(MembersRequest{
		Session: s.ID(), Group: string(c.Group), After: string(c.After), Limit: c.Limit, ReqID: bytes.Clone(c.ReqID),
		via: s.dialect, mode: s.mode,
	}):
		return
	}
	r.refuse(s, c.ReqID, refused.Code, refused.Reason)
}

// MembersListed brings the answer: q.Text's, or why there is none.
func (r *Reactor) MembersListed(q MembersRequest, text []byte, refused *protocol.CommandError) error {
	s, err := r.openSession(q.Session)
	if err != nil {
		return err
	}
	if refused != nil {
		text = r.refusal(s, q.ReqID, refused.Code, refused.Reason)
	}
	s.Send(ws.OpText, text)
	r.settle()
	return nil
}
