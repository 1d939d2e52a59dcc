package bus

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"groupcast/loop"
	"groupcast/server/bus/wire"
)

// TestNothingCrossesWithoutMembers: a message comes to no node that has no members for it, once its subscription
// has ended; what did not come is counted.
func TestNothingCrossesWithoutMembers(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	nodes := startNodes(t, 2, one(s))
	a, b := nodes[0], nodes[1]
	c := dialNode(t, b)
	c.join("g")
	a.publish(t, "g", "x")
	c.want("x")
	asked := foreign(t, s)
	if _, err := asked.Request("groupcast.g.other", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("a group without members: %v", err)
	}
	c.leave("g")
	eventually(t, "it lingers no more", func() bool { return b.Stats().Groups == 0 })
	eventually(t, "NATS knows that it is left", func() bool {
		_, err := asked.Request("groupcast.g.g", nil, 100*time.Millisecond)
		return errors.Is(err, nats.ErrNoResponders)
	})
	before := b.Stats().Avoided.Load()
	for i := range 100 {
		a.publish(t, "g", fmt.Sprint(i))
	}
	eventually(t, "they are counted as avoided", func() bool { return b.Stats().Avoided.Load() >= before+100 })
}

// TestGroupComesBackWhileItLingers: it needs no new subscription, and misses nothing.
func TestGroupComesBackWhileItLingers(t *testing.T) {
	t.Parallel()
	nodes := startNodes(t, 2, one(runServer(t)), func(o *Options) { o.Linger = MaxLinger })
	c := dialNode(t, nodes[0])
	c.join("g")
	marks := nodes[0].Stats().Marks
	c.leave("g")
	eventually(t, "it lingers", func() bool { return nodes[0].Stats().Lingering == 1 })
	c.join("g")
	nodes[1].publish(t, "g", "x")
	c.want("x")
	if got := nodes[0].Stats(); got.Marks != marks || got.Subjects != 1 {
		t.Errorf("%d markers, then %d; %d subjects", marks, got.Marks, got.Subjects)
	}
}

