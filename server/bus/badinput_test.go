package bus

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"groupcast/server/bus/wire"
)

// ignored is how many messages were ignored for a reason.
func (n *testNode) ignored(reason string) (count uint64) {
	for label, k := range n.Stats().Ignored.All() {
		if label == reason {
			count = k
		}
	}
	return count
}

// TestNotUnderstood: what is not understood in full is counted by its reason, told to a requester, and reaches
// nobody.
func TestNotUnderstood(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	n := startNode(t, "a", one(s), func(o *Options) { o.Subjects = 1 }) // the wildcard, so that any group's message comes
	n.joinedBy(t, 0)
	member := dialNode(t, n)
	member.join("g")
	member.join("h")
	eventually(t, "the wildcard", func() bool { return n.Stats().Wildcard == 1 })
	c := foreign(t, s)
	h := func(pairs ...string) nats.Header {
		out := nats.Header{}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i]] = append(out[pairs[i]], pairs[i+1])
		}
		return out
	}
	many := strings.TrimSuffix(strings.Repeat("g,", wire.MaxGroups+1), ",")
	for _, bad := range []struct {
		reason, subject string
		header          nats.Header
		data            string
	}{
		{"version", "g.g", h(wire.HeaderVersion, "2"), "x"},
		{"mode", "g.g", h(wire.HeaderMode, "xml"), "x"},
		{"mode", "g.g", h(wire.HeaderMode, "text", wire.HeaderMode, "json"), "1"},
		{"utf8", "g.g", nil, "\xff"},
		{"json", "g.g", h(wire.HeaderMode, "json"), "{"},
		{"json", "g.g", h(wire.HeaderMode, "json"), ""},
		{"too_large", "g.g", nil, strings.Repeat("x", n.engine.MaxMessageBytes()+1)},
		{"token", "g.a%62", nil, "x"},
		{"token", "g.*", nil, "x"},
		{"token", "g.>", nil, "x"},
		{"token", "u.a%62", nil, "x"},
		{"token", "u.*", nil, "x"},
		{"token", "m", h(wire.HeaderGroups, "g,,h"), "x"},
		{"token", "m", h(wire.HeaderGroups, "g, h"), "x"},
		{"origin", "g.g", h(wire.HeaderOrigin, "a 1 1"), "x"},
		{"origin", "g.g", h(wire.HeaderOrigin, "all 0000000000000001 1"), "x"},
		{"exclude", "g.g", h(wire.HeaderExclude, "0-1f-3,"), "x"},
		{"too_many", "m", h(wire.HeaderGroups, many), "x"},
		{"subject", "g.g", h(wire.HeaderGroups, "h"), "x"},
		{"subject", "u.7", h(wire.HeaderUsers, "8"), "x"},
		{"empty", "m", nil, "x"},
		{"control", "n.all", nil, ""},
		{"control", "n.a", nil, "[]"},
		{"control", "n.all", nil, `{"v":1,"type":"heartbeat","node":"all","epoch":"0000000000000001"}`},
		{"control", "n.a", nil, `{"v":1,"type":"marker","node":"b","epoch":"0"}`},
		{"control", "n.a", nil, `{"v":1,"type":"marker","node":"b","epoch":"0000000000000001","id":-1}`},
		{"version", "n.all", nil, `{"v":2}`},
		{"utf8", "n.all", nil, "\xff"},
		{"too_large", "n.all", nil, `{"v":1,"type":"marker","node":"b","epoch":"0000000000000001","id":1` +
			strings.Repeat(" ", wire.MaxControlBytes) + "}"},
	} {
		t.Run(bad.reason+" "+bad.subject, func(t *testing.T) {
			before := n.ignored(bad.reason)
			m := &nats.Msg{Subject: "groupcast." + bad.subject, Header: bad.header, Data: []byte(bad.data)}
			answer, err := c.RequestMsg(m, patience)
			if err != nil {
				t.Fatal(err)
			}
			var refusal wire.Refusal
			if err := json.Unmarshal(answer.Data, &refusal); err != nil || refusal.Error != bad.reason || refusal.Reason == "" {
				t.Errorf("the requester is told %s", answer.Data)
			}
			if now := n.ignored(bad.reason); now != before+1 {
				t.Errorf("%d messages were ignored for it, then %d", before, now)
			}
		})
	}
	n.publish(t, "g", "end")
	member.want("end")
}

