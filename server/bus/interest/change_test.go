package interest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"groupcast/loop"
)

// steps is a table whose clock the test moves.
type steps struct {
	*table
	t *testing.T
}

func (s *steps) members(joined bool, groups ...string) {
	u := loop.MembersUpdate{}
	for _, group := range groups {
		c := loop.MemberChange{Joined: joined}
		c.Group = group
		u.Changes = append(u.Changes, c)
	}
	s.update(u)
}

// pass lets time pass.
func (s *steps) pass(d time.Duration) {
	s.at(s.now.Add(d))
	s.advance()
}

// hands over what is ready, which must be this.
func (s *steps) hands(want Batch) {
	s.t.Helper()
	b, ready := s.batch()
	if got, wants := fmt.Sprintf("%+v", b), fmt.Sprintf("%+v", want); got != wants || ready == want.isEmpty() {
		s.t.Fatalf("ready %v\ngot  %s\nwant %s", ready, got, wants)
	}
	s.handed(&b)
}

// TestChangesOfTheWildcard goes over to the wildcard, and back while groups keep coming, step by step: what is
// announced, what has a marker behind it, and when the wildcard may be left.
func TestChangesOfTheWildcard(t *testing.T) {
	const pace = 100 * time.Millisecond
	o := DefaultOptions(1)
	o.Subjects, o.Linger, o.NarrowAfter = 5, 0, time.Minute
	o.Pace = func() time.Duration { return pace }
	s := &steps{newTable(o, time.Unix(1, 0)), t}
	s.batchGroups = 1
	s.isUp()
	s.members(true, "a", "b", "c", "d", "e", "f")
	s.hands(Batch{Switching: true, WildcardOn: true, Marker: 1})
	s.marked(1, true)
	s.hands(Batch{}) // another marker would come too soon
	s.pass(pace)
	s.hands(Batch{Switched: true, Marker: 2})
	s.marked(2, true)
	if got := s.stats(); got.Wildcard != 1 || got.Switches != 1 || got.Overflows != 1 || got.Subjects != 0 {
		t.Errorf("%+v", got)
	}
	s.members(false, "c", "d", "e", "f")
	s.pass(0)
	asked := s.takeUncover()
	slices.Sort(asked)
	if !slices.Equal(asked, []string{"c", "d", "e", "f"}) {
		t.Fatalf("asked about %q", asked)
	}
	s.uncovered(nil, nil)
	s.pass(0) // there are few groups from here on
	s.pass(time.Minute - 1)
	s.hands(Batch{})
	s.pass(1)
	s.hands(Batch{Switching: true, Subscribe: []string{"a"}, Marker: 3})
	s.members(true, "g")
	s.hands(Batch{Subscribe: []string{"b"}})
	s.members(true, "h") // comes too late for the change to wait for it
	s.hands(Batch{Subscribe: []string{"g"}})
	s.hands(Batch{Subscribe: []string{"h"}})
	s.hands(Batch{})
	s.marked(3, true) // the first SUB's: b is not known yet
	s.pass(pace)
	s.hands(Batch{Marker: 4})
	s.members(true, "i")
	s.hands(Batch{Subscribe: []string{"i"}})
	s.marked(4, true) // b's, and the change ends although i is not known
	s.hands(Batch{})
	s.pass(pace)
	s.hands(Batch{WildcardOff: true, Switched: true, Marker: 5})
	s.marked(5, true)
	s.pass(pace)
	s.hands(Batch{})
	if got := s.stats(); got.Wildcard != 0 || got.Switches != 2 || got.Subjects != 5 || got.Waiting != 0 {
		t.Errorf("%+v", got)
	}
}

// TestReusedIsCounted: a group that has a member after all when its subscription was to end.
func TestReusedIsCounted(t *testing.T) {
	o := DefaultOptions(1)
	o.Linger = 0
	s := &steps{newTable(o, time.Unix(1, 0)), t}
	s.isUp()
	s.members(true, "a", "b")
	s.hands(Batch{Subscribe: []string{"a", "b"}, Marker: 1})
	s.marked(1, true)
	s.members(false, "a", "b")
	s.pass(0)
	if asked := s.takeUncover(); len(asked) != 2 {
		t.Fatalf("asked about %q", asked)
	}
	s.uncovered([]string{"a"}, nil)
	s.hands(Batch{Unsubscribe: []string{"b"}})
	if got := s.stats(); got.Reused != 1 || got.Groups != 1 || got.Lingering != 1 {
		t.Errorf("%+v", got)
	}
	s.pass(AskAgainWait)
	if asked := s.takeUncover(); len(asked) != 1 {
		t.Fatalf("asked about %q", asked)
	}
	s.uncovered(nil, errors.New("busy")) // nothing is known: it stays
	if got := s.stats(); got.Reused != 2 || got.Groups != 1 || got.Lingering != 1 {
		t.Errorf("%+v", got)
	}
}

// TestCount counts members by group, and ends with its caller where nobody answers.
func TestCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		b.change(true, "a", "b")
		got, err := b.Count(t.Context(), []string{"b", "x", "a"})
		if err != nil || !slices.Equal(got, []int{1, 0, 1}) {
			t.Errorf("got %v, %v", got, err)
		}
		idle, err := New(b.loops, nil, DefaultOptions(1))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got, err := idle.Count(ctx, []string{"a"}); !errors.Is(err, context.Canceled) || got != nil {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

// TestCallErrorsAreCounted: those of the loops, and not that the interest ends.
func TestCallErrorsAreCounted(t *testing.T) {
	o := DefaultOptions(1)
	i, err := New(nil, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	i.note(nil, "nothing")
	i.note(context.Canceled, "the end")
	i.note(errors.New("busy"), "busy")
	i.note(context.DeadlineExceeded, "late")
	i.note(errors.New("busy"), "still busy")
	i.keepStats(newTable(o, time.Now()))
	if got := i.Stats().CallErrors; got != 3 {
		t.Errorf("%d errors", got)
	}
}

// TestMailbox: later news make earlier ones void, before they are read.
func TestMailbox(t *testing.T) {
	i := &Interest{box: mailbox{news: make(chan struct{}, 1)}}
	for _, c := range []struct {
		what     string
		put      func()
		marker   uint64
		whole    bool
		down, up bool
	}{
		{"nothing", func() {}, 0, false, false, false},
		{"a later marker", func() { i.Marked(4, false); i.Marked(5, true) }, 5, true, false, false},
		{"an earlier marker", func() { i.Marked(5, true); i.Marked(4, false) }, 5, true, false, false},
		{"a marker again", func() { i.Marked(5, false); i.Marked(5, true) }, 5, true, false, false},
		{"a marker of before", func() { i.Down(); i.Marked(5, true) }, 0, false, true, false},
		{"before that too", func() { i.Marked(5, true); i.Down() }, 0, false, true, false},
		{"down and up", func() { i.Down(); i.Up() }, 0, false, true, true},
		{"up and down", func() { i.Up(); i.Down() }, 0, false, true, false},
	} {
		c.put()
		m := i.box.take()
		if m.marker != c.marker || m.marker != 0 && m.whole != c.whole || m.down != c.down || m.up != c.up {
			t.Errorf("%s: %+v", c.what, m)
		}
		if again := i.box.take(); again.marker != 0 || again.down || again.up {
			t.Errorf("%s: taken twice: %+v", c.what, again)
		}
	}
}
