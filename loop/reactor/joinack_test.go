package reactor

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"pgregory.net/rapid"

	"groupcast/loop/order"
	"groupcast/protocol"
)

func uncoveredAckOf(reqID string) string {
	return `{"cmd":"ack","req_id":` + reqID + `,"cluster":false}`
}

func addGroup(group string, reqID int) []byte {
	return mask(fmt.Sprintf(`{"cmd":"add_group","group_id":%q,"req_id":%d}`, group, reqID))
}

// cluster is a reactor of a node in a cluster, with what its sessions were sent.
type cluster struct {
	t       *testing.T
	r       *Reactor
	table   *CoverageTable
	written map[int32][]byte
}

func startCluster(t *testing.T, state Coverage) *cluster {
	t.Helper()
	e := startSim(t, nil)
	c := &cluster{t: t, r: e.reactors[0], table: &e.shared.Coverage}
	c.table.Set(state)
	onLoop(t, c.r, func() { c.written = c.r.record(0) })
	return c
}

// do runs f on the loop.
func (c *cluster) do(f func()) {
	c.t.Helper()
	onLoop(c.t, c.r, f)
}

func (c *cluster) session(mode protocol.Mode) (s *Session) {
	c.t.Helper()
	c.do(func() { s = c.r.simulate(1, mode)[0] })
	return s
}

// says has s send these frames.
func (c *cluster) says(s *Session, frames ...[]byte) {
	c.t.Helper()
	c.do(func() {
		b := slices.Concat(frames...)
		c.r.read(s, b)
		clear(b) // it is the loop's, and used again
	})
}

// want checks all that s was sent since it was last looked at.
func (c *cluster) want(s *Session, want ...string) {
	c.t.Helper()
	var got []string
	c.do(func() {
		got = texts(c.t, c.written[s.fd])
		delete(c.written, s.fd)
	})
	if !slices.Equal(got, want) {
		c.t.Fatalf("got %q, want %q", got, want)
	}
}

// set, cover and uncover are what an engine does.
func (c *cluster) set(state Coverage) {
	c.t.Helper()
	c.table.Set(state)
	c.do(c.r.ChangeCoverage)
}

func (c *cluster) cover(groups ...string) {
	c.t.Helper()
	c.table.Cover(groups)
	c.do(func() { c.r.CoverGroups(groups) })
}

// waiting checks how many acks wait, by all that counts them.
func (c *cluster) waiting(want int) {
	c.t.Helper()
	c.do(func() {
		r := c.r
		each, perSession, bytes := 0, 0, int64(0)
		for a := r.acks.first; a != nil; a = a.later {
			each++
			bytes += a.bytes()
		}
		for _, n := range r.acks.bySession {
			perSession += int(n)
		}
		r.tellMemoryNow()
		counts := []int{each, perSession, r.acks.count, r.AcksWaiting(), r.Snapshot().JoinsWaiting}
		if slices.ContainsFunc(counts, func(n int) bool { return n != want }) {
			c.t.Errorf("%d acks wait, want %d", counts, want)
		}
		if r.memory.acks != bytes || r.Memory().Backlogs != r.memory.backlogs+bytes {
			c.t.Errorf("%d bytes are counted, and told as a part of %d, want %d", r.memory.acks, r.Memory().Backlogs, bytes)
		}
	})
}

// TestJoinAcks: what the ack of a join says, and when, by what is believed of the bus and whether
// the group is covered.
func TestJoinAcks(t *testing.T) {
	const waits = ""
	for _, test := range []struct {
		state   Coverage
		covered bool
		want    string
	}{
		{CoverageOff, false, ackOf("1")},
		{CoverageOff, true, ackOf("1")},
		{CoverageAway, false, uncoveredAckOf("1")},
		{CoverageAway, true, uncoveredAckOf("1")},
		{CoveragePending, false, waits},
		{CoveragePending, true, waits},
		{CoverageOn, false, waits},
		{CoverageOn, true, ackOf("1")},
	} {
		t.Run(fmt.Sprintf("state=%d/covered=%v", test.state, test.covered), func(t *testing.T) {
			c := startCluster(t, test.state)
			if test.covered {
				c.table.Cover([]string{"g"})
			}
			s := c.session(protocol.ModeBare)
			for range 2 { // the second time it is a member already
				c.says(s, addGroup("g", 1), mask(`{"cmd":"ping","req_id":2}`), mask(`{"cmd":"add_group","group_id":"g"}`))
				c.do(func() {
					if c.r.Members("g") != 1 {
						t.Error("the join itself waits")
					}
				})
				if test.want == waits {
					c.want(s, ackOf("2"))
					c.waiting(1)
					c.set(CoverageOff)
					c.want(s, ackOf("1"))
					c.set(test.state)
				} else {
					c.want(s, test.want, ackOf("2"))
				}
				c.waiting(0)
			}
		})
	}
}

