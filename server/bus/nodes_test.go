package bus

import (
	"fmt"
	"testing"
	"time"

	"groupcast/server/bus/wire"
)

// TestGreeting: a node that comes, or comes back, is told of this one before it is asked for anything: what it hears of
// a node that it does not know it ignores.
func TestGreeting(t *testing.T) {
	t.Parallel()
	r := newAlone(t)
	r.connects()
	r.wanted()
	greeted := func(what string) {
		t.Helper()
		if len(r.b.newcomer) != 0 {
			t.Fatalf("%s is asked before it is greeted", what)
		}
		r.pass(lookEvery)
		if all := r.wanted(); len(all) != 1 || !all[0].beat || len(r.b.newcomer) != 1 {
			t.Fatalf("%s gets %+v, and is asked: %v", what, all, len(r.b.newcomer) == 1)
		}
		<-r.b.newcomer
		r.pass(lookEvery)
		if all := r.wanted(); len(all) != 0 || len(r.b.newcomer) != 0 {
			t.Errorf("%s is greeted twice", what)
		}
	}
	r.beatsAs(1, 0)
	greeted("a node that comes")
	r.beatsAs(2, 0)
	r.pass(lookEvery)
	if all := r.wanted(); len(all) != 0 {
		t.Errorf("a node that is there is greeted: %+v", all)
	}
	r.pass(r.b.opt.Lease + 1)
	r.beatsAs(3, 0)
	r.wanted()
	greeted("a node that comes back")
	r.beat(&wire.Control{Node: "b", Epoch: 2, Heartbeat: &wire.Heartbeat{}}, r.now)
	greeted("its next life")
}

// TestNodesOnTheList: what all may read of the other nodes.
func TestNodesOnTheList(t *testing.T) {
	t.Parallel()
	r := newAlone(t)
	r.connects()
	h := wire.Heartbeat{
		Program: "1.2", Host: "there", PID: 7, Sessions: 3, Groups: 2, Lag: 1.5, Joined: true, Connection: 1, Number: 1,
	}
	r.beats(h)
	r.pass(0)
	want := Node{
		Name: "b", Epoch: wire.EpochText(1), Program: "1.2", Host: "there", PID: 7, State: NodeUp, Sessions: 3, Groups: 2,
		Lag: 1500 * time.Millisecond, Heard: r.now, Joined: true,
	}
	is := func(alive, doubts int64) {
		t.Helper()
		if list := *r.b.nodes.Load(); len(list) != 1 || list[0] != want {
			t.Fatalf("got %+v\nwant %+v", list, want)
		}
		if r.b.alive.Load() != alive || r.b.doubts.Load() != doubts {
			t.Errorf("%d count and %d are in doubt, want %d and %d", r.b.alive.Load(), r.b.doubts.Load(), alive, doubts)
		}
	}
	is(1, 0)
	r.pass(silentAfter + 1)
	want.State = NodeSilent
	is(1, 1)
	r.pass(r.b.opt.Lease)
	want.State = NodeGone
	is(0, 0)
	h.Number++
	r.beats(h)
	r.pass(0)
	want.State, want.Heard = NodeUp, r.now
	is(1, 0)
	h.Number, h.Leaving = h.Number+1, true
	r.beats(h)
	r.pass(0)
	want.State, want.Left = NodeGone, true
	is(0, 0)
	r.pass(forgetAfter)
	is(0, 0)
	r.pass(1)
	if len(r.peers) != 0 || len(*r.b.nodes.Load()) != 0 {
		t.Error("it is not forgotten")
	}
}

// TestControlIsHeard: what a node says beside its heartbeats is a sign of life, of that life alone.
func TestControlIsHeard(t *testing.T) {
	t.Parallel()
	r := known(t)
	old := r.now.Add(-time.Hour)
	r.peers["b"].heard = old
	r.says("b", 2, wire.Control{Counts: &wire.Counts{}})
	if !r.peers["b"].heard.Equal(old) {
		t.Error("another life's word is taken for it")
	}
	r.says("b", 1, wire.Control{Counts: &wire.Counts{}})
	if r.peers["b"].heard.Equal(old) {
		t.Error("its word is not heard")
	}
	r.beats(wire.Heartbeat{Leaving: true})
	r.says("b", 1, wire.Control{Notice: &wire.Notice{Nobody: true, All: true}})
	r.toldNobody()
	if got := r.b.count.Strangers.Load(); got != 2 {
		t.Errorf("%d strangers, want 2", got)
	}
	r.says("c", 1, wire.Control{Heartbeat: &wire.Heartbeat{Leaving: true}})
	if len(r.peers) != 1 {
		t.Error("a node that leaves has come")
	}
}

// TestRoomForNodes: with maxPeers known, the one makes room that is gone and was heard of first; where none is gone
// there is no room, until a tick has looked.
func TestRoomForNodes(t *testing.T) {
	t.Parallel()
	r := newAlone(t)
	r.connects()
	come := func(name string) bool {
		r.beat(&wire.Control{Node: name, Epoch: 1, Heartbeat: &wire.Heartbeat{Connection: 1, Number: 1}}, r.now)
		_, is := r.peers[name]
		return is
	}
	for i := range maxPeers {
		r.now = r.now.Add(time.Microsecond)
		if !come(fmt.Sprint("n", i)) {
			t.Fatalf("no room for node %d", i)
		}
	}
	if come("more") || r.b.count.PeersRefused.Load() != 1 {
		t.Error("there is room for more")
	}
	for _, i := range []string{"n9", "n5"} { // heard of in this order
		r.now = r.now.Add(time.Second)
		r.beat(&wire.Control{Node: i, Epoch: 1, Heartbeat: &wire.Heartbeat{Leaving: true}}, r.now)
	}
	if come("more") || r.b.count.PeersRefused.Load() != 2 {
		t.Error("all are looked at for each that comes")
	}
	r.pass(0)
	if !come("more") {
		t.Fatal("no room where one is gone")
	}
	if r.peers["n9"] != nil || r.peers["n5"] == nil || r.peers["n0"] == nil || len(r.peers) != maxPeers {
		t.Errorf("another one than the first that is gone makes room; %d are known", len(r.peers))
	}
	r.beat(&wire.Control{Node: "n0", Epoch: 2, Heartbeat: &wire.Heartbeat{}}, r.now)
	if r.peers["n0"].epoch != 2 || r.peers["n5"] == nil || len(r.peers) != maxPeers {
		t.Error("another life of a node needs room")
	}
}
