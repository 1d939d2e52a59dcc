package bus

import (
	"maps"
	"slices"
	"time"

	"groupcast/server/bus/wire"
)

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

// publishNodes writes anew what all may read of the others. It is done at a tick, so that a flood of heartbeats costs
// no list each.
func (r *reader) publishNodes() {
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
