package reactor

import (
	"fmt"
	"maps"
	"testing"

	"github.com/gobwas/ws"
	"pgregory.net/rapid"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// roster is what a receiver makes of an outbox.
type roster map[memberKey]*Identity

// replay applies changes, and returns what a receiver that only counts would count twice, or
// for nothing: a join of a member, and a leave of none.
func (m roster) replay(c *Changes) (stray []Change) {
	if c == nil {
		return nil
	}
	if c.Anew {
		clear(m)
	}
	for _, one := range c.List {
		key := memberKey{one.Session, one.Group}
		if _, found := m[key]; found == one.Joined {
			stray = append(stray, one)
		}
		if one.Joined {
			m[key] = one.Who
		} else {
			delete(m, key)
		}
	}
	return stray
}

// truth is who is in which group.
func (r *Reactor) truth() roster {
	m := roster{}
	for _, s := range r.sessions.slots {
		if s == nil {
			continue
		}
		for i := range s.groupCount() {
			m[memberKey{s.ID(), s.membership(i).g.name}] = s.who
		}
	}
	return m
}

// TestOutboxModel: whatever comes and goes, by whichever way, and however rarely a receiver
// looks, what it has replayed in the end is who is in which group, though the outbox is
// too small now and then.
func TestOutboxModel(t *testing.T) {
	e := startSim(t, func(o *Options) { o.MaxGroupsPerSession = 2 })
	r := e.reactors[0]
	overflows, readings := uint64(0), 0
	say := func(s *Session, text string) {
		r.handle(s, protocol.Event{Op: ws.OpText, Payload: []byte(text)})
	}
	rapid.Check(t, func(rt *rapid.T) {
		onLoopOf(t, r, func() {
			r.sink()
			defer func() { r.doomed = nil }() // they have no connections to close
			news := make(chan struct{}, 1)
			f := Follow(r, rapid.IntRange(1, 8).Draw(rt, "limit"), news)
			f.outbox.perPart = rapid.IntRange(1, 4).Draw(rt, "memberships in a part")
			f.Begin()
			defer f.End()
			got := roster{}
			var reads []func() // asked for, and not run yet
			whole := true      // nothing is missing since the last reading began
			take := func() {
				before := f.Overflows
				c, next := f.Take()
				whole = (whole || c != nil && c.Anew) && f.Overflows == before
				if stray := got.replay(c); whole && len(stray) > 0 {
					rt.Fatalf("counted twice or for nothing: %v", stray)
				}
				if c != nil && c.Anew {
					readings++
				}
				if next != nil {
					reads = append(reads, next)
				}
			}
			read := func() {
				if len(reads) > 0 {
					reads[0]()
					reads = reads[1:]
				}
			}
			names := []*Identity{nil, {User: "a"}, {User: "b"}}
			var sessions []*Session
			some := func() *Session {
				if len(sessions) == 0 {
					sessions = r.simulate(1, protocol.ModeBare)
				}
				return rapid.SampledFrom(sessions).Draw(rt, "session")
			}
			group := func() string { return fmt.Sprint(rapid.IntRange(0, 2).Draw(rt, "group")) }
			for range 200 {
				step := rapid.SampledFrom([]int{0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 12, 12, 13, 13})
				switch step.Draw(rt, "step") {
				case 0:
					if len(sessions) == 4 { // few, so that what one step does the next undoes
						break
					}
					s := r.simulate(1, protocol.Mode(rapid.IntRange(0, 1).Draw(rt, "mode")))[0]
					s.who = rapid.SampledFrom(names).Draw(rt, "who")
					sessions = append(sessions, s)
				case 1, 2:
					say(some(), fmt.Sprintf(`{"cmd":"add_group","group_id":%q}`, group()))
				case 3:
					say(some(), fmt.Sprintf(`{"cmd":"leave_group","group_id":%q}`, group()))
				case 4:
					_, _ = r.Join(some().ID(), group())
				case 5:
					_ = r.Leave(some().ID(), group())
				case 6:
					r.inject(order.NewOwn(some().ID(), order.ActJoin, []byte(group()), nil))
					r.returned--
					r.deliverAll()
				case 7:
					_ = r.Identify(some().ID(), rapid.SampledFrom(names).Draw(rt, "who"))
				case 8:
					r.Dissolve(group(), 2)
				case 9: // says goodbye
					_ = r.Kick(some().ID(), ws.StatusNormalClosure, "")
				case 10: // is gone
					s := some()
					r.doom(s)
					r.sessions.remove(s)
					s.generation = ^uint32(0) // never to be found again
					sessions = deleted(sessions, s)
				case 11:
					r.turn()
				case 12:
					take()
				case 13:
					read()
				}
			}
			for range 1000 { // until nothing more comes
				r.turn()
				take()
				if len(reads) == 0 && r.outbox.filling == nil && r.outbox.ready.Load() == nil && f.want < 0 {
					break
				}
				read()
			}
			if want := r.truth(); !maps.Equal(got, want) {
				rt.Fatalf("replayed %v, want %v", got, want)
			}
			overflows += f.Overflows
			for _, s := range sessions {
				r.leaveAll(s)
				r.exitUser(s)
				r.wheel.cancel(s)
				s.dropQueue()
				r.sessions.remove(s)
			}
			r.dirty, r.flushed = r.dirty[:0], 0
			r.sessions = sessionTable{}
		})
	})
	if overflows == 0 || readings < 100 {
		t.Errorf("%d overflows and %d readings: this showed little", overflows, readings)
	}
}

// onLoopOf is onLoop for what may fail by a panic, as rapid does, which must come out on the
// test's own goroutine.
func onLoopOf(tb testing.TB, r *Reactor, f func()) {
	tb.Helper()
	var failed any
	onLoop(tb, r, func() {
		defer func() { failed = recover() }()
		f()
	})
	if failed != nil {
		panic(failed)
	}
}

func deleted(list []*Session, s *Session) (rest []*Session) {
	for _, other := range list {
		if other != s {
			rest = append(rest, other)
		}
	}
	return rest
}

// followed is a reactor whose memberships have been read once.
func followed(tb testing.TB, r *Reactor, limit int) (f *Follower, news chan struct{}) {
	tb.Helper()
	news = make(chan struct{}, 1)
	f = Follow(r, limit, news)
	f.Begin()
	_, read := f.Take()
	read()
	if c, read := f.Take(); c == nil || !c.Anew || read != nil {
		tb.Fatalf("the first reading is %+v", c)
	}
	<-news
	return f, news
}

// TestOutboxCoalesces: what was undone before the receiver looked is not in it, however
// often, and takes no room; a stranger to that is.
func TestOutboxCoalesces(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.sink()
		s := r.simulate(2, protocol.ModeBare)
		f, news := followed(t, r, 4)
		s[1].joinAs("stays")
		for range 1000 {
			s[0].joinAs("g")
			s[0].joinAs("h")
			r.turn()
			r.leaveAll(s[0])
		}
		r.turn()
		if n := len(r.outbox.ready.Load().List); n > 2*4 {
			t.Errorf("an outbox of 4 has %d entries", n)
		}
		c, _ := f.Take()
		want := Change{Membership{s[1].ID(), "stays", nil}, true, r.place}
		if len(c.List) != 1 || c.List[0] != want || c.Anew || f.Overflows != 0 {
			t.Errorf("%+v", c)
		}
		<-news
		s[0].joinAs("g")
		r.leaveAll(s[0])
		r.turn()
		if c, _ := f.Take(); c != nil || len(news) != 0 {
			t.Errorf("nothing is left, and the receiver gets %+v", c)
		}
	})
}

