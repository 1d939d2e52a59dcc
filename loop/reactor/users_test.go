package reactor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"pgregory.net/rapid"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// forUsers is a publication to groups and users, as an engine makes it.
func forUsers(text string, groups, users []string, exclude ...order.SessionID) *order.Message {
	m := order.NewUsersMessage([]byte(text), true)
	if len(groups) > 0 {
		m = textMessage(groups[0], text)
	}
	m.Outside = &order.Outside{Users: users, Exclude: exclude}
	for _, group := range groups[min(1, len(groups)):] {
		m.AddGroup(group)
	}
	if len(groups) > 0 && len(users) > 0 {
		m.AddUsers()
	}
	return m
}

// isUser makes s, which is simulated, one of the user's sessions; "" is nobody's.
func (s *Session) isUser(user string) {
	if user != "" {
		s.who = &Identity{User: user}
	}
	s.r.enterUser(s)
}

// publishHere has m in the loop's egress ring when it returns. On the loop.
func (e *sim) publishHere(tb rapid.TB, m *order.Message) {
	if _, err := e.broker.Publish(context.Background(), m); err != nil {
		tb.Fatal(err)
	}
}

// A session gets a publication once as its user's, in its own mode's form; if it is a member of
// a group of the publication's, it gets it as such. The anonymous are nobody's.
func TestUsersMessage(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		written := r.record(0)
		defer func() { r.doomed = nil }() // they have no connections to close
		bare, envelope := r.simulate(4, protocol.ModeBare), r.simulate(2, protocol.ModeEnvelope)
		for i, s := range bare {
			s.isUser([]string{"7", "7", "8", ""}[i])
		}
		envelope[0].isUser("7")
		envelope[1].isUser("7")
		envelope[1].joinAs("room")
		bare[3].joinAs("room")
		e.publishHere(t, forUsers(`a"`, nil, []string{"7", "nobody"}))
		e.publishHere(t, forUsers("b", []string{"room", "empty"}, []string{"7", "8"}, bare[1].ID()))
		r.turn()
		for i, c := range []struct {
			s    *Session
			want []string
		}{
			{bare[0], []string{`a"`, "b"}},
			{bare[1], []string{`a"`}},
			{bare[2], []string{"b"}},
			{bare[3], []string{"b"}},
			{envelope[0], []string{`{"type":"user_message","message":"a\""}`, `{"type":"user_message","message":"b"}`}},
			{envelope[1], []string{
				`{"type":"user_message","message":"a\""}`,
				`{"type":"message","group_id":"room","message":"b"}`,
			}},
		} {
			if got := texts(t, written[c.s.fd]); !slices.Equal(got, c.want) {
				t.Errorf("%d got %q, want %q", i, got, c.want)
			}
		}
		if n := r.stats.UserDeliveries; n != 4+3 {
			t.Errorf("counted %d deliveries to users", n)
		}
		if len(r.named) != 0 || len(r.groups.byName) != 1 || r.groups.memberships != 2 || r.Snapshot().Users != 2 {
			t.Errorf("owed %d; %d groups, %d memberships, %d users",
				len(r.named), len(r.groups.byName), r.groups.memberships, len(r.users.byName))
		}
		for _, s := range slices.Concat(bare, envelope) {
			r.doom(s)
		}
		if len(r.users.byName) != 0 {
			t.Errorf("users without sessions: %v", r.users.byName)
		}
	})
}

// A closing session is its user's no more, and one that renews is at once the other's.
func TestUsersComeAndGo(t *testing.T) {
	e := startSim(t, nil)
	r := e.reactors[0]
	onLoop(t, r, func() {
		written := r.record(0)
		list := r.simulate(2, protocol.ModeBare)
		for _, s := range list {
			s.isUser("7")
		}
		say := func(user string) {
			e.publishHere(t, forUsers("to "+user, nil, []string{user}))
			r.turn()
		}
		say("7")
		if err := r.Identify(list[0].ID(), &Identity{User: "8"}); err != nil {
			t.Fatal(err)
		}
		say("7")
		say("8")
		if err := r.Identify(list[0].ID(), nil); err != nil {
			t.Fatal(err)
		}
		say("8")
		if err := r.Authenticated(list[0].ID(), nil, &Identity{User: "9"}, nil); err != nil {
			t.Fatal(err)
		}
		say("9")
		if err := r.Kick(list[1].ID(), ws.StatusNormalClosure, ""); err != nil {
			t.Fatal(err)
		}
		say("7")
		if got := texts(t, written[list[0].fd]); !slices.Equal(got, []string{"to 7", "to 8", "to 9"}) {
			t.Errorf("the first got %q", got)
		}
		got := texts(t, written[list[1].fd])
		if !slices.Equal(got[:2], []string{"to 7", "to 7"}) || len(r.users.byName) != 1 {
			t.Errorf("the second got %q; users %v", got, r.users.byName)
		}
	})
}

