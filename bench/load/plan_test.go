package main

import "testing"

func TestPlansAreConsistent(t *testing.T) {
	for name, c := range map[string]struct {
		plan      *plan
		perGroup  int // members of each group
		perMember []int
	}{
		"one room":   {oneRoom("x", 100, 4, 3, 2), 100, []int{1, 1}},
		"rooms":      {rooms("x", 1000, 10, 16), 10, []int{1, 63}},
		"one group":  {rooms("x", 1, 3, 1), 3, []int{1, 1}},
		"webs":       {webs("x", 1000, 1000, 100, 16), 100, []int{100, 100}},
		"uneven web": {webs("x", 7, 7, 3, 2), 3, []int{3, 3}},
		"crowd":      {crowd("x", 30, 10), 3, []int{1, 1}},
	} {
		p := c.plan
		for g, n := range p.expecting {
			if int(n) != c.perGroup {
				t.Errorf("%s: group %d has %d members", name, g, n)
			}
		}
		publishers := 0
		for _, s := range p.seats {
			if n := len(s.groups); n < c.perMember[0] || n > c.perMember[1] {
				t.Errorf("%s: a member is in %d groups", name, n)
			}
			seen := map[int32]bool{}
			for _, g := range s.groups {
				if seen[g] {
					t.Errorf("%s: a member is in group %d twice", name, g)
				}
				seen[g] = true
			}
			if s.publisher >= 0 {
				publishers++
				for _, st := range p.publishers[s.publisher] {
					lane, ok := p.lane(uint32(st.group), uint32(s.publisher))
					if !ok || p.firstStream[st.group]+int32(lane) != st.id || !seen[st.group] {
						t.Errorf("%s: publisher %d, stream %+v, lane %d %v", name, s.publisher, st, lane, ok)
					}
				}
			}
		}
		if publishers != len(p.publishers) {
			t.Errorf("%s: %d seats for %d publishers", name, publishers, len(p.publishers))
		}
		if _, ok := p.lane(uint32(len(p.names)), 0); ok {
			t.Errorf("%s: a group too many", name)
		}
	}
}
