package reactor

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"groupcast/loop/order"
	"groupcast/loop/pattern"
	"groupcast/protocol"
)

func mustParse(tb testing.TB, list ...string) pattern.Set {
	tb.Helper()
	s, err := pattern.Parse(list, "")
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func identityOf(tb testing.TB, user string, join, publish []string, groups ...string) *Identity {
	tb.Helper()
	return &Identity{User: user, Grants: &Grants{
		Join: mustParse(tb, join...).With(groups), Publish: mustParse(tb, publish...), Groups: groups,
	}}
}

func (s *Session) groupNames() (names []string) {
	for i := range s.groupCount() {
		names = append(names, s.membership(i).g.name)
	}
	slices.Sort(names)
	return names
}

// proxied gives s an address, which simulated sessions do not have.
func (s *Session) proxied() {
	s.set(flagProxied)
	s.r.remotes[s] = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}
}

// lastAnswer is what s was told last. On the loop.
func lastAnswer(tb testing.TB, r *Reactor, written map[int32][]byte, s *Session) string {
	tb.Helper()
	r.flushBehind(s)
	r.settle()
	if all := texts(tb, written[s.fd]); len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// What is not granted is refused, and nothing comes of it.
func TestGrants(t *testing.T) {
	anonymous := &Grants{Join: mustParse(t, "open:*"), Publish: mustParse(t)}
	e := startSim(t, func(o *Options) { o.Anonymous = anonymous })
	r := e.reactors[0]
	onLoop(t, r, func() {
		written := r.record(0)
		list := r.simulate(3, protocol.ModeBare)
		list[1].who = identityOf(t, "7", []string{"room:*"}, []string{"room:1"})
		list[2].who = &Identity{User: "root"} // grants nothing in particular: everything
		for i, c := range []struct {
			s       *Session
			command string
			allowed bool
		}{
			{list[0], `{"cmd":"add_group","group_id":"open:1","req_id":1}`, true},
			{list[0], `{"cmd":"add_group","group_id":"room:1","req_id":1}`, false},
			{list[0], `{"cmd":"send_to_group","group_id":"open:1","message":"x","req_id":1}`, false},
			{list[1], `{"cmd":"add_group","group_id":"room:5","req_id":1}`, true},
			{list[1], `{"cmd":"add_group","group_id":"open:1","req_id":1}`, false},
			{list[1], `{"cmd":"leave_group","group_id":"open:1","req_id":1}`, true},
			{list[1], `{"cmd":"send_to_group","group_id":"room:5","message":"x","req_id":1}`, false},
			{list[2], `{"cmd":"add_group","group_id":"whatever","req_id":1}`, true},
		} {
			published, groups := r.stats.Published, c.s.groupCount()
			r.execCommand(c.s, []byte(c.command), false)
			got := lastAnswer(t, r, written, c.s)
			if c.allowed && got != ackOf("1") || !c.allowed && !strings.Contains(got, `"req_id":1,"code":"not_allowed"`) {
				t.Errorf("%d: %s: %s", i, c.command, got)
			}
			if !c.allowed && (r.stats.Published != published || c.s.groupCount() != groups) {
				t.Errorf("%d: %s had an effect", i, c.command)
			}
		}
		if n := r.stats.Errors.Of(protocol.CodeNotAllowed); n != 4 {
			t.Errorf("counted %d", n)
		}
		published := r.stats.Published
		r.execCommand(list[1], []byte(`{"cmd":"send_to_group","group_id":"room:1","message":"x"}`), false)
		r.execCommand(list[2], []byte(`{"cmd":"send_to_group","group_id":"x","message":"x"}`), false)
		if r.stats.Published != published+2 {
			t.Error("what is granted is not published")
		}
	})
}

// The anonymous leave what is granted them no more, however many they are; others stay, and
// so does who was put into a group by a backend.
func TestNarrow(t *testing.T) {
	e := startSim(t, func(o *Options) { o.Anonymous = &Grants{Join: mustParse(t, "open:*", "room:*")} })
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.sink()
		list := r.simulate(scanSlots+1, protocol.ModeBare)
		first, known, last := list[0], list[1], list[scanSlots]
		known.who = identityOf(t, "7", []string{"*"}, nil)
		for _, s := range []*Session{first, known, last} {
			for _, group := range []string{"room:1", "open:1", "room:2"} {
				s.joinAs(group)
			}
		}
		if _, err := r.Join(last.ID(), "secret"); err != nil {
			t.Fatal(err)
		}
		was, next := r.opt.Anonymous, 0
		narrow := func(now *Grants) {
			t.Helper()
			o := *r.opt
			o.Anonymous = now
			r.Reconfigure(&o)
			steps := 1
			for next = 0; r.Narrow(was, &next); steps++ {
			}
			if steps != 2 && now != nil {
				t.Errorf("done in %d steps", steps)
			}
			was = now
		}
		check := func(s *Session, want ...string) {
			t.Helper()
			if got := s.groupNames(); !slices.Equal(got, want) {
				t.Errorf("in %q, want %q", got, want)
			}
		}
		narrow(&Grants{Join: mustParse(t, "open:*", "room:2")})
		check(first, "open:1", "room:2")
		check(last, "open:1", "room:2", "secret")
		narrow(nil)
		check(last, "open:1", "room:2", "secret")
		narrow(&Grants{Join: mustParse(t, "o*")}) // what everything was granted to
		check(first, "open:1")
		check(last, "open:1")
		check(known, "open:1", "room:1", "room:2")
		if n := r.groups.find("room:1").size(); n != 1 {
			t.Errorf("the group has %d members", n)
		}
	})
}

