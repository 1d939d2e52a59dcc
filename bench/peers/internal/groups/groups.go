// Package groups is the map that the Go peers keep: who is in which group.
//
// It is what a careful team would write: sharded, so that a join waits only for messages of groups in the same
// shard; read locks for sending, so that publishers do not wait for each other; and slices of members, which are
// faster to walk than maps.
package groups

import (
	"hash/maphash"
	"sync"
)

const shards = 64

// Groups is the map. All methods may be called from any goroutine.
type Groups[M comparable] struct {
	seed   maphash.Seed
	shards [shards]shard[M]
}

type shard[M comparable] struct {
	mu     sync.RWMutex
	groups map[string]*group[M]
}

type group[M comparable] struct {
	members []M
	at      map[M]int // where each stands in members
}

// New makes an empty map.
func New[M comparable]() *Groups[M] {
	g := &Groups[M]{seed: maphash.MakeSeed()}
	for i := range g.shards {
		g.shards[i].groups = map[string]*group[M]{}
	}
	return g
}

func (g *Groups[M]) shard(name string) *shard[M] {
	return &g.shards[maphash.String(g.seed, name)%shards]
}

// Join makes m a member; joining twice is joining once.
func (g *Groups[M]) Join(name string, m M) {
	s := g.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.groups[name]
	if to == nil {
		to = &group[M]{at: map[M]int{}}
		s.groups[name] = to
	}
	if _, ok := to.at[m]; !ok {
		to.at[m] = len(to.members)
		to.members = append(to.members, m)
	}
}

// Leave undoes Join. The last one to leave takes the group along.
func (g *Groups[M]) Leave(name string, m M) {
	s := g.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.groups[name]
	if from == nil {
		return
	}
	i, ok := from.at[m]
	if !ok {
		return
	}
	delete(from.at, m)
	last := len(from.members) - 1
	if i != last {
		from.members[i] = from.members[last]
		from.at[from.members[i]] = i
	}
	var none M
	from.members[last] = none
	from.members = from.members[:last]
	if last == 0 {
		delete(s.groups, name)
	}
}

// Each calls do for every member. Joins and leaves of the group's shard wait meanwhile, so do must not block.
func (g *Groups[M]) Each(name string, do func(M)) {
	s := g.shard(name)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if to := s.groups[name]; to != nil {
		for _, m := range to.members {
			do(m)
		}
	}
}
