package workerman

import "container/list"

// maker is a connection that has made queues. It stays as long as they do.
type maker struct {
	peer   string    // for the log
	queues list.List // of *queue: those that nobody watches, in the order in which they were left
}

// makers knows which maker has most queues that nobody watches.
//
// Owner: the hub, whose mu guards it.
type makers struct {
	by  map[int]map[*maker]struct{} // makers by how many they have
	top int                         // no maker has more; one may have fewer
}

// add counts a queue that nobody watches.
func (s *makers) add(q *queue) {
	if q.place != nil {
		return
	}
	m := q.maker
	s.move(m, m.queues.Len()+1)
	q.place = m.queues.PushBack(q)
}

// remove counts it no more: it is watched, or gone.
func (s *makers) remove(q *queue) {
	if q.place == nil {
		return
	}
	m := q.maker
	s.move(m, m.queues.Len()-1)
	m.queues.Remove(q.place)
	q.place = nil
}

// move puts m among those with n queues.
func (s *makers) move(m *maker, n int) {
	if s.by == nil {
		s.by = make(map[int]map[*maker]struct{})
	}
	if old := m.queues.Len(); old > 0 {
		if delete(s.by[old], m); len(s.by[old]) == 0 {
			delete(s.by, old)
		}
	}
	if n == 0 {
		return
	}
	if s.by[n] == nil {
		s.by[n] = make(map[*maker]struct{})
	}
	s.by[n][m] = struct{}{}
	s.top = max(s.top, n)
}

// most is a maker that none has more than; nil without any.
func (s *makers) most() *maker {
	for ; s.top > 0; s.top-- {
		for m := range s.by[s.top] {
			return m
		}
	}
	return nil
}