// A join that waits behind a send is judged when it is carried out.
func TestGrantsBehindASend(t *testing.T) {
	r := startSim(t, nil).reactors[0]
	onLoop(t, r, func() {
		written := r.record(0)
		s := r.simulate(1, protocol.ModeBare)[0]
		s.who = identityOf(t, "7", []string{"a"}, []string{"*"})
		own := func(group string) *order.Message {
			return order.NewOwn(s.ID(), order.ActJoin, []byte(group), []byte("1"))
		}
		r.carryOut(own("a"))
		s.who = identityOf(t, "7", []string{"c"}, nil)
		r.carryOut(own("b"))
		if got := lastAnswer(t, r, written, s); !slices.Equal(s.groupNames(), []string{"a"}) ||
			!strings.Contains(got, "not_allowed") {
			t.Errorf("in %q, told %s", s.groupNames(), got)
		}
	})
}

// Renewal: a smaller grant leaves groups, a larger one is put into others.
func TestAuthenticated(t *testing.T) {
	e := startSim(t, func(o *Options) { o.MaxConnsPerUser, o.MaxGroupsPerSession = 2, 3 })
	r := e.reactors[0]
	onLoop(t, r, func() {
		written := r.record(0)
		list := r.simulate(4, protocol.ModeEnvelope)
		s := list[0]
		for _, one := range list[:2] {
			one.who = identityOf(t, "7", []string{"*"}, nil)
			if !r.shared.EnterUser(one.who) {
				t.Fatal("no place")
			}
		}
		for _, group := range []string{"a", "b", "c"} {
			s.joinAs(group)
		}
		answer := func(s *Session, who *Identity) string {
			if err := r.Authenticated(s.ID(), []byte("1"), who, nil); err != nil {
				t.Fatal(err)
			}
			return lastAnswer(t, r, written, s)
		}
		const ack = `{"type":"ack","req_id":1}`
		if got := answer(s, identityOf(t, "7", []string{"b*"}, nil, "own")); got != ack ||
			!slices.Equal(s.groupNames(), []string{"b", "own"}) {
			t.Errorf("in %q, told %s", s.groupNames(), got)
		}
		if r.stats.Memberships != 0 && r.groups.find("a") != nil {
			t.Error("a group that was left is still there")
		}
		got := answer(s, identityOf(t, "8", []string{"*"}, nil))
		if !strings.Contains(got, "not_allowed") || s.who.User != "7" {
			t.Errorf("another user's token: %s, is %v", got, s.who)
		}
		// The anonymous become somebody, within the limit of that user.
		if got := answer(list[2], identityOf(t, "7", nil, nil)); !strings.Contains(got, "overloaded") || list[2].who != nil {
			t.Errorf("a third connection: %s", got)
		}
		if got := answer(list[2], identityOf(t, "9", nil, nil)); got != ack || list[2].who.User != "9" {
			t.Errorf("told %s", got)
		}
		// More groups than there may be: told, and the rest goes on.
		got = answer(list[3], identityOf(t, "9", nil, nil, "1", "2", "3", "4"))
		all := texts(t, written[list[3].fd])
		const tooMany = `"code":"too_many_groups","reason":"number 4 of the token's groups: `
		if got != ack || list[3].groupCount() != 3 || !strings.Contains(all[0], tooMany) {
			t.Errorf("in %q, told %q", list[3].groupNames(), all)
		}
		refused := &protocol.CommandError{Code: "not_allowed", Reason: "no"}
		if err := r.Authenticated(s.ID(), []byte("2"), nil, refused); err != nil {
			t.Fatal(err)
		}
		if got := lastAnswer(t, r, written, s); !strings.Contains(got, `"req_id":2,"code":"not_allowed","reason":"no"`) {
			t.Errorf("told %s", got)
		}
		for _, one := range list {
			one.proxied()
			r.bury(one)
		}
		if n := r.shared.Users.Keys(); n != 0 {
			t.Errorf("%d users have places", n)
		}
		if err := r.Authenticated(s.ID(), nil, nil, nil); !errors.Is(err, ErrNoSession) {
			t.Error(err)
		}
	})
}

