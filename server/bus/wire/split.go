package wire

import (
	"encoding/base64"
	"maps"
	"slices"
)

// Bytes of a message in JSON, for lists that have to fit.
const (
	aroundList = 512           // what stands around a list, at most
	escaped    = len(`\u0000`) // the most that one byte of a name becomes
)

// Split makes several messages of one whose list is too long for one: a NATS server takes maxBytes. They share
// its list. A page of members is cut instead, and says where it goes on. Where maxBytes has no room for one
// element, one stands alone all the same.
func (c Control) Split(maxBytes int) []Control {
	maxBytes = min(maxBytes, MaxListBytes)
	switch {
	case c.Notice != nil:
		return parts(c, c.Notice.split(maxBytes), func(c *Control, n *Notice) { c.Notice = n })
	case c.Ranged != nil:
		return parts(c, c.Ranged.split(maxBytes), func(c *Control, r *Ranged) { c.Ranged = r })
	case c.Watch != nil:
		return parts(c, c.Watch.split(maxBytes), func(c *Control, w *Watch) { c.Watch = w })
	case c.Counts != nil:
		return parts(c, c.Counts.split(maxBytes), func(c *Control, n *Counts) { c.Counts = n })
	case c.MembersAnswer != nil:
		cut := c.MembersAnswer.cut(maxBytes)
		c.MembersAnswer = &cut
	}
	return []Control{c}
}

// parts are messages like c with one of bodies each.
func parts[B any](c Control, bodies []B, put func(*Control, *B)) []Control {
	all := make([]Control, len(bodies))
	for i := range bodies {
		all[i] = c
		put(&all[i], &bodies[i])
	}
	return all
}

// packed is how many elements of a packed list a message of maxBytes has room for.
func packed(maxBytes, elementBytes, most int) int {
	room := max(0, base64.StdEncoding.DecodedLen(maxBytes-aroundList))
	return min(max(1, room/elementBytes), most)
}

// chunks are a list's parts of most elements, one part at least.
func chunks[E any](list []E, most int) [][]E {
	if len(list) == 0 {
		return [][]E{list}
	}
	return slices.Collect(slices.Chunk(list, most))
}

func (n Notice) split(maxBytes int) (all []Notice) {
	for _, part := range chunks(n.Lost, packed(maxBytes, entryBytes, MaxEntries)) {
		n.Lost = part
		all = append(all, n)
	}
	return all
}

func (r Ranged) split(maxBytes int) (all []Ranged) {
	for _, part := range chunks(r.Hashes, packed(maxBytes, hashBytes, MaxHashes)) {
		all = append(all, r)
		one := &all[len(all)-1]
		one.Hashes, one.More = part, true
	}
	all[len(all)-1].More = r.More
	return all
}

func (w Watch) split(maxBytes int) (all []Watch) {
	for names := range together(w.Groups, maxBytes, len(`"",`)) {
		all = append(all, Watch{Groups: names, Seconds: w.Seconds})
	}
	return all
}

func (c Counts) split(maxBytes int) (all []Counts) {
	for names := range together(slices.Sorted(maps.Keys(c.Counts)), maxBytes, len(`"":-9223372036854775808,`)) {
		part := make(map[string]int, len(names))
		for _, name := range names {
			part[name] = c.Counts[name]
		}
		all = append(all, Counts{part})
	}
	return all
}

// fitting is how many of the first n elements a message of maxBytes has room for, one at least if there is one.
func fitting(n, maxBytes int, bytes func(i int) int) int {
	room := maxBytes - aroundList
	for i := range n {
		if room -= bytes(i); room < 0 && i > 0 {
			return i
		}
	}
	return n
}

// together are parts of names that fit into a message each, one part at least. around is what stands around
// a name.
func together(names []string, maxBytes, around int) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for {
			n := fitting(len(names), maxBytes, func(i int) int { return around + escaped*len(names[i]) })
			if !yield(names[:n]) || n == len(names) {
				return
			}
			names = names[n:]
		}
	}
}

// cut is the answer with as many members as fit. Ordinary names do, MaxMembers of them, into what NATS servers
// take by default; names as long as they may be, of bytes that JSON escapes, do not.
func (m MembersAnswer) cut(maxBytes int) MembersAnswer {
	const around = len(`{"session":"","user":""},`)
	n := fitting(min(len(m.List), MaxMembers), maxBytes, func(i int) int {
		return around + len(m.List[i].Session) + escaped*len(m.List[i].User)
	})
	if n < len(m.List) {
		m.List = m.List[:n]
		m.Next = m.List[n-1].Session
	}
	return m
}
