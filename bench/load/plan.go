package main

import (
	"fmt"
	"sync/atomic"
)

// role is what a seat does besides being connected.
type role uint8

const (
	member  role = iota // reads, and must miss nothing
	sleeper             // joins, then does not read until the drain
	visitor             // joins, leaves and reconnects all the time
	poster              // publishes to the HTTP API, and is no seat
)

// seat is one connection to be: its groups, its part, and the publisher on it if there is one.
type seat struct {
	groups    []int32
	role      role
	publisher int16 // -1: none
}

// stream is one publisher's messages to one group: what a sequence number counts.
type stream struct {
	group int32
	id    int32 // in plan.published
}

// plan says who is in which group and who publishes where. It is fixed before the first connection, and shared by all
// loops: only published changes.
type plan struct {
	names      []string // of the groups; unique to this run, so that an earlier run's messages cannot be mistaken
	seats      []seat
	publishers [][]stream // by publisher, the streams it takes turns with

	// A group's streams have consecutive ids, from firstStream[group] to firstStream[group+1]; a member of it has as
	// many slots in its ledger, in the same order. laneOf finds a publisher's place among them.
	firstStream []int32
	laneOf      []int16 // group * publishers + publisher; -1: it does not publish there

	published []atomic.Uint32 // by stream; written by the publisher's loop only
	expecting []int32         // by group: members that must miss nothing
}

// newPlan completes seats whose groups and publishers are set: every publisher publishes to all groups of its seat.
func newPlan(prefix string, groups int, seats []seat, publishers int) *plan {
	p := &plan{
		names:       make([]string, groups),
		seats:       seats,
		publishers:  make([][]stream, publishers),
		firstStream: make([]int32, groups+1),
		laneOf:      make([]int16, groups*publishers),
		expecting:   make([]int32, groups),
	}
	for g := range p.names {
		p.names[g] = fmt.Sprintf("%s-%d", prefix, g)
	}
	for i := range p.laneOf {
		p.laneOf[i] = -1
	}
	lanesIn := make([]int16, groups)
	for _, s := range seats {
		for _, g := range s.groups {
			if s.role == member {
				p.expecting[g]++
			}
			if s.publisher >= 0 {
				p.laneOf[int(g)*publishers+int(s.publisher)] = lanesIn[g]
				lanesIn[g]++
			}
		}
	}
	for g, n := range lanesIn {
		p.firstStream[g+1] = p.firstStream[g] + int32(n)
	}
	p.published = make([]atomic.Uint32, p.firstStream[groups])
	for _, s := range seats {
		if s.publisher < 0 {
			continue
		}
		for _, g := range s.groups {
			lane := p.laneOf[int(g)*publishers+int(s.publisher)]
			p.publishers[s.publisher] = append(p.publishers[s.publisher], stream{g, p.firstStream[g] + int32(lane)})
		}
	}
	return p
}

// lanes is how many streams a group has.
func (p *plan) lanes(group int32) int { return int(p.firstStream[group+1] - p.firstStream[group]) }

// lane finds a publisher's place among a group's streams; false if it has none there.
func (p *plan) lane(group, publisher uint32) (int, bool) {
	if int(group) >= len(p.names) || int(publisher) >= len(p.publishers) {
		return 0, false
	}
	lane := p.laneOf[int(group)*len(p.publishers)+int(publisher)]
	return int(lane), lane >= 0
}

// expected is how many deliveries the members that must miss nothing are owed so far.
func (p *plan) expected() (n uint64) {
	for g, members := range p.expecting {
		for id := p.firstStream[g]; id < p.firstStream[g+1]; id++ {
			n += uint64(p.published[id].Load()) * uint64(members)
		}
	}
	return n
}

// numbers backs the groups of seats that are in a single one: a slice of it costs no memory per seat.
func numbers(n int) []int32 {
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// oneRoom: everybody is in group 0. The publishers sit evenly spread among the members, since a server may serve them
// in the order they came.
func oneRoom(prefix string, members, publishers, sleepers, visitors int) *plan {
	zero := numbers(1)
	seats := make([]seat, members+sleepers+visitors)
	for i := range seats {
		seats[i] = seat{zero, member, -1}
		switch {
		case i >= members+sleepers:
			seats[i].role = visitor
		case i >= members:
			seats[i].role = sleeper
		}
	}
	for p := range publishers {
		seats[(2*p+1)*members/(2*publishers)].publisher = int16(p)
	}
	return newPlan(prefix, 1, seats, publishers)
}

// rooms: every group has the same number of members. One of them is a publisher, which is in every publishers-th group,
// so that it sees its own messages; the others are in one group each.
func rooms(prefix string, groups, perGroup, publishers int) *plan {
	all := numbers(groups)
	var seats []seat
	for i := range groups * (perGroup - 1) {
		g := i % groups
		seats = append(seats, seat{all[g : g+1], member, -1})
	}
	for p := range publishers {
		s := seat{nil, member, int16(p)}
		for g := p; g < groups; g += publishers {
			s.groups = append(s.groups, int32(g))
		}
		seats = append(seats, s)
	}
	return newPlan(prefix, groups, seats, publishers)
}

// webs: every member is in perMember groups, evenly spread, and some of them publish to theirs.
func webs(prefix string, members, groups, perMember, publishers int) *plan {
	seats := make([]seat, members)
	stride := max(1, groups/perMember)
	for i := range seats {
		seats[i] = seat{make([]int32, perMember), member, -1}
		for k := range perMember {
			seats[i].groups[k] = int32((i + k*stride) % groups)
		}
	}
	for p := range publishers {
		seats[(2*p+1)*members/(2*publishers)].publisher = int16(p)
	}
	return newPlan(prefix, groups, seats, publishers)
}

// crowd: sessions that only sit in their group.
func crowd(prefix string, members, groups int) *plan {
	all := numbers(groups)
	seats := make([]seat, members)
	for i := range seats {
		g := i % groups
		seats[i] = seat{all[g : g+1], member, -1}
	}
	return newPlan(prefix, groups, seats, 0)
}
