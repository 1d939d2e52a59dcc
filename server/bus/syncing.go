package bus

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"groupcast/server/bus/wire"
)

// pending is a marker that other nodes have to answer.
type pending struct {
	number  uint64 // 0: none
	wire    uint64 // as it is on the wire
	waits   map[string]struct{}
	flushed bool
	until   time.Time
	again   time.Time // when it is asked anew
}

// whole reports whether all have answered.
func (p *pending) whole() bool { return p.number != 0 && len(p.waits) == 0 && p.flushed }

// syncBit is set in markers of nodes that ask how far others have come.
const syncBit = 1

// Markers of the interest and of the reader itself are told apart by their last bit, and those of
// an earlier life of this node by what is in front.
func (b *Bus) markerID(number uint64, sync bool) uint64 {
	id := b.epoch<<32 | number<<1&0xffff_ffff
	if sync {
		id |= syncBit
	}
	return id
}

func (r *reader) pend(number uint64, wait time.Duration, sync bool) pending {
	return pending{
		number: number, wire: r.b.markerID(number, sync), waits: r.alive(), flushed: sync,
		until: time.Now().Add(wait), again: time.Now().Add(syncAgain),
	}
}

// answered is a node's answer to a marker: it knows the subscriptions in front of that, and all
// that it published up to its place has come, or was missed.
func (r *reader) answered(p *peer, m *wire.Marked) {
	switch m.ID {
	case r.marker.wire:
		delete(r.marker.waits, p.name)
		r.lookAtMarker()
	case r.sync.wire:
		delete(r.sync.waits, p.name)
		r.settle(p, m)
		r.lookAtSync()
	}
}

// letGo takes out nodes that are gone: their answers are not waited for.
func (r *reader) letGo(p *pending) {
	maps.DeleteFunc(p.waits, func(name string, _ struct{}) bool {
		other := r.peers[name]
		return other == nil || other.gone
	})
}

// publish has a marker published, once more where it was already.
func (r *reader) publish(p *pending, now time.Time) {
	p.again = now.Add(syncAgain)
	r.b.want(request{subject: r.b.subjects.all, control: wire.Control{Marker: &wire.Marker{ID: p.wire}}})
}

// lookAtMarker tells the interest once its marker was answered by all nodes that live.
func (r *reader) lookAtMarker() {
	r.letGo(&r.marker)
	if r.marker.whole() {
		r.marked(true)
	}
}

func (r *reader) marked(whole bool) {
	number := r.marker.number
	r.marker = pending{}
	if !whole {
		r.b.count.MarkersLate.Add(1)
	}
	r.b.interest.Marked(number, whole)
}

// healWait is how long a node that is back waits for the others to be, before it publishes what
// it has kept: all come back from the same break, one after the other.
const healWait = 1500 * time.Millisecond

// syncAgain is how often a node asks the nodes anew that have not answered: they may not have been there to
// hear it.
const syncAgain = 200 * time.Millisecond

// arrived begins anew, where the writer can use the connection again.
func (r *reader) arrived(round uint64) {
	now := time.Now()
	for _, p := range r.peers {
		if !p.gone {
			p.heard = now // it could not be heard
		}
	}
	if r.b.everUp.Swap(true) {
		r.loseForeign()
	}
	r.back, r.backSince, r.round = true, now, round
	r.startSync(cmp.Or(r.b.opt.healWait, healWait))
}

// loseForeign takes all groups as lost that get messages without a place.
func (r *reader) loseForeign() {
	if r.allForeign {
		r.b.lost(causeForeign, nil, true)
	} else if len(r.foreign) > 0 {
		r.b.lostGroups(causeForeign, slices.Collect(maps.Keys(r.foreign)))
	}
}

// startSync asks all nodes that live how far they have come. Where wait is not 0, the writer
// waits for that as long.
func (r *reader) startSync(wait time.Duration) {
	until := r.sync.until
	r.syncs++
	r.sync = r.pend(r.syncs, wait, true)
	if wait == 0 {
		r.sync.until = until
	}
	r.askSync(time.Now())
	r.lookAtSync()
}