// TestWhoGetsIt: exclude, users, several groups and both modes are on other nodes what they are here.
func TestWhoGetsIt(t *testing.T) {
	t.Parallel()
	nodes := startNodes(t, 2, one(runServer(t)))
	var members []*testClient
	for _, n := range nodes {
		for range 2 {
			c := dialNode(t, n)
			c.join("g")
			c.join("h")
			members = append(members, c)
		}
	}
	say := func(p loop.Publication) {
		t.Helper()
		if _, err := nodes[0].engine.PublishAll(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	all := func(texts ...string) {
		t.Helper()
		for _, c := range members {
			for _, text := range texts {
				c.want(text)
			}
		}
	}
	members[0].send(map[string]any{
		"cmd": "send_to_group", "group_id": "g", "message": "not to me", "exclude_self": true,
	})
	for _, c := range members[1:] {
		c.want("not to me")
	}
	// Sessions of the other node, as their node names them.
	page, err := nodes[1].Members(t.Context(), "g", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, m := range page.Members {
		if m.Node == "b" {
			there = append(there, m.Session)
		}
	}
	if len(there) != 2 {
		t.Fatalf("members are %+v", page.Members)
	}
	say(loop.Publication{Groups: []string{"g"}, Payload: []byte("not there"), IsText: true, ExcludeElsewhere: there})
	for _, c := range members[:2] {
		c.want("not there")
	}
	say(loop.Publication{Groups: []string{"g"}, Payload: []byte(`{"b" : [1.50]}`)})
	all(`{"b" : [1.50]}`)
	say(loop.Publication{Groups: []string{"g"}, Payload: []byte(`{"b" : [1.50]}`), IsText: true})
	all(`{"b" : [1.50]}`)
	say(loop.Publication{Groups: []string{"g", "h"}, Payload: []byte("each group"), IsText: true})
	say(loop.Publication{
		Groups: []string{"h", "g"}, Users: []string{"nobody"}, Payload: []byte("and users"), IsText: true,
	})
	say(loop.Publication{Groups: []string{"g"}, Payload: []byte("end"), IsText: true})
	// What a session gets of a publication for two groups is the same everywhere.
	var first []string
	for i, c := range members {
		var got []string
		for len(got) == 0 || got[len(got)-1] != "end" {
			got = append(got, c.next())
		}
		if i == 0 {
			first = got
		} else if !slices.Equal(got, first) {
			t.Errorf("member %d got %q, the first one %q", i, got, first)
		}
	}
	t.Logf("%q", first)
}

// TestTooLargeForNATS: a message that the NATS server does not take is told of on other nodes, at once, and counted
// once; what comes next crosses. It may be too large by its names alone.
func TestTooLargeForNATS(t *testing.T) {
	t.Parallel()
	const limit = 8 << 10
	s := runServer(t, func(o *server.Options) { o.MaxPayload = limit })
	nodes := startNodes(t, 2, one(s))
	own, other := dialNode(t, nodes[0], envelope), dialNode(t, nodes[1], envelope)
	for _, c := range []*testClient{own, other} {
		c.join("g")
		c.join("quiet")
	}
	check := func(lost uint64, p loop.Publication, text string) {
		t.Helper()
		if _, err := nodes[0].engine.PublishAll(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		own.want(messageOf("g", text))
		other.want(fmt.Sprintf(gapOf, "g"))
		nodes[0].publish(t, "quiet", "next")
		own.want(messageOf("quiet", "next"))
		other.want(messageOf("quiet", "next"))
		if st := nodes[0].Stats(); st.TooLarge.Load() != lost || st.Lost.Load() != 0 {
			t.Errorf("%d are counted as too large, %d as lost otherwise", st.TooLarge.Load(), st.Lost.Load())
		}
	}
	large := strings.Repeat("x", limit)
	check(1, loop.Publication{Groups: []string{"g"}, Payload: []byte(large), IsText: true}, large)
	users := make([]string, 100)
	for i := range users {
		users[i] = fmt.Sprint(i, strings.Repeat("ü", 100))
	}
	check(2, loop.Publication{Groups: []string{"g"}, Users: users, Payload: []byte("small"), IsText: true}, "small")
}

// TestListsTooLargeForNATS: a list of members that the NATS server does not take at once comes in pages, and a
// notice of many groups in parts; neither costs the node its connection.
func TestListsTooLargeForNATS(t *testing.T) {
	t.Parallel()
	const members, groups = 100, 120
	s := runServer(t, func(o *server.Options) { o.MaxPayload = 2 << 10 })
	nodes := startNodes(t, 2, one(s))
	for range members {
		dialNode(t, nodes[1], "").join("crowd")
	}
	seen, pages := make(map[string]bool), 0
	for after, more := "", true; more; pages++ {
		page, err := nodes[0].Members(t.Context(), "crowd", after, members)
		if err != nil || page.Total != members && len(page.Silent) == 0 {
			t.Fatalf("%+v, %v", page, err)
		}
		for _, m := range page.Members {
			seen[m.Session] = true
		}
		if len(page.Silent) > 0 { // it was late
			for reason, n := range nodes[1].Stats().Errors.All() {
				if n > 0 {
					t.Fatalf("the answer was not taken: %s", reason)
				}
			}
			continue
		}
		after, more = page.Next, page.Next != ""
	}
	if len(seen) != members || pages < 2 {
		t.Errorf("%d members on %d pages, want %d on 2 or more", len(seen), pages, members)
	}
	var names []string
	other := dialNode(t, nodes[1], envelope)
	for i := range groups {
		names = append(names, fmt.Sprint("g", i))
		other.join(names[i])
	}
	if _, err := nodes[0].engine.PublishAll(t.Context(), loop.Publication{
		Groups: names, Payload: []byte(strings.Repeat("x", 8<<10)), IsText: true,
	}); err != nil {
		t.Fatal(err)
	}
	told := make(map[string]bool)
	for range groups {
		told[other.next()] = true
	}
	for _, name := range names {
		if !told[fmt.Sprintf(gapOf, name)] {
			t.Errorf("nobody told %s of a gap", name)
		}
	}
	for _, n := range nodes {
		if st := n.Stats(); st.Reconnects != 0 {
			t.Errorf("node %s lost its connection %d times", n.Name(), st.Reconnects)
		}
	}
}

// TestAnswersToRequests: places come in the order of the requests; where nobody is a member NATS says so, or under
// the wildcard the node, with order 0; a node that drains says that.
func TestAnswersToRequests(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	n := startNode(t, "a", one(s), func(o *Options) { o.Subjects = 2 })
	n.joinedBy(t, 0)
	c := dialNode(t, n)
	c.join("g")
	asked := foreign(t, s)
	answers, err := asked.SubscribeSync("answers.*")
	if err != nil {
		t.Fatal(err)
	}
	const requests = 1000
	for i := range requests {
		if err := asked.PublishRequest("groupcast.g.g", fmt.Sprint("answers.", i), fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	last := uint64(0)
	for i := range requests {
		m, err := answers.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		var place wire.Reply
		if err := json.Unmarshal(m.Data, &place); err != nil || m.Subject != fmt.Sprint("answers.", i) ||
			place.Node != "a" || place.Epoch != n.Status().Epoch || place.Order <= last {
			t.Fatalf("%d, behind %d: %s got %s", i, last, m.Subject, m.Data)
		}
		last = place.Order
		c.want(fmt.Sprint(i))
	}
	if _, err := asked.Request("groupcast.g.none", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("got %v", err)
	}
	c.join("h")
	c.join("i")
	eventually(t, "the wildcard, with nothing in doubt", func() bool {
		return n.Stats().Wildcard == 1
	})
	m, err := asked.Request("groupcast.g.none", nil, patience)
	if err != nil || !strings.Contains(string(m.Data), `"order":0}`) {
		t.Errorf("got %v, %v", m, err)
	}
	if got := n.Stats().Unwanted.Load(); got != 1 {
		t.Errorf("%d messages were not wanted", got)
	}
	drain(t, n)
	m, err = asked.Request("groupcast.g.g", []byte("late"), patience)
	// Its members have gone with the drain: to the one or the other.
	if err != nil {
		t.Fatal(err)
	}
	if got := string(m.Data); !strings.Contains(got, `"error":"draining"`) && !strings.Contains(got, `"order":0}`) {
		t.Errorf("got %s", got)
	}
}