// TestOutboxOverflows: one more change than there is room for, and all is read anew; what
// waits stays small however much comes.
func TestOutboxOverflows(t *testing.T) {
	const limit = 10
	e := startSim(t, func(o *Options) { o.MaxGroupsPerSession = 1000 })
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.sink()
		s := r.simulate(1, protocol.ModeBare)[0]
		f, _ := followed(t, r, limit)
		for i := range limit {
			s.joinAs(fmt.Sprint(i))
		}
		r.turn()
		if c, read := f.Take(); len(c.List) != limit || read != nil || f.Overflows != 0 {
			t.Errorf("%d of %d changes came", len(c.List), limit)
		}
		for i := range limit + 1 {
			s.joinAs(fmt.Sprint("more", i))
		}
		s.joinAs("yet another")
		r.turn()
		if n := len(r.outbox.ready.Load().List); n != 0 {
			t.Errorf("%d changes are kept in vain", n)
		}
		c, read := f.Take()
		if c != nil || read == nil || f.Overflows != 1 {
			t.Fatalf("%+v, %d overflows", c, f.Overflows)
		}
		read()
		c, read = f.Take()
		if !c.Anew || len(c.List) != 2*limit+2 || read != nil {
			t.Errorf("read anew: %d memberships", len(c.List))
		}
	})
}

