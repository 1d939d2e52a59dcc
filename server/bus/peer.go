package bus

import (
	"log/slog"
	"time"

	"groupcast/server/bus/wire"
)

// peer is another node, as this one has heard of it.
//
// Owner: the reader's goroutine.
type peer struct {
	name    string
	epoch   uint64
	beat    wire.Heartbeat // its last one
	heard   time.Time
	highest uint64 // the highest place of it that has come
	// past: all up to this place has come or was told as missed. What comes later is left over from
	// a connection that has ended.
	past uint64
	came uint64 // messages of it since its last heartbeat

	// gone: it has said so, or was silent for longer than the lease. It counts nowhere.
	gone   bool
	silent bool // for long enough that something may have been missed
	// doubt: what it published behind place since may have been missed. own: since this node's
	// connection has ended, or it was too slow. Then it is told of as lost if it cannot be asked for.
	doubt bool
	own   bool
	why   cause
	since uint64
	// sure: what it published up to here had come, or was not for this node's members, when its last
	// heartbeat came.
	sure uint64
	// hushed: it is in doubt for its silence alone.
	hushed bool
	asked  uint64 // the question about that which is under way; 0: none
	// nobody: this node was told which of its messages nobody got, up to this place. askedNobody: the answer under
	// way tells up to there.
	nobody, askedNobody uint64
	// askedAt is when it was asked last, answeredAt when it was answered what it has asked.
	askedAt, answeredAt time.Time
}

// maxPeers is how many nodes are known at a time; further ones are ignored and counted.
const maxPeers = 1024

// doubts notes that messages of it behind its highest place may be missing.
func (p *peer) doubts(why cause) {
	if !p.doubt {
		p.doubt, p.why, p.since, p.hushed = true, why, p.highest, false
	}
}

// doubtsOwn notes that this node may have missed some of its messages, since its own connection has ended or it
// was too slow.
func (p *peer) doubtsOwn(why cause) {
	if p.gone {
		return
	}
	p.doubts(why)
	p.own, p.asked = true, 0
	p.forgetBeats()
}

// settled ends the doubt: the missed messages are known.
func (p *peer) settled() { p.doubt, p.own, p.asked = false, false, 0 }

// placeLead is how far beyond its last heartbeat, or the highest one that has come, a node's place is
// believed.
const placeLead = 1 << 20

// place notes the place of a message, and reports whether it is one to be published: a place of a
// life that its node has not told of says nothing.
func (r *reader) place(at wire.Place) bool {
	// NATS does not echo to the connection that published. What it reads last of one that has ended it may
	// send to the next one, which is subscribed by then.
	if at.Node == r.b.opt.Node && at.Epoch == r.b.epoch {
		r.b.count.Echoes.Add(1)
		return false
	}
	p := r.peers[at.Node]
	if p == nil || p.epoch != at.Epoch || at.Order > max(p.beat.Place, p.highest)+placeLead {
		r.b.count.PlacesUnknown.Add(1)
		return true
	}
	if at.Order <= p.past {
		r.b.count.Late.Add(1)
		return false
	}
	p.came++
	p.highest = max(p.highest, at.Order)
	return true
}

// peerOf is the node whose life a control message is of, nil if that is not known to live: its heartbeat
// comes in front of all else. So what no node has said makes nothing here.
func (r *reader) peerOf(c *wire.Control, now time.Time) *peer {
	p := r.peers[c.Node]
	if p == nil || p.gone || p.epoch != c.Epoch {
		r.b.count.Strangers.Add(1)
		return nil
	}
	p.heard = now
	return p
}

// newcomer is a node of which nothing is known; nil if there are too many. Those that are gone make
// room, the one first that was heard of least lately.
func (r *reader) newcomer(name string) *peer {
	if len(r.peers) >= maxPeers {
		if r.full {
			r.b.count.PeersRefused.Add(1)
			return nil
		}
		var last *peer
		for _, p := range r.peers {
			if p.gone && (last == nil || p.heard.Before(last.heard)) {
				last = p
			}
		}
		if last == nil {
			r.full = true // until a tick has looked who is gone
			r.b.count.PeersRefused.Add(1)
			return nil
		}
		delete(r.peers, last.name)
	}
	p := &peer{name: name}
	r.peers[name] = p
	return p
}

