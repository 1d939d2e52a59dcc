package loop

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"groupcast/loop/reactor"
)

// Questions about groups, and orders to them, from outside the loops.

// ErrNoGroup is the answer when a group has no member.
var ErrNoGroup = errors.New("no such group")

// Groups lists up to limit groups (1 to MaxPage) whose names begin with prefix
// and come after the name after, in the order of their bytes; more says whether
// there are others behind them. A group that lives during the whole question is
// not missed. It looks at every group there is, a few thousand at a time on each
// loop, so its cost is that of all groups, whatever the limit.
func (e *Engine) Groups(ctx context.Context, prefix, after string, limit int) (page []GroupInfo, more bool, err error) {
	limit = min(max(limit, 1), MaxPage)
	wanted := func(name string) bool { return name > after && strings.HasPrefix(name, prefix) }
	less := func(a, b GroupInfo) int { return cmp.Compare(a.Name, b.Name) }
	return e.collectGroups(ctx, limit, wanted, less)
}

// LargestGroups returns the groups with the most members, up to limit of them.
// What it costs is what Groups does. A group whose members are spread so that
// it is among the largest on no reactor may be missed.
func (e *Engine) LargestGroups(ctx context.Context, limit int) ([]GroupInfo, error) {
	limit = min(max(limit, 1), MaxPage)
	less := func(a, b GroupInfo) int { return cmp.Or(b.Members-a.Members, cmp.Compare(a.Name, b.Name)) }
	page, _, err := e.collectGroups(ctx, limit, func(string) bool { return true }, less)
	return page, err
}

// foundGroups are what loops write their groups to, *[]GroupInfo: the largest are asked for every few
// seconds, and were most of what an idle server allocated. Empty, and without names.
var foundGroups = sync.Pool{New: func() any { return new([]GroupInfo) }}

// collectGroups asks each loop for its first limit groups in the order of less,
// and puts what they say together.
func (e *Engine) collectGroups(ctx context.Context, limit int, wanted func(string) bool, less func(a, b GroupInfo) int,
) (page []GroupInfo, more bool, err error) {
	members := make(map[string]int)
	found := foundGroups.Get().(*[]GroupInfo)
	for _, r := range e.reactors {
		best := make([]GroupInfo, 0, 2*limit)
		for slot := 0; ; {
			part, err := askOne(ctx, e, r, func(r *reactor.Reactor) reactor.GroupsPart {
				return r.ListGroups(slot, *found, wanted)
			})
			if err != nil {
				return nil, false, err // found is lost: the loop may still write to it
			}
			// Here, not on the loop: keep the first limit of them (and one to know of more).
			slices.SortFunc(part.Groups, less)
			best = append(best, part.Groups[:min(len(part.Groups), limit+1)]...)
			clear(part.Groups)
			*found = part.Groups[:0]
			if slices.SortFunc(best, less); len(best) > limit+1 {
				best = best[:limit+1]
			}
			if slot = part.Next; slot == 0 {
				break
			}
		}
		for _, g := range best {
			members[g.Name] += g.Members
		}
	}
	foundGroups.Put(found)
	page = make([]GroupInfo, 0, len(members))
	for name, n := range members {
		page = append(page, GroupInfo{Name: name, Members: n})
	}
	if slices.SortFunc(page, less); len(page) > limit {
		return page[:limit], true, nil
	}
	return page, false, nil
}

// Group counts a group's members on each reactor. The error is ErrNoGroup,
// ErrClosed or ctx's.
func (e *Engine) Group(ctx context.Context, name string) (GroupInfo, error) {
	info := GroupInfo{Name: name, ByReactor: make([]int, len(e.reactors))}
	err := ask(ctx, e, func(r *reactor.Reactor) int { return r.Members(name) }, info.ByReactor)
	if err != nil {
		return GroupInfo{}, err
	}
	for _, n := range info.ByReactor {
		info.Members += n
	}
	if info.Members == 0 {
		return GroupInfo{}, ErrNoGroup
	}
	return info, nil
}

// dissolveStep is how many members leave a group before the loop does something else.
const dissolveStep = 4096

// Dissolve has everyone leave a group who is in it when its loop is asked, and
// returns how many that were. Who joins meanwhile may stay.
func (e *Engine) Dissolve(ctx context.Context, name string) (left int, err error) {
	info, err := e.Group(ctx, name)
	if err != nil {
		return 0, err
	}
	for i, r := range e.reactors {
		for todo := info.ByReactor[i]; todo > 0; {
			n, err := askOne(ctx, e, r, func(r *reactor.Reactor) int { return r.Dissolve(name, min(todo, dissolveStep)) })
			left += n
			if err != nil {
				return left, err
			}
			if n == 0 {
				break
			}
			todo -= n
		}
	}
	return left, nil
}