// TestReadingInParts: a reading of many sessions comes in parts of a few thousand
// memberships, and who comes and goes meanwhile is in its place.
func TestReadingInParts(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.sink()
		sessions := r.simulate(3*scanSlots, protocol.ModeBare)
		for _, s := range sessions {
			s.joinAs("all")
			s.joinAs(fmt.Sprint(s.slot % 100))
		}
		f := Follow(r, 1000, make(chan struct{}, 1))
		f.Begin()
		got := roster{}
		parts := 0
		for _, read := f.Take(); read != nil; parts++ {
			read()
			var c *Changes
			c, read = f.Take()
			if len(c.List) > partMemberships+10 {
				t.Fatalf("%d memberships in one part", len(c.List))
			}
			got.replay(c)
			r.leaveAll(sessions[parts])                      // read already
			r.leaveAll(sessions[len(sessions)-1-parts])      // not yet
			sessions[parts+10].joinAs("new")                 // read already
			sessions[len(sessions)-20-parts].joinAs("newer") // not yet
		}
		r.turn()
		c, _ := f.Take()
		got.replay(c)
		if want := r.truth(); !maps.Equal(got, want) || parts < 6 {
			t.Errorf("%d memberships were read in %d parts, want %d", len(got), parts, len(want))
		}
	})
}

// TestOverflowDuringAReading: what is dropped while a part is on its way has the reading
// begin anew once that part has come.
func TestOverflowDuringAReading(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.sink()
		sessions := r.simulate(3, protocol.ModeBare)
		for _, s := range sessions {
			s.joinAs("g")
		}
		f := Follow(r, 1, make(chan struct{}, 1))
		f.outbox.perPart = 1
		f.Begin()
		got := roster{}
		take := func() (read func()) {
			c, read := f.Take()
			got.replay(c)
			return read
		}
		take()()
		second := take()
		sessions[0].joinAs("h") // in the part that has come
		sessions[0].joinAs("i")
		r.turn()
		if read := take(); read != nil || f.Overflows != 1 {
			t.Errorf("%d overflows, and another part is asked for: %v", f.Overflows, read != nil)
		}
		for read := second; read != nil; read = take() {
			read()
		}
		if want := r.truth(); !maps.Equal(got, want) {
			t.Errorf("read %v, want %v", got, want)
		}
	})
}

// TestOutboxBeforeTheBarrier: what came before a drain has left before its barrier does.
func TestOutboxBeforeTheBarrier(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.sink()
		f, news := followed(t, r, 10)
		r.simulate(1, protocol.ModeBare)[0].joinAs("g")
		if c, _ := f.Take(); c != nil || len(news) != 0 {
			t.Errorf("%+v came in the middle of a turn", c)
		}
		// Whatever the ring does with it, it is behind.
		taken := r.port.Stats().IngressLen
		r.StartDrain()
		if c, _ := f.Take(); c == nil || len(c.List) != 1 || len(news) != 1 {
			t.Errorf("%+v came in front of the barrier (%d items are behind it)", c, taken)
		}
	})
}

// TestOutboxBringsATurn: nothing else need happen for a change to leave; and once nobody
// follows, none is kept.
func TestOutboxBringsATurn(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	var f *Follower
	var news chan struct{}
	onLoop(t, r, func() { r.sink(); f, news = followed(t, r, 10) })
	onLoop(t, r, func() { r.simulate(1, protocol.ModeBare)[0].joinAs("g") })
	waitFor(t, "news", func() bool { return len(news) > 0 })
	if c, _ := f.Take(); c == nil || len(c.List) != 1 {
		t.Errorf("%+v", c)
	}
	onLoop(t, r, func() {
		other := Follow(r, 10, news)
		other.Begin()
		f.End() // of the one before: nothing
		if r.outbox != other.outbox {
			t.Error("who followed before ended the one who came after")
		}
		other.End()
		r.simulate(1, protocol.ModeBare)[0].joinAs("g")
		if r.outbox != nil || other.outbox.filling != nil {
			t.Error("changes are kept for nobody")
		}
	})
}
