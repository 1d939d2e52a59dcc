package reactor

// group is one group's members on one reactor, apart by how messages are encoded for
// them.
//
// Owner: the reactor's goroutine.
type group struct {
	name    string
	members [encodingCount][]member // by encodingID
	slot    uint32                  // index in the map's slots
}

// member and membership point at each other, so that leaving costs the same
// in a group of two and of a million.
type member struct {
	s  *Session
	at uint32 // index in the session's memberships
}

type membership struct {
	g  *group
	at uint32 // index in the group's members of the session's encoding
}

func (g *group) size() (n int) {
	for i := range &g.members {
		n += len(g.members[i])
	}
	return n
}

// last is one of the members, the cheapest to take out.
func (g *group) last() (m member) {
	for _, list := range &g.members {
		if n := len(list); n > 0 {
			return list[n-1]
		}
	}
	return m
}

// groupMap is $group_con_map: group to members, on one reactor. A group
// without members is not in it.
//
// Owner: the reactor's goroutine. Nothing joins or leaves while a message is
// being marked: joins and leaves come from commands and from OnClose, and
// marking calls neither.
type groupMap struct {
	byName      map[string]*group
	memberships int

	// slots holds the groups once more, nil where free: a place that does not
	// change while a group lives, so that a listing can go on where it stopped.
	slots []*group
	free  []uint32
}

func newGroupMap() groupMap { return groupMap{byName: make(map[string]*group)} }

// find returns the group of that name, nil if it has no member here.
func (m *groupMap) find(name string) *group { return m.byName[name] }

// findBytes is find for a name that is not a string yet; it does not allocate.
func (m *groupMap) findBytes(name []byte) *group { return m.byName[string(name)] }

// add makes the group; name is kept.
func (m *groupMap) add(name string) *group {
	g := &group{name: name}
	m.byName[name] = g
	if n := len(m.free); n > 0 {
		g.slot = m.free[n-1]
		m.free = m.free[:n-1]
		m.slots[g.slot] = g
	} else {
		g.slot = uint32(len(m.slots))
		m.slots = append(m.slots, g)
	}
	return g
}

// join makes s a member of g. The caller has checked that it is not one.
func (m *groupMap) join(s *Session, g *group) {
	list := &g.members[s.encoding()]
	ms := membership{g, uint32(len(*list))}
	*list = append(*list, member{s, uint32(s.groupCount())})
	s.pushMembership(ms)
	m.memberships++
}

// leave removes the membership at index at of s and says whether its group
// vanished with it.
func (m *groupMap) leave(s *Session, at int) (vanished bool) {
	ms := s.membership(at)
	g := ms.g
	list := g.members[s.encoding()]
	last := len(list) - 1
	if moved := list[last]; int(ms.at) != last {
		list[ms.at] = moved
		moved.s.setMembership(int(moved.at), ms)
	}
	list[last] = member{}
	g.members[s.encoding()] = shrink(list[:last])

	if end := s.groupCount() - 1; at != end {
		moved := s.membership(end)
		s.setMembership(at, moved)
		moved.g.members[s.encoding()][moved.at].at = uint32(at)
	}
	s.popMembership()
	m.memberships--

	if g.size() > 0 {
		return false
	}
	delete(m.byName, g.name)
	m.slots[g.slot] = nil
	m.free = append(m.free, g.slot)
	return true
}

// shrink gives memory back once a list uses a quarter of what it holds.
func shrink[T any](list []T) []T {
	if cap(list) < 64 || len(list) > cap(list)/4 {
		return list
	}
	return append(make([]T, 0, cap(list)/2), list...)
}

// groupCount is how many groups the session is in.
func (s *Session) groupCount() int {
	switch {
	case s.firstGroup == nil:
		return 0
	case s.rest == nil:
		return 1
	}
	return 1 + len(*s.rest)
}

// membership returns the i-th membership, valid until the next join or leave.
func (s *Session) membership(i int) membership {
	if i == 0 {
		return membership{s.firstGroup, s.firstAt}
	}
	return (*s.rest)[i-1]
}

func (s *Session) setMembership(i int, ms membership) {
	if i == 0 {
		s.firstGroup, s.firstAt = ms.g, ms.at
		return
	}
	(*s.rest)[i-1] = ms
}

// membershipOf is the index of the session's membership in g, -1 if none.
func (s *Session) membershipOf(g *group) int {
	for i, n := 0, s.groupCount(); i < n; i++ {
		if s.membership(i).g == g {
			return i
		}
	}
	return -1
}

func (s *Session) pushMembership(ms membership) {
	if s.firstGroup == nil {
		s.setMembership(0, ms)
		return
	}
	if s.rest == nil {
		s.rest = new([]membership)
	}
	*s.rest = append(*s.rest, ms)
}

func (s *Session) popMembership() {
	if s.rest == nil {
		s.setMembership(0, membership{})
		return
	}
	list := *s.rest
	list[len(list)-1] = membership{}
	if list = list[:len(list)-1]; len(list) == 0 {
		s.rest = nil
		return
	}
	*s.rest = list
}
