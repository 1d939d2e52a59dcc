package reactor

import (
	"bytes"
	"time"

	"github.com/gobwas/ws"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// execCommand interprets one message of an open session. A command refers to the
// message, which must not be kept for it until the next one comes.
func (r *Reactor) execCommand(s *Session, payload []byte, binary bool) {
	r.interpret(s, payload, binary, &r.command)
	r.command = protocol.Command{}
}

func (r *Reactor) interpret(s *Session, payload []byte, binary bool, c *protocol.Command) {
	err := s.speaks().parse(&r.parsers, payload, binary, c)
	if r.opt.CommandRate > 0 && !r.takeToken(s) {
		r.refuse(s, c.ReqID, protocol.CodeRateLimited, "too many commands")
		return
	}
	if err != nil {
		r.refuse(s, c.ReqID, err.Code, err.Reason)
		return
	}
	switch c.Kind {
	case protocol.KindAddGroup:
		if r.underway(s) {
			r.putBehind(s, order.ActJoin, c.Group, c.ReqID)
			return
		}
		r.join(s, c.Group, c.ReqID)
	case protocol.KindLeaveGroup:
		if r.underway(s) {
			r.putBehind(s, order.ActLeave, c.Group, c.ReqID)
			return
		}
		r.leave(s, c.Group, c.ReqID)
	case protocol.KindSendToGroup:
		r.sendToGroup(s, c)
	case protocol.KindAuth:
		r.authenticate(s, c)
	case protocol.KindMembers:
		r.askMembers(s, c)
	case protocol.KindPing:
		r.reply = s.speaks().ack(r.reply[:0], s.mode, c.Kind, c.ReqID)
		r.answer(s, r.reply)
	}
}

// A session's commands are carried out and answered in the order in which they
// came. A send is out of this loop's hands until it comes back from the broker;
// what the session asks for meanwhile goes the same way, behind it. With no send
// under way that costs a comparison.

// putBehind sends something of s after its sends. Like publish, it may deliver
// meanwhile, after which s may be dead.
func (r *Reactor) putBehind(s *Session, act order.Act, payload, reqID []byte) {
	r.flushBehind(s)
	r.stats.Deferred++
	r.send(s, order.NewOwn(s.ID(), act, payload, reqID))
}

// maxBehind is how many bytes of answers are gathered before they are sent round; less
// where a ring could not hold them.
const maxBehind = 8 << 10

// replyBehind has s get an answer after its sends. What one read brings is gathered:
// a flood of commands that are refused shall not fill the rings.
func (r *Reactor) replyBehind(s *Session, text []byte) {
	r.stats.Deferred++
	if n := len(r.behind) + len(text) + protocol.HeaderLen(len(text)); n > min(maxBehind, r.opt.RingBytes-order.Overhead) {
		r.flushBehind(s)
	}
	r.behind = protocol.AppendFrame(r.behind, ws.OpText, text)
}

// flushBehind sends round what was gathered for s, the session that is being read:
// before anything else of it goes round, and at the end of the read.
func (r *Reactor) flushBehind(s *Session) {
	if len(r.behind) == 0 {
		return
	}
	m := order.NewOwn(s.ID(), order.ActReply, r.behind, nil)
	r.behind = r.behind[:0]
	r.send(s, m)
}

// send publishes m for s and notes that it is under way.
func (r *Reactor) send(s *Session, m *order.Message) {
	r.sent++
	s.lastSend = r.sent
	r.publish(m)
}

// carryOut does what came back from behind a send.
func (r *Reactor) carryOut(m *order.Message) {
	r.returned++
	s := r.session(m.Origin)
	if s == nil || s.state != stateOpen {
		return
	}
	switch m.Act {
	case order.ActJoin:
		r.join(s, m.Payload(), m.ReqID)
	case order.ActLeave:
		r.leave(s, m.Payload(), m.ReqID)
	case order.ActReply:
		s.sendFrames(m.Payload())
	}
}

// answer sends text to s, behind what it has under way.
func (r *Reactor) answer(s *Session, text []byte) {
	switch {
	case s.state != stateOpen:
	case r.underway(s):
		r.replyBehind(s, text)
	default:
		s.Send(ws.OpText, text)
	}
}

// join makes s a member of the group and answers.
func (r *Reactor) join(s *Session, group, reqID []byte) {
	if g := r.grants(s); g != nil && !g.Join.Match(group) {
		s.Send(ws.OpText, r.refusal(s, reqID, protocol.CodeNotAllowed, "this session may not join that group"))
		return
	}
	if _, err := r.enter(s, group); err != nil {
		s.Send(ws.OpText, r.refusal(s, reqID, err.Code, err.Reason))
	} else if reqID != nil {
		r.acknowledgeJoin(s, group, reqID)
	}
}

// leave takes s out of the group and answers.
func (r *Reactor) leave(s *Session, group, reqID []byte) {
	r.exit(s, group)
	if reqID != nil {
		s.sendAck(protocol.KindLeaveGroup, reqID)
	}
}

var (
	errNoTokens    = &protocol.CommandError{Code: protocol.CodeNotAllowed, Reason: "there are no tokens here"}
	errTooManyAuth = &protocol.CommandError{Code: protocol.CodeOverloaded, Reason: "too many tokens wait to be checked"}
)

// authenticate has a token checked elsewhere. The session goes on meanwhile, as who it was.
func (r *Reactor) authenticate(s *Session, c *protocol.Command) {
	if r.opt.Authenticate == nil {
		r.refuse(s, c.ReqID, errNoTokens.Code, errNoTokens.Reason)
		return
	}
	taken := r.opt.Authenticate(AuthRequest{
		Session: s.ID(), Remote: s.remote(), Token: string(c.Message), ReqID: bytes.Clone(c.ReqID),
	})
	if !taken {
		r.refuse(s, c.ReqID, errTooManyAuth.Code, errTooManyAuth.Reason)
	}
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

// askMembers has a question answered elsewhere, since members are on all loops. The session goes on
// meanwhile.
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

// sendToGroup publishes. The ack, if one is wanted, comes with the message's
// own way back from the broker, so that it follows the sender's own copy.
func (r *Reactor) sendToGroup(s *Session, c *protocol.Command) {
	if g := r.grants(s); g != nil && !g.Publish.Match(c.Group) {
		r.refuse(s, c.ReqID, protocol.CodeNotAllowed, "this session may not send to that group")
		return
	}
	if r.draining {
		r.refuse(s, c.ReqID, protocol.CodeDraining, "this server is going away")
		return
	}
	if r.shared.Refusing.Load() {
		r.refuse(s, c.ReqID, protocol.CodeOverloaded, "other nodes cannot be reached")
		return
	}
	if c.IsText && order.OverLimit(c.Message, r.opt.MaxMessageBytes) {
		r.refuse(s, c.ReqID, protocol.CodeTooLarge, "message over the limit once encoded")
		return
	}
	m := order.NewMessage(c.Group, c.Message, c.ReqID, c.IsText)
	m.Published = r.now
	m.Origin = s.ID()
	m.ExcludeSelf = c.ExcludeSelf
	r.stats.Published++
	r.flushBehind(s)
	r.send(s, m)
}

// refuse answers a command that is not carried out.
func (r *Reactor) refuse(s *Session, reqID []byte, code protocol.Code, reason string) {
	r.answer(s, r.refusal(s, reqID, code, reason))
}

// maxRefusals in a row are answered; then the session is abuse and closed.
const maxRefusals = 1000

// takeToken charges one command to the session's bucket: CommandRate tokens a
// second, CommandBurst at most.
func (r *Reactor) takeToken(s *Session) bool {
	// Milliseconds wrap after 49 days; the difference does not.
	now := uint32(time.Since(r.shared.Start).Milliseconds())
	elapsed := float64(now-s.bucketMillis) / 1000
	s.bucketMillis = now
	s.tokens = float32(min(float64(s.tokens)+elapsed*r.opt.CommandRate, float64(r.opt.CommandBurst)))
	if s.tokens >= 1 {
		s.tokens--
		s.refusals = 0
		return true
	}
	if s.refusals++; s.refusals >= maxRefusals && s.state == stateOpen {
		r.stats.RateClosed++
		r.closeWith(s, ws.StatusPolicyViolation, "command rate")
	}
	return false
}
