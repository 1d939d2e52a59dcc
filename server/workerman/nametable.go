package workerman

import "maps"

// nameTable finds what has a name. Go's maps keep the memory of all that was ever in them
// at one time, so that names which a stranger has made up would stay with the process
// after they are gone; this one is made anew once it is nearly empty.
//
// Owner: the hub, whose mu guards it.
type nameTable[T any] struct {
	all  map[string]*T
	most int // that all has held since it was made
}

// keptNames are not worth another map, and slimBy is the part of a map that may be in use
// when it is made anew: what is copied then is less than what was removed before.
const (
	keptNames = 1024
	slimBy    = 8
)

func (n *nameTable[T]) put(name string, one *T) {
	if n.all == nil {
		n.all = make(map[string]*T)
	}
	n.all[name] = one
	n.most = max(n.most, len(n.all))
}

// remove takes a name out. It may be called while all is ranged over: the loop goes on
// over what there was, and meets nothing twice.
func (n *nameTable[T]) remove(name string) {
	delete(n.all, name)
	if n.most > keptNames && len(n.all) < n.most/slimBy {
		n.all, n.most = maps.Collect(maps.All(n.all)), len(n.all)
	}
}