// Nothing more is queued for a session once its end has begun, be it in the middle of a publication.
func TestUsersOfClosingSessions(t *testing.T) {
	e := startSim(t, func(o *Options) { o.BatchMessages = 1 })
	r := e.reactors[0]
	onLoop(t, r, func() {
		r.sink()
		list := r.simulate(2, protocol.ModeBare)
		for _, s := range list {
			s.isUser("7")
		}
		r.startClosing(list[0])
		if !slices.Equal(r.users.byName["7"], list[1:]) {
			t.Errorf("one that is closing is still its user's: %v", r.users.byName)
		}
		e.publishHere(t, forUsers("x", []string{"empty"}, []string{"7"}))
		r.takeBatch()
		if len(r.named) != 1 {
			t.Fatalf("owed to %d sessions, want 1", len(r.named))
		}
		r.startClosing(list[1])
		r.takeBatch()
		if list[0].next != nil || list[1].next != nil || r.stats.UserDeliveries != 0 {
			t.Errorf("a closing session is sent a message; %d deliveries", r.stats.UserDeliveries)
		}
	})
}

// TestUsersModel: whatever comes and goes, also between the messages of one publication, each
// session gets it as a member of the groups in which it is when their messages come, or else
// once, if it was its user's when the first one came and still is.
func TestUsersModel(t *testing.T) {
	e := startSim(t, func(o *Options) { o.BatchMessages = 1 })
	r := e.reactors[0]
	apart := 0 // operations in the middle of a publication
	rapid.Check(t, func(rt *rapid.T) {
		onLoopOf(t, r, func() {
			written := r.record(0)
			defer func() { r.doomed = nil }()
			names := []string{"", "7", "8", "9"}
			list := r.simulate(6, protocol.ModeBare)
			list = append(list, r.simulate(2, protocol.ModeEnvelope)...)
			got := make([]int, len(list))
			for _, s := range list {
				s.isUser(rapid.SampledFrom(names).Draw(rt, "user"))
			}
			some := func() int { return rapid.IntRange(0, len(list)-1).Draw(rt, "session") }
			group := func() string { return fmt.Sprint(rapid.IntRange(0, 2).Draw(rt, "group")) }
			in := func(s *Session, name string) bool {
				g := r.groups.find(name)
				return g != nil && s.membershipOf(g) >= 0
			}
			operate := func() {
				s := list[some()]
				switch rapid.IntRange(0, 4).Draw(rt, "operation") {
				case 0, 1:
					_, _ = r.Join(s.ID(), group())
				case 2:
					_ = r.Leave(s.ID(), group())
				case 3:
					var who *Identity
					if user := rapid.SampledFrom(names).Draw(rt, "user"); user != "" {
						who = &Identity{User: user}
					}
					_ = r.Identify(s.ID(), who)
				case 4:
					if rapid.IntRange(0, 9).Draw(rt, "ends") == 0 {
						_ = r.Kick(s.ID(), ws.StatusNormalClosure, "")
					}
				}
			}
			want := make([]int, len(list))
			for range 20 {
				for range rapid.IntRange(0, 4).Draw(rt, "operations") {
					operate()
				}
				var groups []string
				for range rapid.IntRange(0, 3).Draw(rt, "groups") {
					groups = append(groups, group())
				}
				least := 1
				if len(groups) > 0 {
					least = 0
				}
				users := rapid.SliceOfNDistinct(rapid.SampledFrom(names[1:]), least, 3, rapid.ID).Draw(rt, "users")
				excluded := some()
				e.publishHere(rt, forUsers("x", groups, users, list[excluded].ID()))
				owed := map[int]string{}
				for i, s := range list {
					if s.who != nil && s.state == stateOpen && slices.Contains(users, s.who.User) && i != excluded {
						owed[i] = s.who.User
					}
				}
				for _, name := range groups {
					for i, s := range list {
						if in(s, name) && i != excluded {
							want[i]++
							delete(owed, i)
						}
					}
					r.takeBatch()
					r.flushAll()
					if rapid.Bool().Draw(rt, "in between") {
						apart++
						operate()
					}
				}
				if len(users) > 0 {
					for i, user := range owed {
						if s := list[i]; s.state == stateOpen && s.who != nil && s.who.User == user {
							want[i]++
						}
					}
					r.takeBatch()
					r.flushAll()
				}
			}
			for i, s := range list {
				for _, text := range texts(t, written[s.fd]) {
					if strings.Contains(text, "x") {
						got[i]++
					}
				}
			}
			if !slices.Equal(got, want) {
				rt.Fatalf("got %v, want %v", got, want)
			}
			for _, s := range list {
				r.doom(s)
				r.wheel.cancel(s)
			}
			if len(r.users.byName) != 0 {
				rt.Fatalf("users without sessions: %v", r.users.byName)
			}
		})
	})
	if apart < 100 {
		t.Errorf("%d operations in the middle of a publication: this showed little", apart)
	}
}

// TestUsersAllocateNothing: delivering to users allocates nothing, alone and beside groups, nor
// does a publication to a group because there are users.
func TestUsersAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	e := startSim(t, nil)
	r := e.reactors[0]
	batch := []*order.Message{}
	onLoop(t, r, func() {
		r.sink()
		for mode := range 2 {
			for i, s := range r.simulate(64, protocol.Mode(mode)) {
				s.isUser(fmt.Sprint(i % 32))
				s.joinAs("hot")
			}
		}
		for i := range 16 {
			users := []string{fmt.Sprint(i), fmt.Sprint(i + 1)}
			batch = append(batch, forUsers("a message", nil, users), textMessage("hot", "x"))
		}
	})
	if n := allocs(t, r, func() { r.inject(batch...); r.deliverAll() }); n != 0 {
		t.Errorf("%v allocations a batch of %d messages, want 0", n, len(batch))
	}
}
