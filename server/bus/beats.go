package bus

import (
	"time"

	"groupcast/server/bus/wire"
)

// Heartbeats have numbers, since a place alone does not say whether messages in front of it were lost: most are not for
// this node's members, and do not cross. Heartbeats come the way that messages come, and all of them are for all. So
// one that is missing says that messages may be: the route between two NATS servers has ended and is back a second
// later, and no node's connection has. And where none is missing behind a silence, the node has stood still, and
// nothing was lost.

// lostBeats reports whether heartbeats of p have been lost in front of h. What a connection of its own has lost at its
// end, the node tells of itself: the next one's numbers begin anew.
func (p *peer) lostBeats(h *wire.Heartbeat) bool {
	switch {
	case h.Number == 0: // nothing goes out
		return false
	case h.Connection != p.beat.Connection:
		return p.beat.Connection != 0 && h.Number != 1
	default:
		return h.Number != p.beat.Number+1
	}
}

// wasHidden reports whether a node of which h is the first heartbeat to come has had others before it, which ought to
// have come: this node has been there for long enough, and greetings are answered at once. So they were parted, and
// what was sent meanwhile is missing, although joins were acknowledged by all nodes that were known.
func (r *reader) wasHidden(h *wire.Heartbeat, now time.Time) bool {
	return r.back && now.Sub(r.backSince) > silentAfter && h.Number > 2
}

// forgetBeats begins the count of heartbeats anew, where this node knows that it may have missed some.
func (p *peer) forgetBeats() { p.beat.Connection, p.beat.Number, p.hushed = 0, 0, false }

// goesOn settles or raises doubts, where a heartbeat of p has come with some in front of it lost or not. It reports
// whether p is to be asked how far it has come.
func (p *peer) goesOn(lost bool) (ask bool) {
	switch {
	case lost:
		p.doubts(causeAway)
		// What has come since the last one may have come behind the hole, and what is asked already is not about it.
		p.since, p.asked, p.hushed = min(p.sure, p.since), 0, false
		return true
	case p.doubt && p.hushed && p.beat.Number != 0:
		p.settled()
		return false
	}
	return p.silent
}
