package reactor

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/gobwas/ws"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// What a reactor answers when its engine asks, and orders that it takes from
// outside. All of it is run on the loop; what it returns is shared with nobody.

// SessionInfo is what is known of one session.
type SessionInfo struct {
	ID           order.SessionID `json:"id"`
	Reactor      int             `json:"reactor"`
	Remote       string          `json:"remote"`
	Who          *Identity       `json:"-"` // nil: anonymous
	User         string          `json:"user,omitempty"`
	ExpiresAt    *time.Time      `json:"expires_at,omitempty"` // of its token
	Grants       *GrantsInfo     `json:"grants,omitempty"`     // in lists its beginning; nil: everything
	State        string          `json:"state"`                // handshake, open or closing
	Envelope     bool            `json:"envelope"`
	GroupCount   int             `json:"group_count"`
	Groups       []string        `json:"groups,omitempty"` // only where one session is asked for
	BacklogBytes int             `json:"backlog_bytes"`    // queued, with what is kept beside it
	Blocked      bool            `json:"blocked"`          // its socket takes no more at the moment
	BytesIn      uint64          `json:"bytes_in"`
	BytesOut     uint64          `json:"bytes_out"`
	Idle         time.Duration   `json:"idle_ns"` // since the last byte from it; in whole ticks of the engine's clock
	Age          time.Duration   `json:"age_ns"`  // since it was accepted; likewise
}

// GrantsInfo are patterns of the groups that a session may join and send to.
type GrantsInfo struct {
	Join    []string `json:"join"`
	Publish []string `json:"publish"`
	// How many patterns of each are left out, in lists.
	JoinMore    int `json:"join_more,omitempty"`
	PublishMore int `json:"publish_more,omitempty"`
}

// listedGrants is how many patterns a list shows, each of joining and of sending.
const listedGrants = 3

// describeGrants are up to most patterns of each, nil where everything is granted.
func (r *Reactor) describeGrants(s *Session, most int) *GrantsInfo {
	g := r.grants(s)
	if g == nil {
		return nil
	}
	return &GrantsInfo{
		Join: g.Join.First(most), JoinMore: max(0, g.Join.Len()-most),
		Publish: g.Publish.First(most), PublishMore: max(0, g.Publish.Len()-most),
	}
}

// ErrNoSession is the answer when there is no session of that id, or it is on
// its way out.
var ErrNoSession = errors.New("no such session")

// SessionsPart is what a reactor says of its sessions in one go.
type SessionsPart struct {
	Sessions []SessionInfo
	Next     int // slot to go on with, 0 at the end
}

// ListSessions describes up to limit sessions from slot on, looking through
// scanSlots slots at most.
func (r *Reactor) ListSessions(slot, limit int) (part SessionsPart) {
	slots := r.sessions.slots
	end := min(slot+scanSlots, len(slots))
	for ; slot < end && len(part.Sessions) < limit; slot++ {
		if s := slots[slot]; s != nil && s.state != stateDead {
			part.Sessions = append(part.Sessions, r.describe(s))
		}
	}
	if slot < len(slots) {
		part.Next = slot
	}
	return part
}

// ListUser describes up to limit sessions of a user from slot on, looking through scanSlots
// slots at most.
func (r *Reactor) ListUser(user string, slot, limit int) (part SessionsPart) {
	slots := r.sessions.slots
	end := min(slot+scanSlots, len(slots))
	for ; slot < end && len(part.Sessions) < limit; slot++ {
		if s := slots[slot]; s != nil && s.state != stateDead && s.who != nil && s.who.User == user {
			part.Sessions = append(part.Sessions, r.describe(s))
		}
	}
	if slot < len(slots) {
		part.Next = slot
	}
	return part
}

// ListMembers describes up to limit members of a group from slot on, in the order of their
// slots, looking through scanSlots sessions at most: those that the group has, or, where it
// has more, those that there are.
func (r *Reactor) ListMembers(name string, slot, limit int) (part SessionsPart) {
	g := r.groups.find(name)
	switch {
	case g == nil:
		return part
	case g.size() <= scanSlots:
		return r.listFew(g, slot, limit)
	}
	slots := r.sessions.slots
	end := min(slot+scanSlots, len(slots))
	for ; slot < end && len(part.Sessions) < limit; slot++ {
		if s := slots[slot]; s != nil && s.membershipOf(g) >= 0 {
			part.Sessions = append(part.Sessions, r.describe(s))
		}
	}
	if slot < len(slots) {
		part.Next = slot
	}
	return part
}

