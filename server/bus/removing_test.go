package bus

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"

	"groupcast/loop"
	"groupcast/protocol"
	"groupcast/server/bus/wire"
	"groupcast/server/members"
)

// dialUser is a client whose session is a user's, with that session's name in the cluster.
func dialUser(t testing.TB, n *testNode, user string) (c *testClient, session string) {
	t.Helper()
	known := make(map[loop.SessionID]bool)
	for _, s := range sessionsOf(t, n) {
		known[s] = true
	}
	c = dialNode(t, n)
	c.join("g")
	for _, s := range sessionsOf(t, n) {
		if known[s] {
			continue
		}
		if err := n.engine.Identify(t.Context(), s, &loop.Identity{User: user}); err != nil {
			t.Fatal(err)
		}
		return c, n.SessionText(s)
	}
	t.Fatal("no session")
	return nil, ""
}

// startPatient starts nodes that wait for each other as long as a test does.
func startPatient(t testing.TB, count int) []*testNode {
	t.Helper()
	nodes := startNodes(t, count, one(runServer(t)))
	for _, n := range nodes {
		n.removeWait = patience
	}
	return nodes
}

func sessionsOf(t testing.TB, n *testNode) (all []loop.SessionID) {
	t.Helper()
	page, _, err := n.engine.Sessions(t.Context(), loop.SessionID{}, loop.MaxPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range page {
		all = append(all, s.ID)
	}
	return all
}

// isClosed waits for the end of a client's connection, which is closed with 4001 and "bye".
func (c *testClient) isClosed() {
	c.t.Helper()
	select {
	case <-c.end:
	case <-time.After(patience):
		c.t.Fatal("it is still there")
	}
	var e websocket.CloseError
	if !errors.As(c.err, &e) || e.Code != 4001 || e.Reason != "bye" {
		c.t.Errorf("ended with %v", c.err)
	}
}

// TestUserIsClosedEverywhere: all of a user's sessions are closed, wherever they are, and nobody else's.
func TestUserIsClosedEverywhere(t *testing.T) {
	t.Parallel()
	nodes := startPatient(t, 3)
	var adas, others []*testClient
	for i, n := range nodes {
		for range i { // none on the node that is asked
			c, _ := dialUser(t, n, "ada")
			adas = append(adas, c)
		}
		c, _ := dialUser(t, n, "eve")
		others = append(others, c)
	}
	closed, silent, err := nodes[0].CloseUser(t.Context(), "ada", 4001, "bye")
	if closed != 3 || len(silent) > 0 || err != nil {
		t.Errorf("%d closed, silent %q, %v", closed, silent, err)
	}
	for _, c := range adas {
		c.isClosed()
	}
	nodes[1].publish(t, "g", "still here")
	for _, c := range others {
		c.want("still here")
	}
	closed, silent, err = nodes[2].CloseUser(t.Context(), "nobody", 1008, "")
	if closed != 0 || len(silent) > 0 || err != nil {
		t.Errorf("nobody: %d closed, silent %q, %v", closed, silent, err)
	}
	for _, name := range []string{"", "\xff", strings.Repeat("x", 257)} {
		closed, silent, err := nodes[0].CloseUser(t.Context(), name, 1008, "")
		left, none, err2 := nodes[0].Dissolve(t.Context(), name)
		if closed+left != 0 || len(silent)+len(none) > 0 || err != nil || err2 != nil {
			t.Errorf("%q: silent %q and %q, %v, %v", name, silent, none, err, err2)
		}
	}
	if n := nodes[2].Stats().Removed.Load(); n != 2 {
		t.Errorf("c has removed %d for others, want 2", n)
	}
	if _, _, err := nodes[0].CloseUser(t.Context(), "eve", 1006, ""); !errors.Is(err, protocol.ErrBadClose) {
		t.Errorf("a code that no frame has: %v", err)
	}
}

// TestGroupIsDissolvedEverywhere: nobody is a member any more, on any node.
func TestGroupIsDissolvedEverywhere(t *testing.T) {
	t.Parallel()
	nodes := startPatient(t, 3)
	var clients []*testClient
	for _, n := range nodes {
		c := dialNode(t, n)
		c.join("g")
		c.join("h")
		clients = append(clients, c)
	}
	left, silent, err := nodes[0].Dissolve(t.Context(), "g")
	if left != 3 || len(silent) > 0 || err != nil {
		t.Errorf("%d left, silent %q, %v", left, silent, err)
	}
	nodes[0].publish(t, "g", "nobody is there")
	nodes[0].publish(t, "h", "all are")
	for _, c := range clients {
		c.want("all are")
	}
	if left, _, err := nodes[1].Dissolve(t.Context(), "g"); left != 0 || err != nil {
		t.Errorf("again: %d left, %v", left, err)
	}
}

// TestSessionIsClosedFromAnywhere: a session is closed by its name, of whatever node it is; a name of an earlier life
// of that node, or of a node that is not there, is nobody's.
func TestSessionIsClosedFromAnywhere(t *testing.T) {
	t.Parallel()
	nodes := startPatient(t, 2)
	at := func(n *testNode, text string) error { return n.CloseSession(t.Context(), text, 4001, "bye") }
	for _, n := range nodes {
		c, session := dialUser(t, n, "ada")
		node, _, id, _ := wire.ParseSession(session)
		for _, wrong := range []string{node + ".00000000." + id, "gone.00000000." + id, node, ""} {
			if err := at(nodes[0], wrong); !errors.Is(err, loop.ErrNoSession) {
				t.Errorf("%q: %v", wrong, err)
			}
		}
		if err := nodes[0].CloseSession(t.Context(), session, 1006, ""); !errors.Is(err, protocol.ErrBadClose) {
			t.Errorf("a code that no frame has: %v", err)
		}
		if err := at(nodes[0], session); err != nil {
			t.Error(err)
		}
		c.isClosed()
	}
	c, session := dialUser(t, nodes[0], "ada")
	_, _, short, _ := wire.ParseSession(session)
	if err := at(nodes[0], short); err != nil { // its own
		t.Error(err)
	}
	c.isClosed()
}

// TestSilentNodesAreNamed: a node that does not answer, has too much to do, or says that it could not, is silent; what
// a stranger wants closed stays.
func TestSilentNodesAreNamed(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	nodes := startNodes(t, 2, one(s), func(o *Options) { o.Lease = MaxLease })
	nodes[0].removeWait = patience
	c, session := dialUser(t, nodes[1], "ada")
	stranger := newStranger(t, s, "z")
	remove := wire.Control{Remove: &wire.Remove{User: "ada", Code: ws.StatusPolicyViolation}}
	stranger.says("groupcast.n.b", remove)
	eventually(t, "a stranger is ignored", func() bool { return nodes[1].Stats().Strangers.Load() > 0 })

	nodes[1].asking.Add(maxQuestions)
	closed, silent, err := nodes[0].CloseUser(t.Context(), "ada", 4001, "bye")
	if closed != 0 || !slices.Equal(silent, []string{"b"}) || err != nil {
		t.Errorf("busy: %d closed, silent %q, %v", closed, silent, err)
	}
	if err := nodes[0].CloseSession(t.Context(), session, 4001, "bye"); !errors.Is(err, members.ErrSilent) {
		t.Errorf("busy: %v", err)
	}
	if n := nodes[1].Stats().QuestionsFull.Load(); n != 2 {
		t.Errorf("%d times too busy, want 2", n)
	}
	nodes[1].asking.Add(-maxQuestions)
	nodes[0].removeWait = removeWait
	c.join("h") // it is still there

	stranger.beat(0)
	nodes[0].joinedBy(t, 2)
	// On a busy machine b may be late, too, and does it all the same.
	if _, silent, err = nodes[0].CloseUser(t.Context(), "ada", 4001, "bye"); !slices.Contains(silent, "z") || err != nil {
		t.Errorf("silent: %q, %v", silent, err)
	}
	c.isClosed()
	if err := nodes[0].CloseSession(t.Context(), "z.00000000.0-1f-3", 4001, ""); !errors.Is(err, members.ErrSilent) {
		t.Errorf("silent: %v", err)
	}
}

// TestRemovingWhileAway: while NATS is away nothing is known of the others, and this node's own go.
func TestRemovingWhileAway(t *testing.T) {
	t.Parallel()
	nodes, pipes := through(t, 2, one(runServer(t)))
	here, _ := dialUser(t, nodes[0], "ada")
	_, there := dialUser(t, nodes[1], "ada")
	pipes[0].cut()
	eventually(t, "away", func() bool { return !nodes[0].Status().Joined })
	closed, silent, err := nodes[0].CloseUser(t.Context(), "ada", 4001, "bye")
	if closed != 1 || !slices.Equal(silent, []string{"b"}) || err != nil {
		t.Errorf("%d closed, silent %q, %v", closed, silent, err)
	}
	here.isClosed()
	for _, session := range []string{there, "unknown.00000000.0-1f-3"} {
		if err := nodes[0].CloseSession(t.Context(), session, 4001, ""); !errors.Is(err, members.ErrSilent) {
			t.Errorf("%s: %v", session, err)
		}
	}
}

// TestRemovingBeforeNATSIsThere: a node that has met nobody yet does not say that nobody is there.
func TestRemovingBeforeNATSIsThere(t *testing.T) {
	t.Parallel()
	n := startNode(t, "a", nil, func(o *Options) { o.Servers = []string{"nats://127.0.0.1:1"} })
	if _, _, err := n.CloseUser(t.Context(), "ada", 4001, "bye"); !errors.Is(err, members.ErrSilent) {
		t.Errorf("got %v, want %v", err, members.ErrSilent)
	}
}
