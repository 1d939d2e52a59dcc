package bus

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"groupcast/server/bus/wire"
)

// How many members a group has over all nodes is asked for once, and announced from then on while this node is
// asked again: a page that asks once a second costs the cluster only the changes.

const (
	// announceEvery is how often a node looks whether the count of a watched group has changed.
	announceEvery = 250 * time.Millisecond
	// announceAll is how often it announces all of them, changed or not: an announcement may have been lost.
	announceAll = 5 * time.Second
	// watchFor is how long a group is counted for others from when it was last asked for, and
	// watchAgain how often those say that they still want it.
	watchFor   = 60 * time.Second
	watchAgain = 20 * time.Second
)

// watch is what the nodes know of each other's groups.
type watch struct {
	mu sync.Mutex
	// wanted are the groups that this node was asked for, and when.
	wanted map[string]time.Time
	// watched are those that others want to know of, until when.
	watched map[string]time.Time
	// counts are what other nodes have announced.
	counts map[string]map[string]int // members by node and group
}

// want notes that a group was asked for, and reports whether the others have to be told: then it was
// not wanted before.
func (w *watch) want(group string, now time.Time) (news bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, known := w.wanted[group]
	if !known {
		if len(w.wanted) >= wire.MaxWatched {
			return false
		}
		if w.wanted == nil {
			w.wanted = make(map[string]time.Time)
		}
	}
	w.wanted[group] = now
	return !known
}

// known is how many members a group has on these nodes, if all of them have announced it.
func (w *watch) known(group string, nodes []string) (total int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, wanted := w.wanted[group]; !wanted {
		return 0, false
	}
	for _, name := range nodes {
		n, ok := w.counts[name][group]
		if !ok {
			return 0, false
		}
		total += n
	}
	return total, true
}

// watchThese has this node count groups for others.
func (w *watch) watchThese(groups []string, until time.Time) (full bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watched == nil {
		w.watched = make(map[string]time.Time)
	}
	for _, name := range groups {
		if _, known := w.watched[name]; !known && len(w.watched) >= wire.MaxWatched {
			return true
		}
		w.watched[name] = until
	}
	return false
}

// announced notes a node's counts, but for groups that this node does not want to know of.
func (w *watch) announced(node string, counts map[string]int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, n := range counts {
		if _, wanted := w.wanted[name]; !wanted {
			continue
		}
		if w.counts == nil {
			w.counts = make(map[string]map[string]int)
		}
		if w.counts[node] == nil {
			w.counts[node] = make(map[string]int)
		}
		w.counts[node][name] = n
	}
}

// forget drops the counts of a node that is gone, or begins anew.
func (w *watch) forget(node string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.counts, node)
}

// expire forgets groups that were not asked for lately, and returns those that are left.
func (w *watch) expire(now time.Time) (wanted, watched []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, asked := range w.wanted {
		if now.Sub(asked) > watchFor {
			delete(w.wanted, name)
			for _, counts := range w.counts {
				delete(counts, name)
			}
		}
	}
	maps.DeleteFunc(w.watched, func(_ string, until time.Time) bool { return now.After(until) })
	return slices.Sorted(maps.Keys(w.wanted)), slices.Sorted(maps.Keys(w.watched))
}

// announce tells the others how many members the groups have here that they watch.
func (b *Bus) announce() {
	ticker := time.NewTicker(announceEvery)
	defer ticker.Stop()
	told := make(map[string]int)
	var toldAll, asked time.Time
	for {
		select {
		case <-b.newcomer:
			toldAll, asked = time.Time{}, time.Time{}
		case <-ticker.C:
		case <-b.stop.Done():
			return
		}
		now := time.Now()
		wanted, watched := b.watch.expire(now)
		if len(wanted) > 0 && now.Sub(asked) >= watchAgain {
			asked = now
			b.askToWatch(wanted)
		}
		if now.Sub(toldAll) >= announceAll {
			toldAll = now
			clear(told)
		}
		if len(watched) == 0 {
			continue
		}
		counts, err := b.interest.Count(b.stop, watched)
		if err != nil {
			return
		}
		changed := make(map[string]int)
		for i, name := range watched {
			if n, known := told[name]; !known || n != counts[i] {
				changed[name], told[name] = counts[i], counts[i]
			}
		}
		if len(changed) > 0 {
			b.want(request{subject: b.subjects.all, control: wire.Control{Counts: &wire.Counts{Counts: changed}}})
		}
	}
}

func (b *Bus) askToWatch(groups []string) {
	b.want(request{
		subject: b.subjects.all,
		control: wire.Control{Watch: &wire.Watch{Groups: groups, Seconds: int(watchFor / time.Second)}},
	})
}

// Total is how many members a group has on all nodes, and which of them could not say. It is asked
// for the first time, and known from what the nodes announce while it is asked for again. While NATS is
// away what they announced is old, and they are silent.
func (b *Bus) Total(ctx context.Context, group string) (total int, silent []string, err error) {
	others := b.others()
	known, ok := b.watch.known(group, others)
	if b.watch.want(group, time.Now()) {
		b.askToWatch([]string{group})
	}
	if !ok || !b.joined.Load() {
		page, err := b.Members(ctx, group, "", 0)
		return page.Total, page.Silent, err
	}
	own, err := b.interest.Count(ctx, []string{group})
	if err != nil {
		return 0, nil, err
	}
	return known + own[0], nil, nil
}