// TestJoinAckInEnvelopeMode: the ack of a group that is not covered has a type there.
func TestJoinAckInEnvelopeMode(t *testing.T) {
	c := startCluster(t, CoverageAway)
	s := c.session(protocol.ModeEnvelope)
	c.says(s, addGroup("g", 1))
	c.want(s, `{"type":"ack","req_id":1,"cluster":false}`)
}

// TestCoverReleases: acks that wait for the groups are sent, and no others; those of one session
// in the order in which they came, where a call covers several.
func TestCoverReleases(t *testing.T) {
	c := startCluster(t, CoverageOn)
	one, other := c.session(protocol.ModeBare), c.session(protocol.ModeBare)
	c.says(one, addGroup("a", 1), addGroup("b", 2), addGroup("a", 3), addGroup("c", 4))
	c.says(other, addGroup("a", 5), addGroup("c", 6))
	c.waiting(6)
	c.cover("nobody's", "b")
	c.want(one, ackOf("2"))
	c.cover("a")
	c.want(one, ackOf("1"), ackOf("3"))
	c.want(other, ackOf("5"))
	c.waiting(2)
	// A closure that comes late finds that the group is covered no more.
	c.table.Cover([]string{"c"})
	c.table.Uncover([]string{"c"})
	c.do(func() { c.r.CoverGroups([]string{"c"}) })
	c.want(one)
	c.waiting(2)
	c.cover("c")
	c.want(one, ackOf("4"))
	c.want(other, ackOf("6"))
	c.waiting(0)
	c.do(func() {
		if s := c.r.stats; s.JoinsWaited != 6 || s.JoinsReleased != 6 {
			t.Errorf("%d waited, %d of them were covered", s.JoinsWaited, s.JoinsReleased)
		}
	})
}

// TestCoverageComesBack: while the bus comes back nothing is believed; then what was noted
// meanwhile is.
func TestCoverageComesBack(t *testing.T) {
	c := startCluster(t, CoveragePending)
	s := c.session(protocol.ModeBare)
	c.table.Cover([]string{"before"})
	c.says(s, addGroup("before", 1), addGroup("meanwhile", 2), addGroup("after", 3))
	c.cover("meanwhile")
	c.set(CoveragePending)
	c.want(s)
	c.waiting(3)
	c.table.Set(CoverageOn)
	c.do(func() {
		c.r.lookAgain("before")
		c.r.settle()
	})
	c.want(s, ackOf("1"))
	c.set(CoverageOn)
	c.want(s, ackOf("2"))
	c.waiting(1)
	c.set(CoverageAway)
	c.want(s, uncoveredAckOf("3"))
	c.waiting(0)
	c.do(func() {
		if c.r.stats.JoinsAway != 1 {
			t.Errorf("%d acks are counted", c.r.stats.JoinsAway)
		}
	})
}

