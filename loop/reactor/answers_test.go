package reactor

import (
	"fmt"
	"slices"
	"testing"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// TestListSessions: however small the pages, and however many slots are empty, who
// stays is listed once, while others come and go.
func TestListSessions(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		want := map[order.SessionID]bool{}
		var passing []*Session
		for i, s := range r.simulate(5*scanSlots/2, protocol.ModeBare) {
			switch {
			case i%5 == 0:
				passing = append(passing, s)
			case i%5 == 1, i > scanSlots && i < 2*scanSlots+10:
				r.sessions.remove(s) // holes, and a look that finds nothing
			default:
				want[s.ID()] = true
			}
		}
		for _, limit := range []int{1000, 7 * 97, 1} {
			seen := map[order.SessionID]int{}
			for slot, looks := 0, 0; ; looks++ {
				part := r.ListSessions(slot, limit)
				if len(part.Sessions) > limit {
					t.Fatalf("%d sessions in a page of %d", len(part.Sessions), limit)
				}
				for _, s := range part.Sessions {
					seen[s.ID]++
				}
				if n := len(passing); n > 0 && looks%10 == 0 {
					r.sessions.remove(passing[n-1])
					passing = passing[:n-1]
					r.simulate(1, protocol.ModeBare)
				}
				if slot = part.Next; slot == 0 {
					break
				}
			}
			for id, n := range seen {
				if n != 1 {
					t.Fatalf("%v is listed %d times", id, n)
				}
			}
			for id := range want {
				if seen[id] == 0 {
					t.Fatalf("pages of %d: %v is missing", limit, id)
				}
			}
		}
	})
}

// TestListMembers: of a group that one look may sort, and of one that is larger, all members
// and nobody else are listed in the order of their slots, of either encoding, also where the
// group changes from one to the other between two pages.
func TestListMembers(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		all := append(r.simulate(scanSlots+100, protocol.ModeBare), r.simulate(200, protocol.ModeEnvelope)...)
		var small, large []order.SessionID
		for i, s := range all {
			if i%7 == 0 {
				s.joinAs("small")
				small = append(small, s.ID())
			}
			if i%50 != 0 {
				s.joinAs("large")
				large = append(large, s.ID())
			}
		}
		for name, want := range map[string][]order.SessionID{"small": small, "large": large, "none": nil} {
			if big := r.Members(name) > scanSlots; big != (name == "large") {
				t.Fatalf("%s has %d members", name, r.Members(name))
			}
			for _, limit := range []int{1000, 7 * 13, 1} {
				var got []order.SessionID
				shrinks := name == "large" && limit == 1
				for slot := 0; ; {
					part := r.ListMembers(name, slot, limit)
					if len(part.Sessions) > limit {
						t.Fatalf("%d members in a page of %d", len(part.Sessions), limit)
					}
					short := r.ListMemberships(name, slot, limit)
					if short.Next != part.Next || len(short.Memberships) != len(part.Sessions) {
						t.Fatalf("%d memberships and %d sessions", len(short.Memberships), len(part.Sessions))
					}
					for i, s := range part.Sessions {
						got = append(got, s.ID)
						if m := short.Memberships[i]; m != (Membership{s.ID, name, s.Who}) {
							t.Fatalf("got %+v of %+v", m, s)
						}
					}
					if slot = part.Next; slot == 0 {
						break
					}
					if shrinks && len(got) > 100 { // those that have been listed leave
						for n, s := range all[:200] {
							if n%50 != 0 && int(s.slot) < slot {
								r.exit(s, []byte(name))
							}
						}
						shrinks = false
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s in pages of %d: %d members, want %d, or in another order", name, limit, len(got), len(want))
				}
			}
		}
	})
}

// TestListGroups: every group is in one look, also where slots became free.
func TestListGroups(t *testing.T) {
	e := startSim(t, func(o *Options) { o.MaxGroupsPerSession = 1 << 20 })
	r := e.reactors[0]
	onLoop(t, r, func() {
		s := r.simulate(1, protocol.ModeBare)[0]
		for i := range 2*scanSlots + 100 {
			s.joinAs(fmt.Sprint(i))
		}
		for i := range scanSlots {
			if i%3 == 0 {
				r.exit(s, fmt.Append(nil, i))
			}
		}
		seen := map[string]int{}
		looks := 0
		for slot := 0; ; looks++ {
			part := r.ListGroups(slot, nil, func(name string) bool { return name != "7" })
			for _, g := range part.Groups {
				seen[g.Name] += g.Members
			}
			if slot = part.Next; slot == 0 {
				break
			}
		}
		if want := s.groupCount() - 1; len(seen) != want || looks < 2 {
			t.Errorf("%d groups in %d looks, want %d", len(seen), looks+1, want)
		}
		for name, n := range seen {
			if n != 1 || name == "7" {
				t.Fatalf("%s: %d", name, n)
			}
		}
	})
}

// TestDissolve: so many members leave, of both modes, and nobody else.
func TestDissolve(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		for i, s := range append(r.simulate(100, protocol.ModeBare), r.simulate(10, protocol.ModeEnvelope)...) {
			s.joinAs("g")
			if i%2 == 0 {
				s.joinAs("other")
			}
		}
		if n := r.Dissolve("g", 70); n != 70 || r.Members("g") != 40 {
			t.Errorf("%d left, %d are members", n, r.Members("g"))
		}
		if n := r.Dissolve("g", 70); n != 40 || r.Members("g") != 0 {
			t.Errorf("%d left, %d are members", n, r.Members("g"))
		}
		if n := r.Members("other"); n != 55 || r.Dissolve("g", 1) != 0 {
			t.Errorf("the other group has %d members, want 55", n)
		}
	})
}
