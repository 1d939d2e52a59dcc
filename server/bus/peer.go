package bus

import (
	"maps"
	"slices"
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
	// doubt: what it published behind place since may have been missed; of all, whatever
	// becomes of it, where the connection that ended was this node's.
	doubt bool
	own   bool
	why   cause
	since uint64
	asked uint64 // the question about that which is under way; 0: none
	// askedAt is when it was asked last.
	askedAt time.Time
}

// maxPeers is how many nodes are known at a time; further ones are ignored and counted.
const maxPeers = 1024

// doubtAll is when the connection of this node has ended.
func (p *peer) doubtAll() {
	if p.gone {
		return
	}
	p.doubts(causeAway)
	p.own, p.asked = true, 0
}

// doubts is when what comes from now on may have a hole in front of it.
func (p *peer) doubts(why cause) {
	if !p.doubt {
		p.doubt, p.why, p.since = true, why, p.highest
	}
}

// settled is when it is known what was missed.
func (p *peer) settled() { p.doubt, p.own, p.asked = false, false, 0 }

// placeLead is how far beyond its last heartbeat a node's place is believed.
const placeLead = 1 << 20

// place notes the place of a message, and reports whether it is one to be published: a place of a
// life that its node has not told of says nothing.
func (r *reader) place(at wire.Place) bool {
	p := r.peers[at.Node]
	if p == nil || p.epoch != at.Epoch || at.Order > p.beat.Place+placeLead {
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

// peerOf is the node that a control message is of, nil if there are too many.
func (r *reader) peerOf(c *wire.Control, now time.Time) *peer {
	p := r.peers[c.Node]
	switch {
	case p == nil && len(r.peers) == maxPeers:
		r.b.count.PeersRefused.Add(1)
		return nil
	case p == nil:
		p = &peer{name: c.Node, epoch: c.Epoch, gone: true}
		r.peers[c.Node] = p
	case p.epoch != c.Epoch:
		if p.own { // what its former life sent while we were away cannot be asked for
			r.b.lost(causeRestarted, nil, true)
		}
		*p = peer{name: c.Node, epoch: c.Epoch, gone: true}
		r.b.watch.forget(p.name)
	}
	p.heard = now
	return p
}

// beat is a heartbeat of another node.
func (r *reader) beat(p *peer, h *wire.Heartbeat) {
	first := p.gone && p.beat.Program == ""
	if sent := h.Place - p.beat.Place; !first && h.Place > p.beat.Place && sent > p.came {
		r.b.count.Avoided.Add(sent - p.came)
	}
	p.came = 0
	p.beat = *h
	if h.Leaving {
		if !p.gone {
			r.b.log.Info("bus: a node has left", "peer", p.name)
		}
		p.gone, p.silent = true, false
		r.b.watch.forget(p.name)
		p.settled()
		r.changed()
		return
	}
	if first {
		p.highest = h.Place // what it sent before was not for this node's members
		r.b.want(request{beat: true})
	}
	if p.gone {
		p.gone = false
		select {
		case r.b.newcomer <- struct{}{}:
		default:
		}
		r.b.log.Info("bus: a node is there", "peer", p.name, "version", h.Program, "host", h.Host)
		if h.Joined && r.b.info.Joined {
			r.b.log.Warn("bus: another node has --channel-join as well: one is to have it, or messages come twice",
				"peer", p.name, "host", h.Host)
		}
		r.changed()
	}
	if p.silent {
		p.silent = false
		r.startSync(0)
	}
}

// silentAfter is when a node's heartbeats are missed: two of them.
const silentAfter = 2*beatEvery + beatEvery/2

// tick looks at who was silent for how long, and at what is waited for.
func (r *reader) tick(now time.Time) {
	if r.marker.number != 0 && now.After(r.marker.until) {
		r.marked(false)
	}
	if r.b.overflow.Swap(false) {
		r.overflowed()
	}
	r.tickSync(now)
	r.waiting.tell(len(r.b.in))
	if !r.back || len(r.b.in) > 0 {
		return // what has come was not looked at yet: nobody is silent for that
	}
	again := false
	for _, p := range r.peers {
		quiet := now.Sub(p.heard)
		if p.doubt && !p.silent && !p.gone && r.sync.number == 0 && now.Sub(p.askedAt) > askAgain {
			p.asked, again = 0, true // its answer was lost
		}
		if quiet > silentAfter && !p.gone && !p.silent {
			p.silent = true
			p.doubts(causeAway)
			r.changed()
		}
		if quiet > r.b.opt.Lease && !p.gone {
			p.gone = true
			r.b.watch.forget(p.name)
			r.b.log.Warn("bus: a node is silent and counts no more", "peer", p.name, "lease", r.b.opt.Lease)
			if p.own {
				r.b.lost(causeVanished, nil, true)
				p.settled()
			}
			r.lookAtMarker()
			r.changed()
		}
		if quiet > forgetAfter {
			delete(r.peers, p.name)
		}
	}
	if again {
		r.startSync(0)
	}
	r.changed()
}

// askAgain is after how long a question about what was missed is asked anew.
const askAgain = time.Second

// forgetAfter is when a node that is gone is forgotten.
const forgetAfter = time.Hour

// alive are the names of those who are to answer.
func (r *reader) alive() map[string]struct{} {
	names := make(map[string]struct{})
	for name, p := range r.peers {
		if !p.gone {
			names[name] = struct{}{}
		}
	}
	return names
}

// Node is another node as this one knows it.
type Node struct {
	Name     string
	Epoch    string
	Program  string // its version
	Host     string
	PID      int
	State    string // up, silent or gone
	Sessions int
	Groups   int
	Lag      time.Duration
	Heard    time.Time // its last heartbeat
	Joined   bool      // it has --channel-join
	Left     bool      // it is gone since it has said that it goes
}

// States of a Node.
const (
	NodeUp     = "up"
	NodeSilent = "silent"
	NodeGone   = "gone"
)

// changed puts what is known of the others where all may read it.
func (r *reader) changed() {
	list := make([]Node, 0, len(r.peers))
	doubts, alive := 0, 0
	for _, name := range slices.Sorted(maps.Keys(r.peers)) {
		p := r.peers[name]
		n := Node{
			Name: name, Epoch: wire.EpochText(p.epoch), Program: p.beat.Program, Host: p.beat.Host, PID: p.beat.PID,
			State: NodeUp, Sessions: p.beat.Sessions, Groups: p.beat.Groups, Heard: p.heard, Joined: p.beat.Joined,
			Lag: time.Duration(p.beat.Lag * float64(time.Second)),
		}
		switch {
		case p.gone:
			n.State, n.Left = NodeGone, p.beat.Leaving
		case p.silent:
			n.State = NodeSilent
		}
		if p.doubt && !p.gone {
			doubts++
		}
		if !p.gone {
			alive++
		}
		list = append(list, n)
	}
	r.b.alive.Store(int64(alive))
	r.b.doubts.Store(int64(doubts))
	r.b.nodes.Store(&list)
}