// listFew is ListMembers of a group that is small enough to be sorted.
func (r *Reactor) listFew(g *group, slot, limit int) (part SessionsPart) {
	var found []*Session
	for i := range g.members {
		for _, m := range g.members[i] {
			if int(m.s.slot) >= slot {
				found = append(found, m.s)
			}
		}
	}
	slices.SortFunc(found, func(a, b *Session) int { return cmp.Compare(a.slot, b.slot) })
	if len(found) > limit {
		part.Next = int(found[limit].slot)
		found = found[:limit]
	}
	for _, s := range found {
		part.Sessions = append(part.Sessions, r.describe(s))
	}
	return part
}

var stateNames = [...]string{stateHandshake: "handshake", stateOpen: "open", stateClosing: "closing", stateDead: "dead"}

func (r *Reactor) describe(s *Session) SessionInfo {
	info := SessionInfo{
		ID:           s.ID(),
		Reactor:      r.index,
		Who:          s.who,
		State:        stateNames[s.state],
		Envelope:     s.mode == protocol.ModeEnvelope,
		GroupCount:   s.groupCount(),
		BacklogBytes: int(s.backlog),
		Blocked:      s.is(flagBlocked),
		BytesIn:      s.bytesIn,
		BytesOut:     s.bytesOut,
		Idle:         time.Duration(r.wheel.now-s.lastSeen) * r.every,
		Age:          time.Duration(r.wheel.now-s.opened) * r.every,
	}
	if s.who != nil {
		info.User = s.who.User
		if s.who.Expires != 0 {
			info.ExpiresAt = new(time.Unix(s.who.Expires, 0).UTC())
		}
	}
	info.Grants = r.describeGrants(s, listedGrants)
	if s.conn != nil && s.remote() != nil {
		info.Remote = s.remote().String()
	}
	return info
}

// GroupInfo is what is known of one group.
type GroupInfo struct {
	Name      string `json:"name"`
	Members   int    `json:"members"`
	ByReactor []int  `json:"by_reactor,omitempty"` // only where one group is asked for
}

// GroupsPart is what a reactor says of its groups in one go.
type GroupsPart struct {
	Groups []GroupInfo
	Next   int // slot to go on with, 0 at the end
}

// ListGroups returns the groups in scanSlots slots from slot on, in the room of into.
func (r *Reactor) ListGroups(slot int, into []GroupInfo, wanted func(string) bool) (part GroupsPart) {
	part.Groups = into[:0]
	slots := r.groups.slots
	for end := min(slot+scanSlots, len(slots)); slot < end; slot++ {
		if g := slots[slot]; g != nil && wanted(g.name) {
			part.Groups = append(part.Groups, GroupInfo{Name: g.name, Members: g.size()})
		}
	}
	if slot < len(slots) {
		part.Next = slot
	}
	return part
}

// Dissolve has up to n members leave.
func (r *Reactor) Dissolve(name string, n int) (left int) {
	for ; left < n; left++ {
		g := r.groups.find(name)
		if g == nil {
			break
		}
		last := g.last()
		r.leaveAt(last.s, int(last.at))
	}
	return left
}

// Narrow has anonymous sessions leave the groups that was let them into and that are granted to
// them no more. It looks through scanSlots slots from *next on, and returns whether any are left;
// next is where it goes on. Groups beyond was, into which a backend has put them, they keep.
func (r *Reactor) Narrow(was *Grants, next *int) (more bool) {
	now := r.opt.Anonymous
	if now == nil {
		return false
	}
	slots := r.sessions.slots
	for end := min(*next+scanSlots, len(slots)); *next < end; *next++ {
		if s := slots[*next]; s != nil && s.who == nil {
			r.leaveWhere(s, func(group []byte) bool {
				return !now.Join.Match(group) && (was == nil || was.Join.Match(group))
			})
		}
	}
	r.settle()
	return *next < len(slots)
}

// Describe describes the session of that id, with the names of its groups, and what is granted to it.
func (r *Reactor) Describe(id order.SessionID) (SessionInfo, error) {
	s := r.session(id)
	if s == nil || s.state == stateDead {
		return SessionInfo{}, ErrNoSession
	}
	info := r.describe(s)
	info.Grants = r.describeGrants(s, math.MaxInt)
	for i := range s.groupCount() {
		info.Groups = append(info.Groups, s.membership(i).g.name)
	}
	return info, nil
}

// openSession is the session of that id, if it is open.
func (r *Reactor) openSession(id order.SessionID) (*Session, error) {
	if s := r.session(id); s != nil && s.state == stateOpen {
		return s, nil
	}
	return nil, ErrNoSession
}