// answerMarker is another node's: it has this one say that it is known to be subscribed.
//
// One that is back itself publishes what it has kept once it has that. So what it has published before is
// asked for in front of the answer, or this node would take what comes then for missed.
func (r *reader) answerMarker(c *wire.Control, now time.Time) {
	id := c.Marker.ID
	p := r.peers[c.Node]
	if p != nil && id&syncBit != 0 && p.doubt && p.asked == 0 && r.back && r.sync.number != 0 &&
		now.Sub(r.syncAsked) > syncAgain/10 {
		r.askSync(now)
	}
	r.b.want(request{subject: r.b.subjects.node + c.Node, marker: id})
}

func (r *reader) askSync(now time.Time) {
	r.syncAsked = now
	r.publish(&r.sync, now)
}

// lookAtSync lets the writer go on once all have answered.
func (r *reader) lookAtSync() {
	if r.sync.whole() {
		r.sync = pending{}
		r.heal()
	}
}

func (r *reader) heal() {
	if r.round == 0 {
		return
	}
	select {
	case r.b.healed <- r.round:
		r.round = 0
	default: // an older one is there: the writer takes it, and tick comes back
	}
}

func (r *reader) tickSync(now time.Time) {
	if r.round != 0 && r.back && (r.sync.number == 0 || now.After(r.sync.until)) {
		r.heal()
	}
	if r.sync.number == 0 || !r.back {
		return
	}
	r.letGo(&r.sync)
	if r.lookAtSync(); r.sync.number != 0 && now.After(r.sync.again) {
		r.askSync(now)
	}
}

// settle finds out which of a node's messages in front of its answer were missed, and which nobody got without this
// node having heard of it.
func (r *reader) settle(p *peer, m *wire.Marked) {
	p.past = max(p.past, m.Place)
	upto := m.Place
	if m.Nobody > p.nobody {
		upto = max(upto, m.Nobody)
	}
	switch {
	case !p.doubt || p.asked != 0:
	case upto <= p.since:
		p.settled()
	default:
		r.asked++
		p.asked, p.askedAt, p.askedNobody = r.asked, time.Now(), m.Nobody
		r.b.want(request{
			subject: r.b.subjects.node + p.name,
			control: wire.Control{Range: &wire.Range{ID: p.asked, After: p.since, Upto: upto}},
		})
	}
}

// ranged is the answer: the groups that had messages then.
func (r *reader) ranged(p *peer, a *wire.Ranged) {
	if p.asked == 0 || a.ID != p.asked {
		return
	}
	why := p.why
	if !a.More {
		p.nobody = max(p.nobody, p.askedNobody)
		p.settled()
	}
	if a.All || len(a.Hashes) > 0 {
		hashes := make(map[uint64]struct{}, len(a.Hashes))
		for _, hash := range a.Hashes {
			hashes[hash] = struct{}{}
		}
		r.b.lost(why, hashes, a.All)
	}
}

// noticed takes a node's notice of messages that did not reach all. Places come in order: messages beyond the
// highest one that has come were missed, and those that no node got were missed whatever has come.
func (r *reader) noticed(p *peer, n *wire.Notice) {
	p.past, p.nobody = max(p.past, n.Upto), max(p.nobody, n.Place)
	if n.All && (n.Nobody || n.Upto > p.highest) {
		r.b.lost(causeNotice, nil, true)
		return
	}
	hashes := make(map[uint64]struct{})
	for _, one := range n.Lost {
		if n.Nobody || one.Order > p.highest {
			hashes[one.Hash] = struct{}{}
		}
	}
	if len(hashes) > 0 {
		r.b.lost(causeNotice, hashes, false)
	}
}

// overflowed asks what was missed, where nats.go has dropped messages: they stand behind all that waits. Those that
// still wait are taken for missed as well.
func (r *reader) overflowed() {
	for _, p := range r.peers {
		p.doubtsOwn(causeOverflow)
	}
	r.loseForeign()
	r.startSync(0)
}