// TestNoAckIsForgotten: a group is covered in the moment of its only join. Either the join sees that,
// or the goroutine that covers it sees the ack that waits.
func TestNoAckIsForgotten(t *testing.T) {
	c := startCluster(t, CoverageOn)
	s := c.session(protocol.ModeBare)
	var turn, done atomic.Int64 // the join that begins, and the last one whose group is covered
	var told atomic.Bool
	var bus sync.WaitGroup
	const joins = 20_000
	bus.Go(func() {
		for i := range int64(joins) {
			for turn.Load() <= i {
				runtime.Gosched()
			}
			for range i % 64 { // another moment each time
				_ = turn.Load()
			}
			c.table.Cover([]string{fmt.Sprint(i)})
			told.Store(c.r.AcksWaiting() > 0)
			done.Store(i + 1)
		}
	})
	c.do(func() {
		forgotten := 0
		for i := range int64(joins) {
			group := fmt.Sprint(i)
			turn.Store(i + 1)
			c.r.join(s, []byte(group), []byte("1"))
			for done.Load() <= i {
				runtime.Gosched()
			}
			if told.Load() {
				c.r.CoverGroups([]string{group})
			}
			if c.r.acks.count > 0 {
				forgotten++
				c.r.lookAgain(group)
			}
			c.r.leaveAll(s)
			c.r.deliverAll()
		}
		if forgotten > 0 {
			t.Errorf("%d acks of %d are forgotten", forgotten, joins)
		}
	})
	bus.Wait()
}

// TestJoinWait: an ack that has waited for JoinWait is sent, whatever the bus does; another time
// holds for joins that come behind a reload.
func TestJoinWait(t *testing.T) {
	c := startCluster(t, CoverageOn)
	s := c.session(protocol.ModeBare)
	wait := func(d time.Duration) {
		o := DefaultOptions()
		o.JoinWait = d
		if err := o.Validate(); err != nil {
			t.Fatal(err)
		}
		c.do(func() { c.r.Reconfigure(&o) })
	}
	wait(time.Minute)
	before := time.Since(c.r.shared.Start)
	c.says(s, addGroup("a", 1))
	wait(time.Second)
	c.says(s, addGroup("b", 2), addGroup("a", 3))
	after := time.Since(c.r.shared.Start)
	expire := func(now time.Duration) {
		c.do(func() {
			c.r.releaseUntil(int64(now), &c.r.stats.JoinsTimedOut)
			c.r.settle()
		})
	}
	expire(before + time.Minute - 1)
	c.want(s)
	expire(after + time.Minute)
	c.want(s, uncoveredAckOf("1"), uncoveredAckOf("2"), uncoveredAckOf("3"))
	c.waiting(0)
	c.says(s, addGroup("b", 4))
	c.do(func() {
		if left := time.Duration(c.r.acks.first.until) - after; left < time.Second || left > time.Minute {
			t.Errorf("the next one waits for %s", left)
		}
		c.table.Cover([]string{"b"}) // in the moment in which its time is over
	})
	expire(math.MaxInt64)
	c.want(s, ackOf("4"))
	c.do(func() {
		if n := c.r.stats.JoinsTimedOut; n != 3 {
			t.Errorf("%d are counted", n)
		}
	})
}

// TestJoinWaitBounds: how long an ack may wait.
func TestJoinWaitBounds(t *testing.T) {
	for d, ok := range map[time.Duration]bool{
		10*time.Millisecond - 1: false, 10 * time.Millisecond: true, time.Minute: true, time.Minute + 1: false,
	} {
		o := DefaultOptions()
		o.JoinWait = d
		if err := o.Validate(); (err == nil) != ok {
			t.Errorf("%s: %v", d, err)
		}
	}
}

// TestAckTick: the clock's look is for loops with acks that wait, and one is under way at most.
func TestAckTick(t *testing.T) {
	c := startCluster(t, CoverageOn)
	s := c.session(protocol.ModeBare)
	if c.r.TickAcks() {
		t.Error("a look at nothing")
	}
	c.says(s, addGroup("g", 1))
	c.do(func() { c.r.acks.first.until = 0 })
	if !c.r.TickAcks() {
		t.Error("no look")
	}
	waitFor(t, "the end of the look", func() bool { return c.r.AcksWaiting() == 0 && !c.r.ackTicking.Load() })
	c.want(s, uncoveredAckOf("1"))
}

