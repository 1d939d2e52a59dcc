package server

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	natsserver "github.com/nats-io/nats-server/v2/server"

	"groupcast/server/monitor"
)

// runNATS is a NATS server in the process at port of loopback, 0 for a free one. It ends with the test.
func runNATS(t *testing.T, port int) *natsserver.Server {
	t.Helper()
	if port == 0 {
		port = -1
	}
	n, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: port, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopNATS(n) })
	go n.Start()
	if !n.ReadyForConnections(patience) {
		t.Fatal("the NATS server does not start")
	}
	return n
}

func stopNATS(n *natsserver.Server) {
	n.Shutdown()
	n.WaitForShutdown()
}

func natsPort(n *natsserver.Server) int { return n.Addr().(*net.TCPAddr).Port }

// startNode starts a node of the cluster at a port of loopback, with an API. change may be nil.
func startNode(t *testing.T, name string, port int, change func(*Options)) *Server {
	t.Helper()
	return startServer(t, func(o *Options) {
		o.API = []string{"127.0.0.1:0"}
		o.Bus.Servers, o.Bus.Node = []string{"nats://127.0.0.1:" + strconv.Itoa(port)}, name
		if change != nil {
			change(o)
		}
	})
}

// clusterOf is what the last sample says; nothing before the first one.
func clusterOf(s *Server) monitor.Cluster {
	if c := s.Status().Cluster; c != nil {
		return *c
	}
	return monitor.Cluster{}
}

// leave has a node leave its cluster in order, and its clients before it.
func leave(t *testing.T, s *Server, clients ...*client) {
	t.Helper()
	for _, c := range clients {
		_ = c.conn.CloseNow()
	}
	if _, err := s.Drain(t.Context(), ws.StatusGoingAway); err != nil {
		t.Fatal(err)
	}
}

// startNodes starts nodes and waits until each has all others.
func startNodes(t *testing.T, port int, names ...string) []*Server {
	t.Helper()
	var all []*Server
	for _, name := range names {
		all = append(all, startNode(t, name, port, nil))
	}
	for _, s := range all {
		eventually(t, "the others are there", func() bool {
			c := clusterOf(s)
			return c.Joined && len(c.Nodes) == len(names)-1
		})
	}
	return all
}

