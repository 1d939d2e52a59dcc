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

func (n Notice) split(maxBytes int) (all []Notice) {
	most := packed(maxBytes, entryBytes, MaxEntries)
	for rest := n.Lost; ; {
		part := n
		part.Lost = rest[:min(len(rest), most)]
		rest = rest[len(part.Lost):]
		if all = append(all, part); len(rest) == 0 {
			return all
		}
	}
}

func (r Ranged) split(maxBytes int) (all []Ranged) {
	most := packed(maxBytes, hashBytes, MaxHashes)
	for rest := r.Hashes; ; {
		part := r
		part.Hashes = rest[:min(len(rest), most)]
		rest = rest[len(part.Hashes):]
		part.More = r.More || len(rest) > 0
		if all = append(all, part); len(rest) == 0 {
			return all
		}
	}
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

// together are parts of names that fit into a message each, one part at least. around is what stands around
// a name.
func together(names []string, maxBytes, around int) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for {
			n, room := 0, maxBytes-aroundList
			for n < len(names) {
				if room -= around + escaped*len(names[n]); room < 0 && n > 0 {
					break
				}
				n++
			}
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
	n, room := 0, maxBytes-aroundList
	for n < min(len(m.List), MaxMembers) {
		if room -= around + len(m.List[n].Session) + escaped*len(m.List[n].User); room < 0 && n > 0 {
			break
		}
		n++
	}
	if n < len(m.List) {
		m.List = m.List[:n]
		m.Next = m.List[n-1].Session
	}
	return m
}
