package loop

import "sync"

// memberQuota bounds the members of each group over all reactors. It is the
// one thing that joins share, so it does nothing at all unless a limit is set.
// It may be used from anywhere.
type memberQuota struct {
	counting bool // whether there is a limit at all; never changes

	mu    sync.Mutex
	limit int
	count map[string]int
}

func newMemberQuota(limit int) *memberQuota {
	return &memberQuota{counting: limit != 0, limit: limit, count: make(map[string]int)}
}

// setLimit replaces a limit by another; those who are over it stay.
func (q *memberQuota) setLimit(limit int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limit = limit
}

// enter takes a place in the group; false if there is none.
func (q *memberQuota) enter(group []byte) bool {
	if !q.counting {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.count[string(group)]
	if n >= q.limit {
		return false
	}
	q.count[string(group)] = n + 1
	return true
}

// exit gives a place back.
func (q *memberQuota) exit(group string) {
	if !q.counting {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count[group]--; q.count[group] == 0 {
		delete(q.count, group)
	}
}
