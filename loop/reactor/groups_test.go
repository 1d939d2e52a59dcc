package reactor

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"groupcast/protocol"
)

// TestGroupMapModel runs random joins, leaves and ends against the group map
// and against plain sets.
func TestGroupMapModel(t *testing.T) {
	type key struct {
		session int
		group   string
	}
	rapid.Check(t, func(t *rapid.T) {
		m := newGroupMap()
		model := map[key]bool{}
		sessions := make([]*Session, 8)
		for i := range sessions {
			sessions[i] = &Session{mode: protocol.Mode(i % 2)}
		}
		for range rapid.IntRange(0, 300).Draw(t, "operations") {
			i := rapid.IntRange(0, len(sessions)-1).Draw(t, "session")
			s := sessions[i]
			name := fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "group"))
			switch rapid.IntRange(0, 6).Draw(t, "operation") {
			case 0, 1, 2: // join
				g := m.findBytes([]byte(name))
				if g != nil && s.membershipOf(g) >= 0 {
					break
				}
				if g == nil {
					g = m.add(name)
				}
				m.join(s, g)
				model[key{i, name}] = true
			case 3, 4, 5: // leave
				g := m.find(name)
				at := -1
				if g != nil {
					at = s.membershipOf(g)
				}
				if (at >= 0) != model[key{i, name}] {
					t.Fatalf("session %d in group %s: index %d, want member %v", i, name, at, model[key{i, name}])
				}
				if at >= 0 {
					m.leave(s, at)
					delete(model, key{i, name})
				}
			case 6: // the end of a session
				for n := s.groupCount(); n > 0; n-- {
					m.leave(s, n-1)
				}
				for k := range model {
					if k.session == i {
						delete(model, k)
					}
				}
			}
			checkGroupMap(t, &m, sessions)
			if m.memberships != len(model) {
				t.Fatalf("%d memberships, want %d", m.memberships, len(model))
			}
		}
	})
}

// checkGroupMap checks that both directions agree and no group is empty.
func checkGroupMap(t *rapid.T, m *groupMap, sessions []*Session) {
	pairs := 0
	for name, g := range m.byName {
		if g.size() == 0 || g.name != name {
			t.Fatalf("group %q: name %q, %d members", name, g.name, g.size())
		}
		for mode, list := range g.members {
			for at, member := range list {
				ms := member.s.membership(int(member.at))
				if ms.g != g || int(ms.at) != at || int(member.s.mode) != mode {
					t.Fatalf("group %q member %d does not point back", name, at)
				}
				pairs++
			}
		}
	}
	for _, s := range sessions {
		pairs -= s.groupCount()
	}
	if pairs != 0 {
		t.Fatalf("members and memberships differ by %d", pairs)
	}
}

// TestLeaveCostsOwnGroupsOnly: a member in the middle of a large group goes
// without the group being walked. Counted, not timed: one other member moves.
func TestLeaveCostsOwnGroupsOnly(t *testing.T) {
	m := newGroupMap()
	g := m.add("g")
	sessions := make([]*Session, 1000)
	for i := range sessions {
		sessions[i] = &Session{}
		m.join(sessions[i], g)
	}
	m.leave(sessions[500], 0)
	moved := 0
	for i, member := range g.members[0] {
		if member.s != sessions[i] {
			moved++
		}
	}
	if moved != 1 {
		t.Errorf("%d members moved, want 1", moved)
	}
}

// TestGroupListShrinks: memory follows the members down again.
func TestGroupListShrinks(t *testing.T) {
	m := newGroupMap()
	g := m.add("g")
	sessions := make([]*Session, 4096)
	for i := range sessions {
		sessions[i] = &Session{}
		m.join(sessions[i], g)
	}
	for _, s := range sessions[10:] {
		m.leave(s, 0)
	}
	if c := cap(g.members[0]); c > 128 {
		t.Errorf("10 members hold a list of %d", c)
	}
}