func TestAuthCommand(t *testing.T) {
	var asked []AuthRequest
	room := true
	e := startSim(t, func(o *Options) {
		o.Authenticate = func(q AuthRequest) bool {
			asked = append(asked, q)
			return room
		}
	})
	r := e.reactors[0]
	onLoop(t, r, func() {
		written := r.record(0)
		s := r.simulate(1, protocol.ModeBare)[0]
		s.proxied()
		payload := []byte(`{"cmd":"auth","token":"a.b.c","req_id":7}`)
		r.execCommand(s, payload, false)
		clear(payload)
		if len(asked) != 1 || asked[0].Token != "a.b.c" || string(asked[0].ReqID) != "7" || asked[0].Session != s.ID() {
			t.Errorf("asked %+v", asked)
		}
		if got := lastAnswer(t, r, written, s); got != "" {
			t.Errorf("answered at once: %s", got)
		}
		room = false
		r.execCommand(s, []byte(`{"cmd":"auth","token":"x"}`), false)
		if got := lastAnswer(t, r, written, s); !strings.Contains(got, "overloaded") {
			t.Errorf("told %s", got)
		}
		without := *r.opt
		without.Authenticate = nil
		r.opt = &without
		r.execCommand(s, []byte(`{"cmd":"auth","token":"x"}`), false)
		if got := lastAnswer(t, r, written, s); !strings.Contains(got, "not_allowed") {
			t.Errorf("told %s", got)
		}
	})
}

// Sessions whose identities are over in one second are warned and closed over several, none
// too early, and pinged as ever meanwhile.
func TestExpiry(t *testing.T) {
	const n = 5000
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		base := time.Unix(1_800_000_000, 0)
		began := r.wheel.now
		now := func() time.Duration { return time.Duration(r.wheel.now-began) * r.every }
		r.wall = func() time.Time { return base.Add(now()) }
		r.sink()
		const life = 10 * time.Minute
		who := identityOf(t, "7", []string{"*"}, nil)
		who.Expires = base.Add(life).Unix()
		bare := n / 10
		list := append(r.simulate(bare, protocol.ModeBare), r.simulate(n-bare, protocol.ModeEnvelope)...)
		for _, s := range list {
			s.who = who
			r.scheduleOpen(s, r.wheel.now+r.ticks(r.opt.PingAfter))
		}
		renewed := list[n-1]
		warned, closed := map[time.Duration]uint64{}, map[time.Duration]uint64{}
		for now() < life+ExpiryGrace+2*expirySpread {
			w, c := r.stats.ExpiryWarned, r.stats.Expired
			r.wheel.advance(r.expire)
			for _, s := range list { // they answer their pings
				if s.state == stateOpen && s.is(flagPinged) {
					s.lastSeen = r.wheel.now
					r.spoke(s)
				}
			}
			if renewed.is(flagWarned) && renewed.who == who {
				again := *who
				again.Expires += 3600
				if err := r.become(renewed, &again); err != nil {
					t.Error(err)
				}
			}
			second := now().Truncate(time.Second)
			warned[second] += r.stats.ExpiryWarned - w
			closed[second] += r.stats.Expired - c
			r.flushAll()
		}
		check := func(what string, at map[time.Duration]uint64, from, to time.Duration, want uint64) {
			var sum, seconds uint64
			for second, k := range at {
				if k == 0 {
					continue
				}
				sum += k
				seconds++
				if second < from || second > to || k > want/3 {
					t.Errorf("%s: %d at %v", what, k, second)
				}
			}
			if sum != want || seconds < 4 {
				t.Errorf("%s: %d of %d in %d seconds", what, sum, want, seconds)
			}
		}
		check("warned", warned, life-warnBefore-expirySpread, life-warnBefore+time.Second, uint64(n-bare))
		check("closed", closed, life+ExpiryGrace, life+ExpiryGrace+expirySpread+time.Second, n-1)
		if renewed.state != stateOpen {
			t.Error("the one that was renewed is closed")
		}
		// Pings at their time: all of them, as often as without an end.
		if each := r.stats.Pings / n; each < 10 || each > 11 {
			t.Errorf("%d pings each in %v", each, now())
		}
		if len(r.later) > 1 {
			t.Errorf("%d are looked at later", len(r.later))
		}
	})
}

// A silent session is closed as silent at its time, whatever its identity is looked at for.
func TestExpiryAndSilence(t *testing.T) {
	for _, life := range []time.Duration{20 * time.Second, 90 * time.Second, 120 * time.Second, time.Hour} {
		r := startSim(t, nil).reactors[0]
		onLoop(t, r, func() {
			base, began := time.Unix(1_800_000_000, 0), r.wheel.now
			now := func() time.Duration { return time.Duration(r.wheel.now-began) * r.every }
			r.wall = func() time.Time { return base.Add(now()) }
			r.sink()
			s := r.simulate(1, protocol.ModeEnvelope)[0]
			s.who = &Identity{User: "7", Expires: base.Add(life).Unix()}
			r.scheduleOpen(s, r.wheel.now+r.ticks(r.opt.PingAfter))
			for s.state == stateOpen {
				r.wheel.advance(r.expire)
				r.flushAll()
			}
			silent, over := r.opt.CloseAfter, life+ExpiryGrace
			want, counted := silent, r.stats.IdleClosed
			if over < silent {
				want, counted = over, r.stats.Expired
			}
			if got := now(); got < want || got > want+expirySpread+2*time.Second || counted != 1 {
				t.Errorf("life %v: closed at %v, want %v: %+v", life, got, want, counted)
			}
		})
	}
}
