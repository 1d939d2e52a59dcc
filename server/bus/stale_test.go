package bus

import "testing"

// TestCoveredBeforeABreak: a group that was covered before the connection ended, and had no members when it came
// back, is covered once more only when the other nodes know of its subscription.
func TestCoveredBeforeABreak(t *testing.T) {
	t.Parallel()
	nodes, pipes := through(t, 2, one(runServer(t)))
	n := nodes[0]
	c := dialNode(t, n)
	c.join("g")
	pipes[0].cut()
	eventually(t, "away", func() bool { return !n.Status().Joined })
	c.leave("g")
	eventually(t, "the subscription is to end", func() bool { return n.Stats().Unwritten == 1 })
	pipes[0].mend()
	n.joinedBy(t, 1)
	eventually(t, "it has ended", func() bool { return n.Stats().Groups == 0 })
	if n.engine.Covered("g") {
		t.Error("a group to which the node is not subscribed is covered")
	}
}