// TestMaxWaitingAcks: of a session and of a loop as many wait as these say; one more is
// answered at once.
func TestMaxWaitingAcks(t *testing.T) {
	c := startCluster(t, CoverageOn)
	s, other := c.session(protocol.ModeBare), c.session(protocol.ModeBare)
	for i := range MaxWaitingAcks {
		c.says(s, addGroup(fmt.Sprint(i), i))
	}
	c.want(s)
	c.says(s, addGroup("0", 1000), mask(`{"cmd":"add_group","group_id":"0"}`))
	c.want(s, uncoveredAckOf("1000"))
	c.says(other, addGroup("0", 1))
	c.want(other)
	c.cover("3")
	c.want(s, ackOf("3"))
	c.says(s, addGroup("0", 1001))
	c.want(s)
	c.waiting(MaxWaitingAcks + 1)

	var full *Session
	c.do(func() {
		for c.r.acks.count < MaxLoopWaitingAcks {
			full = c.r.simulate(1, protocol.ModeBare)[0]
			for i := 0; i < MaxWaitingAcks && c.r.acks.count < MaxLoopWaitingAcks; i++ {
				c.r.join(full, fmt.Appendf(nil, "g%d", i), []byte("1"))
			}
		}
	})
	last := c.session(protocol.ModeBare)
	c.says(last, addGroup("g0", 1))
	c.want(last, uncoveredAckOf("1"))
	c.waiting(MaxLoopWaitingAcks) // and no more: it has its answer
	c.do(func() {
		if s := c.r.stats; s.JoinsLimit != 1 || s.JoinsLoopLimit != 1 {
			t.Errorf("%d and %d are counted", s.JoinsLimit, s.JoinsLoopLimit)
		}
		if told := c.r.Memory().Backlogs; told < MaxLoopWaitingAcks*waitingAckBytes {
			t.Errorf("%d bytes are told for so many", told)
		}
	})
	c.set(CoverageAway)
	c.waiting(0)
	waitFor(t, "the answers to all of them", func() (done bool) {
		c.do(func() { done = len(c.r.dirty) == 0 && !c.r.yielding })
		return done
	})
	c.do(func() {
		if c.r.acks.byGroup != nil {
			t.Error("the maps of all these are kept")
		}
	})
}

// TestJoinAckBehindASend: a join is carried out behind the session's sends, and so is its ack,
// whenever it comes; what stands behind the join is answered before.
func TestJoinAckBehindASend(t *testing.T) {
	c := startCluster(t, CoverageOn)
	s := c.session(protocol.ModeBare)
	c.table.Cover([]string{"covered"})
	c.says(s, mask(`{"cmd":"send_to_group","group_id":"g","message":"x","req_id":1}`), addGroup("g", 2),
		addGroup("covered", 3), mask(`{"cmd":"ping","req_id":4}`))
	c.table.Cover([]string{"g"})
	c.do(func() { c.r.CoverGroups([]string{"g"}) }) // perhaps before the join, perhaps behind it
	var got []string
	waitFor(t, "all answers", func() bool {
		c.do(func() { got = texts(t, c.written[s.fd]) })
		return len(got) == 4
	})
	at := func(reqID string) int { return slices.Index(got, ackOf(reqID)) }
	if at("1") != 0 || at("2") < 1 || at("3") < 1 || at("4") < at("3") {
		t.Errorf("the answers are %q", got)
	}
}

// TestWaitingAckOutlivesMembership: the ack of a join comes although the session has left again.
func TestWaitingAckOutlivesMembership(t *testing.T) {
	c := startCluster(t, CoverageOn)
	s := c.session(protocol.ModeBare)
	c.says(s, addGroup("g", 1), mask(`{"cmd":"leave_group","group_id":"g","req_id":2}`))
	c.want(s, ackOf("2"))
	c.cover("g")
	c.want(s, ackOf("1"))
}

