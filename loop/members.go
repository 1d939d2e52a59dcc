package loop

import (
	"context"
	"errors"

	"groupcast/loop/reactor"
)

// Members tells one goroutine outside the loops who is in which group: at first everything,
// then what changes. It never keeps a loop waiting: who is slow to ask gets less, since what
// cancels out meanwhile is left out, and has to read everything anew once more than its
// limit has come together.
//
// Owner: the goroutine that calls Next; Close is for any.
type Members struct {
	engine    *Engine
	followers []*reactor.Follower // by the reactor's index
	next      int                 // the reactor that is asked next
	news      chan struct{}       // capacity one
}

// DefaultMembersLimit is how many changes wait on each loop for the one who follows them.
const DefaultMembersLimit = 16 << 10

// MembersUpdate is what has changed on one loop. Replayed one after the other, a loop's
// updates give who is in which group there. A membership begins once and ends once, so that
// it may be counted, but for updates between an overflow and the next one that is Anew.
type MembersUpdate struct {
	Reactor int
	Anew    bool // forget what was known of this loop first
	Changes []MemberChange
}

// ErrFollowed is the answer where a goroutine follows the members already.
var ErrFollowed = errors.New("the members are followed already")

// FollowMembers begins to follow who is in which group, with up to limit changes a loop that
// wait for Next. The error is ErrFollowed, ErrClosed or ctx's.
func (e *Engine) FollowMembers(ctx context.Context, limit int) (*Members, error) {
	if !e.followed.CompareAndSwap(false, true) {
		return nil, ErrFollowed
	}
	m := &Members{engine: e, news: make(chan struct{}, 1)}
	for _, r := range e.reactors {
		m.followers = append(m.followers, reactor.Follow(r, max(1, limit), m.news))
	}
	begun := make([]struct{}, len(e.reactors))
	err := ask(ctx, e, func(r *reactor.Reactor) (none struct{}) {
		m.followers[r.Index()].Begin()
		return none
	}, begun)
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Next returns what has changed on one of the loops, and waits until something has. The
// error is ErrClosed or ctx's.
func (m *Members) Next(ctx context.Context) (MembersUpdate, error) {
	for {
		for range m.followers {
			i := m.next
			m.next = (i + 1) % len(m.followers)
			c, read := m.followers[i].Take()
			if read != nil {
				if err := m.engine.tell(m.engine.reactors[i:i+1], func(*reactor.Reactor) { read() }); err != nil {
					return MembersUpdate{}, err
				}
			}
			if c != nil {
				return MembersUpdate{Reactor: i, Anew: c.Anew, Changes: c.List}, nil
			}
		}
		select {
		case <-m.news:
		case <-m.engine.stopped:
			return MembersUpdate{}, ErrClosed
		case <-ctx.Done():
			return MembersUpdate{}, ctx.Err()
		}
	}
}

// Overflows is how often a loop had more changes waiting than the limit, so that all of its
// memberships were read anew.
func (m *Members) Overflows() (n uint64) {
	for _, f := range m.followers {
		n += f.Overflows
	}
	return n
}

// Close ends it; from then on the loops note nothing.
func (m *Members) Close() {
	// A loop that is gone notes nothing either.
	_ = m.engine.tell(m.engine.reactors, func(r *reactor.Reactor) { m.followers[r.Index()].End() })
	m.engine.followed.Store(false)
}