// TestHeadersNobodyCanRead: a message whose headers NATS passes and cannot read is not taken for one without.
func TestHeadersNobodyCanRead(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	n := startNode(t, "a", one(s))
	n.joinedBy(t, 0)
	member := dialNode(t, n)
	member.join("g")
	raw, err := net.Dial("tcp", addressOf(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	fmt.Fprint(raw, `CONNECT {"verbose":false,"headers":true,"lang":"x","version":"1","protocol":1}`+"\r\n")
	for _, header := range []string{"NATS/1.0\r\nno colon\r\n\r\n", "what?\r\n\r\n", "\r\n"} {
		fmt.Fprintf(raw, "HPUB groupcast.g.g %d %d\r\n%sx\r\n", len(header), len(header)+1, header)
	}
	eventually(t, "they are ignored", func() bool { return n.ignored("header") == 3 })
	if counts := n.errorsOf(); len(counts) > 0 {
		t.Errorf("counted as errors of the connection, too: %v", counts)
	}
	header := "NATS/1.0\r\n\r\n" // none, and that can be read
	fmt.Fprintf(raw, "HPUB groupcast.g.g %d %d\r\n%send\r\n", len(header), len(header)+3, header)
	member.want("end")
}

// TestNamesLikeWildcards: a name is never more than one group.
func TestNamesLikeWildcards(t *testing.T) {
	t.Parallel()
	nodes := startNodes(t, 2, one(runServer(t)))
	names := []string{
		"*", ">", "a.b", "a.*", "a", "groupcast.g.a", "%2A", "Küche 7", "$SYS.>", "a,b",
		strings.Repeat("ü", 128),
	}
	var members []*testClient
	for _, name := range names {
		c := dialNode(t, nodes[1])
		c.join(name)
		members = append(members, c)
	}
	for _, name := range names {
		nodes[0].publish(t, name, "for "+name)
	}
	for i, c := range members {
		c.want("for " + names[i])
	}
	for _, name := range names {
		nodes[0].publish(t, name, "end")
	}
	for _, c := range members {
		c.want("end")
	}
}

// TestLiesAboutTheOrigin: they are published all the same, and nobody's place is believed to be there.
func TestLiesAboutTheOrigin(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	nodes := startNodes(t, 2, one(s))
	n := nodes[0]
	member := dialNode(t, n, envelope)
	member.join("g")
	member.join("mine")
	other := nodes[1].Status().Epoch
	c := foreign(t, s)
	lies := []string{
		"a 0123456789abcdef 7",
		"nobody 0123456789abcdef 7",
		"b 0123456789abcdef 7",
		"b " + other + fmt.Sprint(" ", uint64(math.MaxUint64)),
		"b " + other + fmt.Sprint(" ", placeLead+1000),
	}
	for i, origin := range lies {
		m := nats.NewMsg("groupcast.g.g")
		m.Header.Set(wire.HeaderOrigin, origin)
		m.Data = fmt.Append(nil, i)
		if err := c.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
		member.want(fmt.Sprintf(`{"type":"message","group_id":"g","message":"%d"}`, i))
	}
	if got := n.Stats().PlacesUnknown.Load(); got != uint64(len(lies)) {
		t.Errorf("%d of %d places were not believed", got, len(lies))
	}
	// So what the other node tells of as lost is told to members here.
	b := wire.Control{Notice: &wire.Notice{
		After: 0, Upto: 5, Lost: wire.Entries{{Hash: wire.Hash("mine"), Order: 1 << 19}},
	}}
	st := newStranger(t, s, "b")
	epoch, _ := wire.ParseEpoch(other)
	st.epoch = epoch
	st.says("groupcast.n.all", b)
	member.want(`{"type":"gap","group_id":"mine","missed":"unknown"}`)
}

// TestStrangers: what is not known to be a node is believed nothing. With a heartbeat it is one.
func TestStrangers(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	n := startNode(t, "a", one(s))
	n.joinedBy(t, 0)
	member := dialNode(t, n, envelope)
	member.join("g")
	st := newStranger(t, s, "x")
	notice := wire.Control{Notice: &wire.Notice{Nobody: true, All: true, Upto: 9}}
	st.says("groupcast.n.all", notice)
	st.says("groupcast.n.a", wire.Control{Range: &wire.Range{Upto: 1}})
	st.says("groupcast.n.a", wire.Control{Marked: &wire.Marked{ID: 1}})
	eventually(t, "they are counted", func() bool { return n.Stats().Strangers.Load() == 3 })
	if got := n.Status().Nodes; len(got) != 0 {
		t.Errorf("it is a node: %v", got)
	}
	n.publish(t, "g", "none of it is told")
	member.want(`{"type":"message","group_id":"g","message":"none of it is told"}`)
	st.beat(9)
	st.says("groupcast.n.all", notice)
	member.want(`{"type":"gap","group_id":"g","missed":"unknown"}`)
	st.epoch++ // a word of another life
	st.says("groupcast.n.all", notice)
	st.epoch--
	st.leave()
	st.says("groupcast.n.all", notice)
	eventually(t, "they are counted", func() bool { return n.Stats().Strangers.Load() == 5 })
	n.publish(t, "g", "nor this")
	member.want(`{"type":"message","group_id":"g","message":"nor this"}`)
}

// TestFloodOfNodes: any number of names costs no more than maxPeers of them, holds nothing up, and keeps no
// real node out for longer than the lease.
func TestFloodOfNodes(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	n := startNode(t, "a", one(s), func(o *Options) { o.Lease = MinLease })
	n.joinedBy(t, 0)
	member := dialNode(t, n)
	member.join("g")
	st := newStranger(t, s, "")
	const flood = 100_000
	for i := range flood {
		st.name = fmt.Sprint("x", i)
		switch i % 5 {
		case 0, 1:
			st.beat(uint64(i))
		case 2:
			st.says("groupcast.n.all", wire.Control{Marker: &wire.Marker{ID: uint64(i)}})
		case 3:
			st.says("groupcast.n.all", wire.Control{Notice: &wire.Notice{Nobody: true, All: true}})
		case 4:
			st.name = fmt.Sprint("x", i%2) // two lives that change places
			st.epoch = uint64(i)
			st.beat(1)
			st.epoch = 1
		}
		if i%5000 == 0 {
			eventually(t, "what has come is looked at", func() bool { return n.Stats().Inbound < 1000 })
			n.publish(t, "g", "still there")
			member.want("still there")
		}
	}
	st.flushed()
	eventually(t, "all is looked at", func() bool { return n.Stats().In.Load() >= flood && n.Stats().Inbound == 0 })
	if got := len(n.Status().Nodes); got > maxPeers {
		t.Errorf("%d nodes are known", got)
	}
	stats := n.Stats()
	if stats.PeersRefused.Load() == 0 || stats.SlowConsumer.Load() != 0 {
		t.Errorf("%d refused, %d times too slow", stats.PeersRefused.Load(), stats.SlowConsumer.Load())
	}
	real := startNode(t, "real", one(s))
	eventually(t, "the real one is known", func() bool {
		names := n.others()
		return len(names) == 1 && names[0] == "real"
	})
	member.join("h")
	real.publish(t, "h", "from the real one")
	member.want("from the real one")
}

// TestOwnNameInOthersMouths: nobody's word but the answer to its own question, or a heartbeat, takes a node's name.
func TestOwnNameInOthersMouths(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	n := startNode(t, "a", one(s))
	n.joinedBy(t, 0)
	member := dialNode(t, n, envelope)
	member.join("g")
	st := newStranger(t, s, "a")
	for _, to := range []string{"groupcast.n.all", "groupcast.n.a"} {
		st.says(to, wire.Control{Here: &wire.Here{Host: "evil", PID: 1}})
		st.says(to, wire.Control{Who: &wire.Who{}})
		st.says(to, wire.Control{Notice: &wire.Notice{Nobody: true, All: true}})
		st.leave()
	}
	st.flushed()
	eventually(t, "all is looked at", func() bool { return n.Stats().In.Load() >= 8 })
	if !n.Status().Named || n.Stats().NamesTaken.Load() != 0 {
		t.Error("the name is taken")
	}
	n.publish(t, "g", "x")
	member.want(`{"type":"message","group_id":"g","message":"x"}`)
	st.beat(0) // it is as old as nobody
	eventually(t, "the node has yielded", func() bool { return n.Stats().NamesTaken.Load() == 1 })
	n.joinedBy(t, 0) // since nobody answers
}

// TestAbsurdQuestions: a span of all places is answered as any; who is in a group is answered 64 times at once.
func TestAbsurdQuestions(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	n := startNode(t, "a", one(s))
	n.joinedBy(t, 0)
	n.publish(t, "g", "x")
	eventually(t, "it is written", func() bool { return n.Stats().Out.Load() == 1 })
	st := newStranger(t, s, "x")
	answers, err := st.conn.SubscribeSync("groupcast.n.x")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(c wire.Control) wire.Control {
		t.Helper()
		st.says("groupcast.n.a", c)
		m, err := answers.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		answer, bad := wire.ReadControl(m.Data)
		if bad != nil {
			t.Fatal(bad)
		}
		return answer
	}
	st.beat(0)
	a := ask(wire.Control{Range: &wire.Range{ID: 5, Upto: math.MaxUint64}}).Ranged
	if a == nil || a.ID != 5 || a.All || len(a.Hashes) != 1 || a.Hashes[0] != wire.Hash("g") {
		t.Fatalf("got %+v", a)
	}
	n.asking.Add(maxQuestions)
	q := wire.Control{Members: &wire.Members{ID: 7, Group: "g", Limit: 1}}
	if a := ask(q).MembersAnswer; a == nil || a.ID != 7 || !a.Failed {
		t.Errorf("got %+v", a)
	}
	n.asking.Add(-maxQuestions)
	// The loops of a busy machine may answer too late, once.
	eventually(t, "it is answered", func() bool {
		a := ask(q).MembersAnswer
		return a != nil && a.ID == 7 && !a.Failed
	})
	if got := n.Stats().QuestionsFull.Load(); got != 1 {
		t.Errorf("%d questions were not answered, want 1", got)
	}
}

// TestFloodOfSpans: of many questions of a node about spans one in answerAgain is answered, and those of another
// node are as well.
func TestFloodOfSpans(t *testing.T) {
	t.Parallel()
	b := startNode(t, "a", nil, func(o *Options) { o.Servers = []string{"nats://" + nobody(t)} }).Bus
	r := newReader(b)
	now := b.born
	ask := func(p *peer) (answered bool) {
		before := b.count.QuestionsFull.Load()
		r.answerSpan(p, &wire.Range{ID: 6, Upto: math.MaxUint64}, now)
		return b.count.QuestionsFull.Load() == before
	}
	flood, other := &peer{name: "x"}, &peer{name: "y"}
	if !ask(flood) || ask(flood) || !ask(other) {
		t.Error("want the first question of each node answered, and no other")
	}
	now = now.Add(answerAgain - 1)
	if ask(flood) {
		t.Errorf("a question is answered %v behind the one before", answerAgain-1)
	}
	now = now.Add(1)
	if !ask(flood) || ask(flood) {
		t.Errorf("want one more question answered %v behind the first", answerAgain)
	}
}

// TestAnswersOutsideTheCluster: an answer goes to no subject of the cluster, whose nodes believe each other.
func TestAnswersOutsideTheCluster(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	nodes := startNodes(t, 2, one(s))
	a, b := dialNode(t, nodes[0]), dialNode(t, nodes[1])
	a.join("asked")
	b.join("victim")
	c := foreign(t, s)
	for _, reply := range []string{"groupcast.g.victim", "groupcast.n.all", "groupcast.n.b"} {
		if err := c.PublishRequest("groupcast.g.asked", reply, []byte("x")); err != nil {
			t.Fatal(err)
		}
		a.want("x")
		if err := c.PublishRequest("groupcast.g.asked", reply, []byte("\xff")); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := c.Request("groupcast.g.asked", []byte("y"), patience)
	if err != nil || !strings.Contains(string(answer.Data), `"node":"a"`) {
		t.Fatalf("got %v, %v", answer, err)
	}
	a.want("y")
	nodes[0].publish(t, "victim", "end")
	b.want("end")
	if got := nodes[1].ignored("control"); got != 0 {
		t.Errorf("%d answers came to another node", got)
	}
}

// TestEchoOfAnEarlierConnection: what NATS sends back of a connection of this node that has ended is not
// published again.
func TestEchoOfAnEarlierConnection(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	n := startNodes(t, 1, one(s))[0]
	c := dialNode(t, n)
	c.join("g")
	n.publish(t, "g", "once")
	c.want("once")
	m := nats.NewMsg("groupcast.g.g")
	m.Header.Set("Groupcast-Origin", "a "+n.engine.Epoch().String()+" 1")
	m.Data = []byte("once")
	if err := foreign(t, s).PublishMsg(m); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has come", func() bool { return n.count.Echoes.Load() == 1 })
	n.publish(t, "g", "next")
	c.want("next")
}
