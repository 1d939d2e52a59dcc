package reactor

// userTable is user to open sessions, on one reactor. A user without sessions is not in it.
// It lies beside the groups: a user is no group, and has no name among theirs.
//
// Owner: the reactor's goroutine. As with groups, nobody comes or goes while a message is
// being marked.
type userTable struct {
	byName map[string][]*Session
	// at is, for the session in each slot, its place in its user's list and one; 0: it is in
	// none. So leaving costs the same for a user with two sessions and with a million, and
	// sessions are no larger.
	at []uint32
}

func newUserTable() userTable { return userTable{byName: make(map[string][]*Session)} }

func (t *userTable) add(s *Session) {
	list := append(t.byName[s.who.User], s)
	t.byName[s.who.User] = list
	for int(s.slot) >= len(t.at) {
		t.at = append(t.at, 0)
	}
	t.at[s.slot] = uint32(len(list))
}

func (t *userTable) has(s *Session) bool { return int(s.slot) < len(t.at) && t.at[s.slot] != 0 }

// remove takes out s, which is in it.
func (t *userTable) remove(s *Session) {
	list := t.byName[s.who.User]
	at, last := t.at[s.slot]-1, len(list)-1
	moved := list[last]
	list[at], t.at[moved.slot] = moved, at+1
	list[last], t.at[s.slot] = nil, 0
	if last == 0 {
		delete(t.byName, s.who.User)
		return
	}
	t.byName[s.who.User] = shrink(list[:last])
}

// named is a session that a publication for users is still owed to.
type named struct {
	s    *Session
	user string
}
