package loop

import (
	"time"

	"github.com/gobwas/ws"

	"groupcast/protocol"
)

// execCommand interprets one message of an open session.
func (r *reactor) execCommand(s *Session, payload []byte, binary bool) {
	c := &r.command
	err := r.parser.Parse(payload, binary, c)
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
		r.join(s, c)
	case protocol.KindLeaveGroup:
		r.leave(s, c)
	case protocol.KindSendToGroup:
		r.sendToGroup(s, c)
	case protocol.KindPing:
		s.sendAck(c.ReqID)
	}
}

func (r *reactor) join(s *Session, c *protocol.Command) {
	if err := r.enter(s, c.Group); err != nil {
		r.refuse(s, c.ReqID, err.Code, err.Reason)
	} else if c.ReqID != nil {
		s.sendAck(c.ReqID)
	}
}

// Why a session cannot join.
var (
	errTooManyGroups = &protocol.CommandError{Code: protocol.CodeTooManyGroups, Reason: "this session is in as many groups as it may be"}
	errGroupFull     = &protocol.CommandError{Code: protocol.CodeOverloaded, Reason: "the group is full"}
	errGroupsFull    = &protocol.CommandError{Code: protocol.CodeOverloaded, Reason: "there are as many groups as there may be"}
)

// enter makes s a member of the group, within the limits.
func (r *reactor) enter(s *Session, name []byte) *protocol.CommandError {
	g := r.groups.findBytes(name)
	switch {
	case g != nil && s.membershipOf(g) >= 0:
		return nil
	case s.groupCount() >= r.opt.MaxGroupsPerSession:
		r.stats.LimitGroups++
		return errTooManyGroups
	case !r.engine.members.enter(name):
		r.stats.LimitGroup++
		return errGroupFull
	}
	if g == nil {
		if r.engine.groups.Add(1) > int64(r.opt.MaxGroups) {
			r.engine.groups.Add(-1)
			r.engine.members.exit(string(name))
			r.stats.LimitAll++
			return errGroupsFull
		}
		g = r.groups.add(string(name))
	}
	r.groups.join(s, g)
	return nil
}

func (r *reactor) leave(s *Session, c *protocol.Command) {
	r.exit(s, c.Group)
	if c.ReqID != nil {
		s.sendAck(c.ReqID)
	}
}

// exit takes s out of the group, if it is in it.
func (r *reactor) exit(s *Session, name []byte) {
	if g := r.groups.findBytes(name); g != nil {
		if at := s.membershipOf(g); at >= 0 {
			r.leaveAt(s, at)
		}
	}
}

// leaveAll costs time in proportion to the session's own groups, however many
// members they have.
func (r *reactor) leaveAll(s *Session) {
	for n := s.groupCount(); n > 0; n-- {
		r.leaveAt(s, n-1)
	}
}

func (r *reactor) leaveAt(s *Session, at int) {
	r.engine.members.exit(s.membership(at).g.name)
	if r.groups.leave(s, at) {
		r.engine.groups.Add(-1)
	}
}

// sendToGroup publishes. The ack, if one is wanted, comes with the message's
// own way back from the broker, so that it follows the sender's own copy.
func (r *reactor) sendToGroup(s *Session, c *protocol.Command) {
	if r.draining {
		r.refuse(s, c.ReqID, protocol.CodeDraining, "this server is going away")
		return
	}
	if c.IsText && overLimit(c.Message, r.opt.MaxMessageBytes) {
		r.refuse(s, c.ReqID, protocol.CodeTooLarge, "message over the limit once encoded")
		return
	}
	m := newMessage(c.Group, c.Message, c.ReqID, c.IsText)
	m.published = r.now
	m.origin = s.ID()
	m.excludeSelf = c.ExcludeSelf
	r.stats.Published++
	r.publish(m)
}

func (r *reactor) refuse(s *Session, reqID []byte, code protocol.Code, reason string) {
	r.stats.Errors.count(code)
	if s.state != stateOpen {
		return
	}
	r.reply = protocol.AppendError(r.reply[:0], s.mode, reqID, code, reason)
	s.Send(ws.OpText, r.reply)
}

func (s *Session) sendAck(reqID []byte) {
	if s.state != stateOpen {
		return
	}
	r := s.r
	r.reply = protocol.AppendAck(r.reply[:0], s.mode, reqID)
	s.Send(ws.OpText, r.reply)
}

// maxRefusals in a row are answered; then the session is abuse and closed.
const maxRefusals = 1000

// takeToken charges one command to the session's bucket: CommandRate tokens a
// second, CommandBurst at most.
func (r *reactor) takeToken(s *Session) bool {
	// Milliseconds wrap after 49 days; the difference does not.
	now := uint32(time.Since(r.engine.start).Milliseconds())
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
