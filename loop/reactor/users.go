package reactor

import "groupcast/loop/order"

// A publication for groups and users is several messages, which come one behind the other,
// perhaps in several batches: sessions may join, leave and change their user in between. Each
// gets it once all the same, since whose it is is settled when the first message comes: the
// members of its groups get it as such, and are taken out of those it is still owed to; the
// last message is for who is left.

// name notes the users' sessions when a publication's first message has come.
func (r *Reactor) name(m *order.Message) {
	r.named = r.named[:0]
	for _, user := range m.Outside.Users {
		for _, s := range r.users.byName[user] {
			r.named = append(r.named, named{s, user})
		}
	}
}

// reachedAsMember takes out those who have got the message as members of g. Who is excluded
// has not, nor will.
func (r *Reactor) reachedAsMember(g *group) {
	rest := r.named[:0]
	for _, one := range r.named {
		if one.s.membershipOf(g) < 0 {
			rest = append(rest, one)
		}
	}
	clear(r.named[len(rest):])
	r.named = rest
}

// addressUsers marks the sessions that m, a publication's message to its users, is owed to. The
// run before it has ended.
func (r *Reactor) addressUsers(m *order.Message) {
	b := &r.batch
	r.stats.Messages++
	r.place = m.Order()
	if m.Opens() {
		r.name(m)
	}
	b.marks += len(r.named) + m.Excluded()
	if len(r.named) == 0 {
		return
	}
	r.exclude(m)
	r.marking = true
	b.run = append(b.run, m)
	var chunks [encodingCount]*order.Chunk
	n, longest := uint64(0), len(m.Frame.Buf)
	for i, one := range r.named {
		r.named[i] = named{}
		s := one.s
		// What is in the table is open. It may have gone, or be another user's, since.
		if s.is(flagExcluded) || s.state != stateOpen || s.who == nil || s.who.User != one.user {
			continue
		}
		e := s.encoding()
		if chunks[e] == nil {
			chunks[e] = r.encodeForUsers(e, b.run)
			longest = max(longest, len(chunks[e].Buf))
		}
		s.enqueue(chunks[e])
		n++
	}
	r.marking = false
	r.named = r.named[:0]
	r.includeAgain()
	b.total += longest - len(m.Frame.Buf)
	b.run[0] = nil
	b.run = b.run[:0]
	if n > 0 {
		b.reached = append(b.reached, m.Published)
	}
	r.stats.Marks += n
	r.stats.Deliveries += n
	r.stats.UserDeliveries += n
}

// encodeForUsers is encode for a message to users, which is a run by itself.
func (r *Reactor) encodeForUsers(e encodingID, run []*order.Message) *order.Chunk {
	if appendText := e.of().appendUserText; appendText != nil {
		lens := append(r.batch.lens[e][:0], e.of().userSize(run[0]))
		r.batch.lens[e] = lens[:0]
		return r.builtChunk(run, lens, appendText)
	}
	return r.ownChunk(run)
}