// TestSessionEndsWhileItsAckWaits: nothing is sent to a session that closes, or to the next one
// in its slot, and nothing of it is left.
func TestSessionEndsWhileItsAckWaits(t *testing.T) {
	c := startCluster(t, CoverageOn)
	closing, gone := c.session(protocol.ModeBare), c.session(protocol.ModeBare)
	c.says(closing, addGroup("g", 1))
	c.says(gone, addGroup("g", 2), addGroup("h", 3))
	var next *Session
	c.do(func() {
		c.r.closeWith(closing, ws.StatusGoingAway, "")
		closing.set(flagFinSent) // there is no socket to be shut
		c.r.settle()
		c.r.leaveAll(gone)
		gone.state = stateDead
		c.r.sessions.remove(gone)
		next = c.r.simulate(1, protocol.ModeBare)[0]
		if next.slot != gone.slot {
			t.Fatal("the slot is not used again")
		}
		clear(c.written)
	})
	c.waiting(3)
	c.cover("g")
	c.set(CoverageAway)
	c.want(next)
	c.want(closing)
	c.waiting(0)
	c.do(func() {
		if s := c.r.stats; s.JoinsReleased != 0 || s.JoinsAway != 0 {
			t.Errorf("%d and %d acks are counted that nobody got", s.JoinsReleased, s.JoinsAway)
		}
		closing.state = stateOpen
	})
}

// TestDrainReleasesAcks: a drain sends what waits, and has nothing wait any more.
func TestDrainReleasesAcks(t *testing.T) {
	c := startCluster(t, CoverageOn)
	s := c.session(protocol.ModeBare)
	c.table.Cover([]string{"covered"})
	c.says(s, addGroup("g", 1), addGroup("h", 2))
	c.do(c.r.StartDrain)
	c.want(s, uncoveredAckOf("1"), uncoveredAckOf("2"))
	c.waiting(0)
	c.says(s, addGroup("g", 3), addGroup("covered", 4))
	want := []string{uncoveredAckOf("3"), ackOf("4")}
	c.want(s, want...)
	c.waiting(0) // they have their answers, and get no other one
	c.do(func() {
		if n := c.r.stats.JoinsDraining; n != 3 {
			t.Errorf("%d are counted", n)
		}
	})
}

// TestWithMembers: of groups, those with a member here.
func TestWithMembers(t *testing.T) {
	c := startCluster(t, CoverageOff)
	s := c.session(protocol.ModeBare)
	c.do(func() {
		s.joinAs("a")
		s.joinAs("b")
		c.r.exit(s, []byte("b"))
		if got := c.r.WithMembers([]string{"a", "b", "c", "a"}); !slices.Equal(got, []bool{true, false, false, true}) {
			t.Errorf("got %v", got)
		}
	})
}

// TestUncoverSaysWhatWas: a group is taken out once.
func TestUncoverSaysWhatWas(t *testing.T) {
	var table CoverageTable
	table.Cover([]string{"a", "b"})
	if were := table.Uncover([]string{"a", "c", "a"}); !slices.Equal(were, []bool{true, false, false}) {
		t.Errorf("%v were covered", were)
	}
	if table.Covered("a") || !table.Covered("b") {
		t.Error("another one is covered")
	}
}

// TestWaitingAcksModel: taken by group or in the order in which they came, acks come out as out of
// plain lists.
func TestWaitingAcksModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "number") }
		var w waitingAcks
		var all []*waitingAck
		for range 200 {
			group := fmt.Sprint(draw(3))
			switch draw(3) {
			case 0, 1:
				a := &waitingAck{group: group, session: order.NewSessionID(0, uint32(draw(2)), 1)}
				w.add(a)
				all = append(all, a)
				continue
			case 2:
				if w.first != nil {
					group = w.first.group
				}
			}
			var want *waitingAck
			if at := slices.IndexFunc(all, func(a *waitingAck) bool { return a.group == group }); at >= 0 {
				want = all[at]
				all = slices.Delete(all, at, at+1)
			}
			if got := w.take(group); got != want {
				rt.Fatalf("took %v of %s, want %v", got, group, want)
			}
			sessions := map[order.SessionID]uint8{}
			at := w.first
			for _, a := range all {
				sessions[a.session]++
				if at != a {
					rt.Fatalf("%v stands where %v came", at, a)
				}
				at = a.later
			}
			if at != nil || w.count != len(all) || len(sessions) != len(w.bySession) {
				rt.Fatalf("%d acks of %d sessions, want %d of %d", w.count, len(w.bySession), len(all), len(sessions))
			}
			for id, n := range sessions {
				if w.bySession[id] != n {
					rt.Fatalf("%d acks of %v, want %d", w.bySession[id], id, n)
				}
			}
		}
	})
}