// beat is a heartbeat of another node.
func (r *reader) beat(c *wire.Control, now time.Time) {
	h := c.Heartbeat
	p := r.peers[c.Node]
	first := p == nil || p.epoch != c.Epoch
	if first && h.Leaving {
		if r.wasHidden(h, now) { // and cannot be asked any more
			r.b.lost(causeVanished, nil, true)
		}
		return
	}
	if p == nil {
		if p = r.newcomer(c.Node); p == nil {
			return
		}
	}
	if first {
		if p.own { // what its former life sent while we were away cannot be asked for
			r.b.lost(causeRestarted, nil, true)
		}
		*p = peer{name: c.Node, epoch: c.Epoch, gone: true}
		r.b.watch.forget(p.name)
	} else if sent := h.Sent - p.beat.Sent; h.Sent > p.beat.Sent && sent > p.came {
		r.b.count.Avoided.Add(sent - p.came)
	}
	lost := first && r.wasHidden(h, now) || !first && p.lostBeats(h)
	p.came, p.beat, p.heard = 0, *h, now
	ask := p.goesOn(lost)
	if h.Leaving {
		r.leaves(p)
		return
	}
	if !p.doubt {
		// What it sent before has come, since both come the same way; or was not for this node's members.
		p.highest = max(p.highest, h.Place)
	}
	if p.gone {
		p.gone, r.greet = false, true
		r.b.ration.Log(slog.LevelInfo, "there", "bus: a node is there", "peer", p.name, "version", h.Program,
			"host", h.Host)
		if h.Joined && r.b.info.Joined {
			r.b.ration.Warn("bus: another node has --channel-join as well: one is to have it, or messages come twice",
				"peer", p.name, "host", h.Host)
		}
	}
	if ask {
		r.startSync(0)
	}
	p.silent, p.sure = false, p.highest
}

// leaves takes a node's last heartbeat. A node that has left cannot be asked which messages were missed.
func (r *reader) leaves(p *peer) {
	if p.doubt && p.beat.Place > p.since {
		r.b.lost(causeVanished, nil, true)
	}
	if !p.gone {
		r.b.ration.Log(slog.LevelInfo, "left", "bus: a node has left", "peer", p.name)
	}
	p.gone, p.silent = true, false
	r.b.watch.forget(p.name)
	p.settled()
	r.lookAtMarker()
}

// silentAfter is when a node's heartbeats are missed: two of them.
const silentAfter = 2*beatEvery + beatEvery/2

// tick looks at silent nodes, and at answers that are late.
func (r *reader) tick(now time.Time) {
	switch {
	case r.marker.number == 0:
	case now.After(r.marker.until):
		r.marked(false)
	case now.After(r.marker.again): // a node may not have been there to hear it
		r.publish(&r.marker, now)
	}
	if r.drops.late(now, r.b.opt.Inbound) {
		r.overflowed()
	}
	r.tickSync(now)
	r.waiting.tell(len(r.b.in))
	r.caught.tick(now, len(r.b.in))
	if r.back {
		r.lookAtPeers(now)
	}
	if r.greet {
		r.greet = false
		r.b.want(request{beat: true})
		// Behind the heartbeat: who does not know this node takes nothing else of it.
		select {
		case r.b.newcomer <- struct{}{}:
		default:
		}
	}
	r.publishNodes()
}

// lookAtPeers looks how long each node has been silent.
func (r *reader) lookAtPeers(now time.Time) {
	r.full = false
	again := false
	for _, p := range r.peers {
		if p.asked != 0 && now.Sub(p.askedAt) > askAgain {
			p.asked = 0 // its answer was lost
		}
		if p.doubt && !p.silent && !p.gone && p.asked == 0 && r.sync.number == 0 && now.Sub(p.askedAt) > askAgain {
			again = true
		}
		quiet := r.caught.at.Sub(p.heard)
		if quiet > silentAfter && !p.gone && !p.silent {
			p.silent = true
			if !p.doubt {
				p.doubts(causeAway)
				p.hushed = true
			}
		}
		if quiet > r.b.opt.Lease && !p.gone {
			p.gone = true
			r.b.watch.forget(p.name)
			r.b.count.NodesGone.Add(1)
			r.b.ration.Warn("bus: a node is silent and counts no more", "peer", p.name, "lease", r.b.opt.Lease)
			if p.own {
				// What it sends until it is back stays in doubt.
				r.b.lost(causeVanished, nil, true)
				p.own, p.asked = false, 0
			}
			r.lookAtMarker()
		}
		if quiet > forgetAfter {
			delete(r.peers, p.name)
		}
	}
	if again {
		r.startSync(0)
	}
}

// askAgain is after how long a question about what was missed is asked anew.
const askAgain = time.Second

// forgetAfter is when a node that is gone is forgotten.
const forgetAfter = time.Hour

// alive are the names of the nodes that are to answer.
func (r *reader) alive() map[string]struct{} {
	names := make(map[string]struct{})
	for name, p := range r.peers {
		if !p.gone {
			names[name] = struct{}{}
		}
	}
	return names
}