// askAPI asks the API of s, and returns the status and what it says.
func askAPI(t *testing.T, s *Server, method, path, body string) (int, string) {
	t.Helper()
	listeners := s.listeners()
	i := slices.IndexFunc(listeners, func(l monitor.Listener) bool { return l.Kind == monitor.KindAPI })
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+listeners[i].Address+path,
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// wantNotReady waits until /readyz of s is 503, and says so.
func wantNotReady(t *testing.T, s *Server, why string) {
	t.Helper()
	eventually(t, "/readyz: "+why, func() bool {
		status, text := askAPI(t, s, http.MethodGet, "/readyz", "")
		return status == http.StatusServiceUnavailable && strings.Contains(text, why)
	})
}

func wantReady(t *testing.T, s *Server) {
	t.Helper()
	eventually(t, "/readyz", func() bool {
		status, _ := askAPI(t, s, http.MethodGet, "/readyz", "")
		return status == http.StatusOK
	})
}

// The status has the cluster: this node and the others, and what has crossed; without a cluster there is
// not a word of it.
func TestStatusOfACluster(t *testing.T) {
	port := natsPort(runNATS(t, 0))
	nodes := startNodes(t, port, "a", "b")
	member := connect(t, nodes[1].Addresses()[0])
	member.join("room")
	for i := range 3 {
		askAPI(t, nodes[0], http.MethodPost, "/v1/groups/room/messages", strconv.Itoa(i))
		member.want(strconv.Itoa(i))
	}
	askAPI(t, nodes[1], http.MethodPost, "/v1/groups/room/messages", "for nobody at a")
	status := func(s *Server) (c *monitor.Cluster) {
		_, text := askAPI(t, s, http.MethodGet, "/v1/status", "")
		var st monitor.Status
		if err := json.Unmarshal([]byte(text), &st); err != nil {
			t.Fatal(err)
		}
		return st.Cluster
	}
	eventually(t, "what has crossed is counted", func() bool {
		a, b := status(nodes[0]), status(nodes[1])
		return a.MessagesOut > 0 && b.MessagesIn >= 3 && a.MessagesAvoided > 0 && b.Subjects == 1 &&
			a.Nodes[0].Sessions == 1 && a.Nodes[0].Groups == 1
	})
	c := status(nodes[0])
	if c.Node != "a" || len(c.Epoch) != 16 || c.State != monitor.ClusterUp || !c.Joined || c.NameTaken ||
		c.Since.IsZero() || c.Server == "" || c.RoundTrip <= 0 || c.MessagesLost+c.LossesTold+c.SlowConsumer != 0 ||
		c.Wildcard {
		t.Errorf("%+v", c)
	}
	if n := c.Nodes[0]; n.Name != "b" || n.State != monitor.NodeUp || n.Version == "" || n.Host == "" || n.PID == 0 ||
		n.Epoch == c.Epoch || n.HeardSeconds < 0 || n.HeardSeconds > patience.Seconds() || n.Joined {
		t.Errorf("%+v", n)
	}
	leave(t, nodes[1], member)
	eventually(t, "b has left", func() bool { return status(nodes[0]).Nodes[0].State == monitor.NodeLeft })
	alone := startServer(t, func(o *Options) { o.API = []string{"127.0.0.1:0"} })
	if _, text := askAPI(t, alone, http.MethodGet, "/v1/status", ""); strings.Contains(text, "cluster") {
		t.Errorf("alone: %s", text)
	}
}

// A node stays ready while NATS is away, and the status says that it is; with --nats-ready it does not.
// What goes wrong names no secret.
func TestReadyWithoutNATS(t *testing.T) {
	const secret = "hunter2-in-the-address"
	nats := runNATS(t, 0)
	port := natsPort(nats)
	withSecret := func(ready bool) func(*Options) {
		return func(o *Options) {
			o.Bus.Servers = []string{"nats://me:" + secret + "@127.0.0.1:" + strconv.Itoa(port)}
			o.Bus.Ready = ready
		}
	}
	strict, lenient := startNode(t, "a", port, withSecret(true)), startNode(t, "b", port, withSecret(false))
	wantReady(t, strict)
	stopNATS(nats)
	wantNotReady(t, strict, "the cluster's bus is away: no NATS server can be reached")
	eventually(t, "the status says it", func() bool {
		c := clusterOf(lenient)
		return c.State == "away" && !c.Joined && c.LastError != ""
	})
	wantReady(t, lenient)
	for _, s := range []*Server{strict, lenient} {
		if _, text := askAPI(t, s, http.MethodGet, "/v1/status", ""); strings.Contains(text, secret) ||
			!strings.Contains(text, `"state":"away"`) {
			t.Error(text)
		}
		eventually(t, "the event", func() bool {
			_, text := askAPI(t, s, http.MethodGet, "/v1/history", "")
			return strings.Contains(text, `"kind":"bus_away","cause":"away"`)
		})
	}
	runNATS(t, port)
	wantReady(t, strict)
}

// Of two nodes that have one name by mistake, one is out of the cluster and not ready.
func TestReadyWithoutAName(t *testing.T) {
	nats := runNATS(t, 0)
	port := natsPort(nats)
	stopNATS(nats)
	a, b := startNode(t, "same", port, nil), startNode(t, "same", port, nil)
	wantReady(t, a)
	wantReady(t, b)
	runNATS(t, port)
	taken := func(s *Server) bool { return clusterOf(s).NameTaken }
	eventually(t, "one has the name", func() bool {
		return taken(a) != taken(b) && (clusterOf(a).Joined || clusterOf(b).Joined)
	})
	winner, loser := a, b
	if taken(a) {
		winner, loser = b, a
	}
	wantNotReady(t, loser, "another node of the cluster has the name same")
	wantReady(t, winner)
	leave(t, winner)
	wantReady(t, loser) // it has the name now
}

// --channel-join is for one node of a cluster: of two, the second by its name says so.
func TestReadyWithASecondChannelJoin(t *testing.T) {
	port := natsPort(runNATS(t, 0))
	join := func(o *Options) { o.ChannelJoin = "127.0.0.1:1" } // nobody is there, which is no matter
	a, b := startNode(t, "a", port, join), startNode(t, "b", port, join)
	wantNotReady(t, b, "node a of the cluster has --channel-join as well")
	wantReady(t, a)
	eventually(t, "the events", func() bool {
		_, text := askAPI(t, a, http.MethodGet, "/v1/history", "")
		return strings.Contains(text, `"kind":"join_twice","cause":"b"`)
	})
	leave(t, a)
	wantReady(t, b)
}

// listed are the ids of all sessions of s, as its API lists them.
func listed(t *testing.T, s *Server) (ids []string) {
	t.Helper()
	_, text := askAPI(t, s, http.MethodGet, "/v1/sessions", "")
	var page struct {
		Sessions []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		t.Fatal(err)
	}
	for _, one := range page.Sessions {
		ids = append(ids, one.ID)
	}
	return ids
}

// A session is excluded at any node by the id that its own node's API lists. An id of a former life of that
// node excludes nobody, although a session of the same short form is there.
func TestExcludeASessionOfAnotherNode(t *testing.T) {
	port := natsPort(runNATS(t, 0))
	nodes := startNodes(t, port, "a", "b")
	a, b := nodes[0], nodes[1]
	excluding := func(id, message string) {
		t.Helper()
		status, text := askAPI(t, a, http.MethodPost, "/v1/publish",
			`{"groups":["room"],"message":"`+message+`","exclude":["`+id+`"]}`)
		if status != http.StatusAccepted {
			t.Fatalf("exclude %s: %d %s", id, status, text)
		}
	}
	at := func(s *Server) (c *client, id string) {
		t.Helper()
		before := listed(t, s)
		c = connect(t, s.Addresses()[0])
		c.join("room")
		eventually(t, "the session is listed", func() bool {
			for _, one := range listed(t, s) {
				if !slices.Contains(before, one) {
					id = one
				}
			}
			return id != ""
		})
		return c, id
	}
	here, hereID := at(a)
	there, thereID := at(b)
	other, otherID := at(b)
	if !strings.HasPrefix(hereID, "a.") || !strings.HasPrefix(thereID, "b.") || otherID == thereID {
		t.Fatalf("listed as %q, %q and %q", hereID, thereID, otherID)
	}
	excluding(thereID, "not for there")
	excluding(hereID, "not for here")
	excluding(hereID[strings.LastIndex(hereID, ".")+1:], "nor this") // the short form is of the node that is asked
	excluding("nobody.01234567.0-1-1", "for all")
	here.want("not for there")
	here.want("for all")
	other.want("not for there")
	for _, c := range []*client{there, other} {
		for _, want := range []string{"not for here", "nor this", "for all"} {
			c.want(want)
		}
	}

	// The ids of the members are the same at both nodes, and each is looked at at its own.
	for _, s := range nodes {
		status, text := askAPI(t, s, http.MethodGet, "/v1/groups/room/members", "")
		for _, id := range []string{hereID, thereID, otherID} {
			if status != http.StatusOK || !strings.Contains(text, `"id":"`+id+`"`) {
				t.Errorf("%s is not in %s", id, text)
			}
		}
	}
	var paged []string
	for after := "limit=1"; after != ""; {
		_, text := askAPI(t, a, http.MethodGet, "/v1/groups/room/members?"+after, "")
		var page struct {
			Sessions []struct{ ID string }
			Next     string
		}
		if err := json.Unmarshal([]byte(text), &page); err != nil || len(page.Sessions) > 1 || len(paged) > 3 {
			t.Fatalf("behind %q: %s, %v", paged, text, err)
		}
		for _, one := range page.Sessions { // the last page may have none
			paged = append(paged, one.ID)
		}
		if after = ""; page.Next != "" {
			after = "limit=1&after=" + page.Next
		}
	}
	if all := []string{hereID, thereID, otherID}; len(paged) != 3 || !slices.Equal(slices.Sorted(slices.Values(paged)),
		slices.Sorted(slices.Values(all))) {
		t.Errorf("page by page there are %q, want %q", paged, all)
	}
	if status, text := askAPI(t, a, http.MethodGet, "/v1/sessions/"+thereID, ""); status != http.StatusConflict ||
		!strings.Contains(text, "the session is one of node b") {
		t.Errorf("at another node: %d %s", status, text)
	}
	if status, text := askAPI(t, b, http.MethodGet, "/v1/sessions/"+thereID, ""); status != http.StatusOK ||
		!strings.Contains(text, `"id":"`+thereID+`"`) {
		t.Errorf("at its own: %d %s", status, text)
	}
	sessions, _, err := controlOf(t, b).Sessions(t.Context(), "", 10)
	if err != nil || len(sessions) != 2 || sessions[0].ID != thereID && sessions[1].ID != thereID {
		t.Errorf("by the control socket: %+v, %v", sessions, err)
	}

	// Its node begins a new life, in which a session has the short form again.
	leave(t, b, there, other)
	b = startNode(t, "b", port, nil)
	eventually(t, "b is back", func() bool {
		c := clusterOf(b)
		return c.Joined && len(c.Nodes) == 1
	})
	short := func(id string) string { return id[strings.LastIndex(id, ".")+1:] }
	again, againID := at(b)
	formerID := strings.TrimSuffix(thereID, short(thereID)) + short(againID)
	if formerID == againID {
		t.Fatalf("%s is of both lives", againID)
	}
	excluding(formerID, "for the new one")
	again.want("for the new one")
	excluding(againID, "not for it")
	excluding(formerID, "for it again")
	again.want("for it again")
	if status, text := askAPI(t, b, http.MethodGet, "/v1/sessions/"+formerID, ""); status != http.StatusNotFound {
		t.Errorf("of a former life: %d %s", status, text)
	}
}

// What --nats-buffer has no room for does not cross, and is counted: by its limit, in the status, as an event.
func TestBufferIsFull(t *testing.T) {
	nats := runNATS(t, 0)
	s := startNode(t, "a", natsPort(nats), func(o *Options) { o.Bus.BufferBytes = 1 })
	eventually(t, "it is in the cluster", func() bool { return clusterOf(s).Joined })
	stopNATS(nats)
	eventually(t, "NATS is away", func() bool { return clusterOf(s).State == "away" })
	askAPI(t, s, http.MethodPost, "/v1/groups/room/messages", "lost")
	eventually(t, "the status says it", func() bool { return clusterOf(s).MessagesLost == 1 })
	_, text := askAPI(t, s, http.MethodGet, "/metrics", "")
	for _, want := range []string{
		`groupcast_limit_hits_total{limit="nats_buffer"} 1`, `groupcast_bus_lost_messages_total{cause="down"} 1`,
		`groupcast_bus_state{state="away"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	eventually(t, "the event", func() bool {
		_, text := askAPI(t, s, http.MethodGet, "/v1/history", "")
		return strings.Contains(text, `"kind":"bus_lost"`)
	})
}

// A node that ends without a word is gone after the lease, which is a limit and an event.
func TestNodeIsGone(t *testing.T) {
	port := natsPort(runNATS(t, 0))
	nodes := startNodes(t, port, "a", "b")
	if err := nodes[1].Close(); err != nil { // not drained
		t.Fatal(err)
	}
	eventually(t, "it is gone", func() bool { return clusterOf(nodes[0]).Nodes[0].State == monitor.NodeGone })
	if _, text := askAPI(t, nodes[0], http.MethodGet, "/metrics", ""); !strings.Contains(text,
		"groupcast_bus_nodes_gone_total 1\n") || !strings.Contains(text, `groupcast_limit_hits_total{limit="nats_lease"} 1`) {
		t.Error("the metrics do not say it")
	}
	_, text := askAPI(t, nodes[0], http.MethodGet, "/v1/history", "")
	for _, want := range []string{`"kind":"node_silent","cause":"b"`, `"kind":"node_gone","cause":"b"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}
