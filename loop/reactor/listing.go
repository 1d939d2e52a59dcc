package reactor

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"time"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// What a reactor tells of its sessions and groups when its engine asks. All of it is run on the
// loop; what it returns is shared with nobody.

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

// GrantsInfo are patterns of the groups that a session may join and send to, and whose members it
// may be told.
type GrantsInfo struct {
	Join    []string `json:"join"`
	Publish []string `json:"publish"`
	Members []string `json:"members,omitempty"` // whose members it may be told
	// How many patterns of each are left out, in lists.
	JoinMore    int `json:"join_more,omitempty"`
	PublishMore int `json:"publish_more,omitempty"`
	MembersMore int `json:"members_more,omitempty"`
}

// listedGrants is how many patterns a list shows, of each kind.
const listedGrants = 3

// describeGrants are up to most patterns of each, nil for those who may join and send to every
// group, and no more.
func (r *Reactor) describeGrants(s *Session, most int) *GrantsInfo {
	g := r.grants(s)
	if g == nil {
		return nil
	}
	return &GrantsInfo{
		Join: g.Join.First(most), JoinMore: max(0, g.Join.Len()-most),
		Publish: g.Publish.First(most), PublishMore: max(0, g.Publish.Len()-most),
		Members: g.Members.First(most), MembersMore: max(0, g.Members.Len()-most),
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
func (r *Reactor) ListSessions(slot, limit int) SessionsPart {
	return r.scan(slot, limit, func(s *Session) bool { return s.state != stateDead })
}

// ListUser describes up to limit sessions of a user from slot on, looking through scanSlots
// slots at most: those that shake hands or close, too, which the table of users does not have.
func (r *Reactor) ListUser(user string, slot, limit int) SessionsPart {
	return r.scan(slot, limit, func(s *Session) bool {
		return s.state != stateDead && s.who != nil && s.who.User == user
	})
}

// ListMembers describes up to limit members of a group from slot on, in the order of their
// slots, looking through scanSlots sessions at most: those that the group has, or, where it
// has more, those that there are.
func (r *Reactor) ListMembers(name string, slot, limit int) SessionsPart {
	return r.describeAll(r.findMembers(name, slot, limit))
}

// MembershipsPart is what a reactor says of a group's members in one go.
type MembershipsPart struct {
	Memberships []Membership
	Next        int // slot to go on with, 0 at the end
}

// ListMemberships is ListMembers for who asks only who they are: it costs the loop a tenth.
func (r *Reactor) ListMemberships(name string, slot, limit int) MembershipsPart {
	found, next := r.findMembers(name, slot, limit)
	part := MembershipsPart{make([]Membership, len(found)), next}
	for i, s := range found {
		part.Memberships[i] = Membership{s.ID(), name, s.who}
	}
	return part
}

func (r *Reactor) describeAll(found []*Session, next int) SessionsPart {
	part := SessionsPart{Next: next}
	for _, s := range found {
		part.Sessions = append(part.Sessions, r.describe(s, listedGrants))
	}
	return part
}

// findMembers finds up to limit members of a group from slot on. next is the slot to go on with, 0
// at the end.
func (r *Reactor) findMembers(name string, slot, limit int) (found []*Session, next int) {
	g := r.groups.find(name)
	switch {
	case g == nil:
		return nil, 0
	case g.size() <= scanSlots:
		return r.findFew(g, slot, limit)
	}
	return r.find(slot, limit, func(s *Session) bool { return s.membershipOf(g) >= 0 })
}

// scan describes up to limit sessions that are wanted, of those in scanSlots slots from slot on.
func (r *Reactor) scan(slot, limit int, wanted func(*Session) bool) SessionsPart {
	return r.describeAll(r.find(slot, limit, wanted))
}

// find finds up to limit sessions that are wanted, of those in scanSlots slots from slot on.
func (r *Reactor) find(slot, limit int, wanted func(*Session) bool) (found []*Session, next int) {
	slots := r.sessions.slots
	end := min(slot+scanSlots, len(slots))
	for ; slot < end && len(found) < limit; slot++ {
		if s := slots[slot]; s != nil && wanted(s) {
			found = append(found, s)
		}
	}
	if slot < len(slots) {
		next = slot
	}
	return found, next
}

// findFew is findMembers of a group that is small enough to be sorted.
func (r *Reactor) findFew(g *group, slot, limit int) (found []*Session, next int) {
	for i := range g.members {
		for _, m := range g.members[i] {
			if int(m.s.slot) >= slot {
				found = append(found, m.s)
			}
		}
	}
	slices.SortFunc(found, func(a, b *Session) int { return cmp.Compare(a.slot, b.slot) })
	if len(found) > limit {
		next = int(found[limit].slot)
		found = found[:limit]
	}
	return found, next
}

var stateNames = [...]string{stateHandshake: "handshake", stateOpen: "open", stateClosing: "closing", stateDead: "dead"}

// describe describes s, with up to mostGrants patterns of each of its grants.
func (r *Reactor) describe(s *Session, mostGrants int) SessionInfo {
	info := SessionInfo{
		ID:           s.ID(),
		Reactor:      r.index,
		Who:          s.who,
		Grants:       r.describeGrants(s, mostGrants),
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
	if s.conn != nil && s.remote() != nil {
		info.Remote = s.remote().String()
	}
	return info
}

// Describe describes the session of that id, with the names of its groups, and what is granted to it.
func (r *Reactor) Describe(id order.SessionID) (SessionInfo, error) {
	s := r.session(id)
	if s == nil || s.state == stateDead {
		return SessionInfo{}, ErrNoSession
	}
	info := r.describe(s, math.MaxInt)
	for i := range s.groupCount() {
		info.Groups = append(info.Groups, s.membership(i).g.name)
	}
	return info, nil
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