// Kick begins a session's close handshake; code and reason must fit a close frame.
func (r *Reactor) Kick(id order.SessionID, code ws.StatusCode, reason string) error {
	s, err := r.openSession(id)
	if err != nil {
		return err
	}
	r.stats.Kicked++
	r.closeWith(s, code, reason)
	r.settle()
	return nil
}

// Join makes a session a member of a group, and returns the place in the order behind
// which it gets the group's messages. The error is ErrNoSession, or a
// *protocol.CommandError that says which limit is reached.
func (r *Reactor) Join(id order.SessionID, group string) (place uint64, err error) {
	s, err := r.openSession(id)
	if err != nil {
		return 0, err
	}
	place, refused := r.enter(s, []byte(group))
	if refused != nil {
		return 0, refused
	}
	return place, nil
}

// Leave takes a session out of a group; it need not be in it.
func (r *Reactor) Leave(id order.SessionID, group string) error {
	s, err := r.openSession(id)
	if err == nil {
		r.exit(s, []byte(group))
	}
	return err
}

// Tell queues a text for a session, behind what it is being sent.
func (r *Reactor) Tell(id order.SessionID, text []byte) error {
	s, err := r.openSession(id)
	if err != nil {
		return err
	}
	s.Send(ws.OpText, text)
	r.settle()
	return nil
}

// Identify has an open session belong to who from now on, nil makes it anonymous. It leaves
// the groups that who may not be in. The error is ErrNoSession, or a *protocol.CommandError:
// that user has as many sessions as it may.
func (r *Reactor) Identify(id order.SessionID, who *Identity) error {
	s, err := r.openSession(id)
	if err != nil {
		return err
	}
	if refused := r.become(s, who); refused != nil {
		return refused
	}
	r.settle()
	return nil
}

// Authenticated brings the answer to a session's auth command: who it is from now on, or why
// not.
func (r *Reactor) Authenticated(id order.SessionID, reqID []byte, who *Identity,
	refused *protocol.CommandError,
) error {
	s, err := r.openSession(id)
	if err != nil {
		return err
	}
	if refused == nil && s.who != nil && s.who.User != who.User {
		refused = errAnotherUser
	}
	if refused == nil {
		refused = r.become(s, who)
	}
	switch {
	case refused != nil:
		s.Send(ws.OpText, r.refusal(s, reqID, refused.Code, refused.Reason))
	case reqID != nil:
		s.sendAck(protocol.KindAuth, reqID)
	}
	r.settle()
	return nil
}

var (
	errAnotherUser = &protocol.CommandError{Code: protocol.CodeNotAllowed, Reason: "the token is another user's"}
	errManyOfUser  = &protocol.CommandError{
		Code:   protocol.CodeOverloaded,
		Reason: "this user has as many connections as it may have",
	}
)

// become has s belong to who from now on. It leaves the groups that who may not be in, and
// joins those that who is put into.
func (r *Reactor) become(s *Session, who *Identity) *protocol.CommandError {
	if who == nil || s.who == nil || s.who.User != who.User {
		if !r.shared.EnterUser(who) {
			return errManyOfUser
		}
		r.shared.ExitUser(s.who)
	}
	due := s.due
	if silence, sooner := r.later[s]; sooner {
		due = silence
		delete(r.later, s)
	}
	r.stats.Renewed++
	r.noteAll(s, false)
	r.exitUser(s)
	s.who = who
	r.enterUser(s)
	r.noteAll(s, true)
	if g := r.grants(s); g != nil {
		r.leaveWhere(s, func(group []byte) bool { return !g.Join.Match(group) })
	}
	s.clear(flagWarned)
	r.scheduleOpen(s, due)
	r.joinGranted(s)
	return nil
}

// Sessions is how many there are, upgraded or not.
func (r *Reactor) Sessions() int { return r.sessions.count }

// Members is how many members of the group are on this reactor.
func (r *Reactor) Members(group string) int {
	if g := r.groups.find(group); g != nil {
		return g.size()
	}
	return 0
}

// Snapshot is what has been counted so far, and the gauges.
func (r *Reactor) Snapshot() Stats {
	s := r.stats
	s.Groups = len(r.groups.byName)
	s.Memberships = r.groups.memberships
	s.Users = len(r.users.byName)
	s.Watched = len(r.watched)
	s.SealedBytes, s.HalfBytes = int(r.memory.sealed), int(r.memory.halves)
	port := r.port.Stats()
	s.IngressLen = port.IngressLen
	s.EgressLen = port.EgressLen
	s.Wakeups = port.Wakeups
	s.RingFull = port.Full
	s.BlockedNanos = port.BlockedNanos
	return s
}
