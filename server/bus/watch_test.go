package bus

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"groupcast/server/bus/wire"
)

func (n *testNode) total(t testing.TB) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	total, silent, err := n.Total(ctx, "g")
	if err != nil || len(silent) > 0 {
		return -1
	}
	return total
}

// TestCountsAreAnnounced: a group's count is asked for once and announced then, and follows joins,
// leaves, nodes that go and nodes that come.
func TestCountsAreAnnounced(t *testing.T) {
	s := runServer(t)
	nodes := startNodes(t, 3, one(s))
	var clients []*testClient
	for _, n := range nodes {
		c := dialNode(t, n)
		c.join("g")
		clients = append(clients, c)
	}
	if n := nodes[0].total(t); n != 3 {
		t.Fatalf("asked: %d", n)
	}
	eventually(t, "the others announce it", func() bool {
		_, ok := nodes[0].watch.known("g", nodes[0].others())
		return ok
	})
	if err := clients[1].conn.CloseNow(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a leave is announced", func() bool { return nodes[0].total(t) == 2 })
	nodes[2].stop()
	eventually(t, "a node that is gone counts no more", func() bool { return nodes[0].total(t) == 1 })
	again := startNode(t, "c", one(s))
	dialNode(t, again).join("g")
	eventually(t, "a node that comes is counted", func() bool { return nodes[0].total(t) == 2 })
	eventually(t, "and announces", func() bool {
		_, ok := nodes[0].watch.known("g", nodes[0].others())
		return ok && len(nodes[0].others()) == 2
	})
}

// TestNothingIsKnownWhileAway: what the others announced is not told while NATS is away: they are silent.
func TestNothingIsKnownWhileAway(t *testing.T) {
	nodes, pipes := through(t, 2, one(runServer(t)))
	dialNode(t, nodes[1]).join("g")
	eventually(t, "the other announces it", func() bool {
		_, ok := nodes[0].watch.known("g", nodes[0].others())
		return nodes[0].total(t) == 1 && ok
	})
	pipes[0].cut()
	eventually(t, "away", func() bool { return !nodes[0].Status().Joined })
	total, silent, err := nodes[0].Total(t.Context(), "g")
	if err != nil || total != 0 || !slices.Equal(silent, []string{"b"}) {
		t.Errorf("%d members, silent are %q: %v", total, silent, err)
	}
}

// TestWatchIsBounded: groups that nobody asks for are forgotten, and no node has others count more than
// it may, or keeps what it does not want.
func TestWatchIsBounded(t *testing.T) {
	var w watch
	now := time.Now()
	for i := range wire.MaxWatched + 10 {
		if news := w.want(fmt.Sprint(i), now); news != (i < wire.MaxWatched) {
			t.Fatalf("%d: %v", i, news)
		}
	}
	if w.want("0", now.Add(time.Second)) {
		t.Error("known, and told again")
	}
	w.announced("a", map[string]int{"0": 7, "stranger": 8})
	if n, ok := w.known("0", []string{"a"}); n != 7 || !ok {
		t.Errorf("%d %v", n, ok)
	}
	if _, ok := w.known("0", []string{"a", "b"}); ok {
		t.Error("one has said nothing")
	}
	if _, ok := w.known("stranger", []string{"a"}); ok || len(w.counts["a"]) != 1 {
		t.Error("what nobody wants is kept")
	}
	if wanted, _ := w.expire(now.Add(watchFor + time.Second/2)); !slices.Equal(wanted, []string{"0"}) {
		t.Errorf("wanted %q", wanted)
	}
	if _, ok := w.known("1", []string{"a"}); ok {
		t.Error("forgotten, and known")
	}
	w.forget("a")
	if _, ok := w.known("0", []string{"a"}); ok {
		t.Error("of a node that is gone")
	}
	names := make([]string, wire.MaxWatched+1)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	if w.watchThese(names[:wire.MaxWatched], now) || !w.watchThese(names, now) || len(w.watched) != wire.MaxWatched {
		t.Error("bound of what is watched")
	}
	if _, watched := w.expire(now.Add(time.Second)); len(watched) != 0 {
		t.Error("watched for ever")
	}
}
