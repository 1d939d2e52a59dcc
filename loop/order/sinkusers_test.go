package order

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// publication is one for groups and users, as an engine makes it.
func publication(payload string, groups, users []string) *Message {
	m := NewUsersMessage([]byte(payload), true)
	if len(groups) > 0 {
		m = NewMessage([]byte(groups[0]), []byte(payload), nil, true)
	}
	m.Outside = &Outside{Users: users}
	return m
}

// whole adds its further messages.
func whole(m *Message, groups []string) *Message {
	for _, group := range groups[min(1, len(groups)):] {
		m.AddGroup(group)
	}
	if len(groups) > 0 && len(m.Outside.Users) > 0 {
		m.AddUsers()
	}
	return m
}

func (o *order) submit(m *Message) {
	o.tb.Helper()
	if _, err := o.broker.Publish(context.Background(), m); err != nil {
		o.tb.Fatal(err)
	}
}

// rest is what a sink that is closed has queued.
func rest(tb testing.TB, s *Sink) (list []SinkMessage) {
	tb.Helper()
	s.Close()
	for {
		m, err := s.Next(context.Background())
		switch {
		case err == nil:
			list = append(list, m)
		case errors.Is(err, ErrSinkClosed):
			return list
		case !errors.Is(err, ErrSinkMissed):
			tb.Fatal(err)
		}
	}
}

// TestSinkUsers: a sink that asks for it gets a publication to users as one message, behind
// those to its groups, and with all of both; one that does not gets what it always did.
func TestSinkUsers(t *testing.T) {
	o := startOrder(t, 2, 16, 1<<20)
	options := SinkOptions{Name: "test", MaxMessages: 20, MaxBytes: 1 << 20, SkipOwn: true}
	plain := o.broker.NewSink(options)
	options.Users = true
	asks := o.broker.NewSink(options)
	other := o.broker.NewSink(options)

	left := NewSessionID(0, 3, 4)
	groups, users := []string{"b", "a", "b"}, []string{"7", "8"}
	for i, m := range []*Message{
		publication("one group", groups[:1], nil),
		publication("both", groups, users),
		publication("users", nil, users[:1]),
		publication("own", groups, users),
	} {
		m.Outside.Exclude, m.Outside.ExcludeElsewhere = []SessionID{left}, []string{"other.01234567.0-1f-3"}
		m.Outside.Tag = i
		if i == 3 {
			m.Outside.From = asks
		}
		o.submit(whole(m, [][]string{groups[:1], groups, nil, groups}[i]))
	}
	for _, c := range []struct {
		sink *Sink
		want string
	}{
		{plain, "1 b [] []; 2 b + [] []; 3 a + [] []; 4 b + [] []; 7 b + [] []; 8 a + [] []; 9 b + [] []"},
		{asks, "1 b [] []; 2 b + [] []; 3 a + [] []; 4 b + [] []; 5  [7 8] [b a b]; 6  [7] []"},
		{other, "1 b [] []; 2 b + [] []; 3 a + [] []; 4 b + [] []; 5  [7 8] [b a b]; 6  [7] []; " +
			"7 b + [] []; 8 a + [] []; 9 b + [] []; 10  [7 8] [b a b]"},
	} {
		var got []string
		for _, m := range rest(t, c.sink) {
			joint := ""
			if m.Joint {
				joint = "+ "
			}
			got = append(got, fmt.Sprintf("%d %s %s%v %v", m.Order, m.Group, joint, m.Users, m.Groups))
			want := []string{"one group", "both", "users", "own"}[m.Tag.(int)]
			if string(m.Payload) != want || !m.IsText || !slices.Equal(m.Exclude, []SessionID{left}) ||
				!slices.Equal(m.ExcludeElsewhere, []string{"other.01234567.0-1f-3"}) || m.Epoch != o.broker.Epoch() ||
				(m.From != nil) != (want == "own") {
				t.Errorf("%+v", m)
			}
		}
		if text := strings.Join(got, "; "); text != c.want {
			t.Errorf("got  %s\nwant %s", text, c.want)
		}
	}
}

// TestSinkChoosesNoUsers: a message to users is for no group that could be chosen.
func TestSinkChoosesNoUsers(t *testing.T) {
	o := startOrder(t, 1, 16, 1<<20)
	sink := o.broker.NewSink(SinkOptions{Name: "test", MaxMessages: 20, MaxBytes: 1 << 20, Users: true})
	send := func(payload string) {
		o.submit(whole(publication(payload, []string{"g"}, []string{"7"}), []string{"g"}))
	}
	send("a")
	sink.Choose(map[string]struct{}{"g": {}, "": {}})
	send("b")
	sink.Choose(nil)
	send("c")
	text := ""
	for _, m := range rest(t, sink) {
		text += fmt.Sprintf("%s%d ", m.Payload, len(m.Users))
	}
	if text != "a0 a1 b0 c0 c1 " {
		t.Errorf("got %s", text)
	}
}

// TestSinkCountsNames: the names that a message to users keeps alive count for the sink's
// bytes, and so do the texts for sessions elsewhere with each message.
func TestSinkCountsNames(t *testing.T) {
	o := startOrder(t, 1, 16, 1<<20)
	sink := o.broker.NewSink(SinkOptions{Name: "test", MaxMessages: 20, MaxBytes: 1 << 20, Users: true})
	m := publication("x", []string{"g", "h"}, []string{strings.Repeat("u", 1000)})
	m.Outside.ExcludeElsewhere = []string{strings.Repeat("s", 3000)}
	m = whole(m, []string{"g", "h"})
	if n := m.SizeWithGroups(); n < 4000 || n > 4000+4*(Overhead+50) {
		t.Errorf("%d bytes in a ring, where the names are once", n)
	}
	o.submit(m)
	waitFor(t, "all are taken", func() bool { return sink.Stats().Taken == 3 })
	if n := sink.Stats().QueuedBytes; n < 10_000 || n > 10_000+3*(Overhead+100) {
		t.Errorf("%d bytes queued, where each message keeps the names", n)
	}
	rest(t, sink)
	if n := sink.Stats().QueuedBytes; n != 0 {
		t.Errorf("%d bytes at the end", n)
	}
}

// TestSinkMissed: the groups of what was dropped are named, once, up to a limit.
func TestSinkMissed(t *testing.T) {
	o := startOrder(t, 1, 2048, 1<<24)
	options := SinkOptions{Name: "test", MaxMessages: 1, MaxBytes: 1 << 20, Users: true, NameMissed: true}
	sink := o.broker.NewSink(options)
	options.NameMissed = false
	silent := o.broker.NewSink(options)
	options.NameMissed, options.Users = true, false
	plain := o.broker.NewSink(options)
	send := func(groups, users []string) { o.submit(whole(publication("x", groups, users), groups)) }
	want := func(what string, s *Sink, all bool, groups ...string) {
		t.Helper()
		got, gotAll := s.Missed()
		slices.Sort(got)
		if gotAll != all || !slices.Equal(got, groups) {
			t.Errorf("%s: %.100q, all %v, want %.100q, %v", what, got, gotAll, groups, all)
		}
	}
	want("at the start", sink, false)
	send([]string{"taken"}, nil)
	want("what is taken", sink, false)
	send([]string{"b"}, nil)
	send([]string{"a"}, nil)
	send([]string{"b"}, nil)
	want("three dropped", sink, false, "a", "b")
	want("a second time", sink, false)
	send(nil, []string{"7"})
	want("a message to users alone", sink, false)
	if _, err := sink.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := sink.Next(t.Context()); !errors.Is(err, ErrSinkMissed) {
		t.Fatal(err)
	}
	send([]string{"d", "c"}, []string{"7"}) // one of d is taken
	want("a message to users and groups", sink, false, "c", "d")
	want("one that does not ask for users", plain, false, "a", "b", "c", "d")

	var most []string
	for i := range MaxMissedGroups {
		most = append(most, fmt.Sprintf("%04d", i))
	}
	send(most, nil)
	want("as many as are named", sink, false, most...)
	send(append(most, "one more"), nil)
	send([]string{"a"}, nil)
	want("one more", sink, true)
	send([]string{"a"}, nil)
	want("after that", sink, false, "a")
	want("who does not ask", silent, false)
}

// TestSinkMissedIsThereWhenTold: where Next says that something was missed, Missed has it.
func TestSinkMissedIsThereWhenTold(t *testing.T) {
	const n = 20_000
	o := startOrder(t, 1, 1024, 1<<20)
	sink := o.broker.NewSink(SinkOptions{Name: "test", MaxMessages: 2, MaxBytes: 1 << 20, NameMissed: true})
	done := make(chan error, 1)
	go func() {
		for i := range n {
			m := NewMessage(fmt.Append(nil, i), nil, nil, true)
			m.Outside = &Outside{}
			if err := o.broker.Submit(context.Background(), m); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	known, next, all := make(map[string]bool), 0, false
	var came uint64
	missed := func() {
		groups, every := sink.Missed()
		all = all || every
		for _, group := range groups {
			known[group] = true
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	// What Next holds back, to say first what was missed, is not in the queue any more.
	over := func() bool { return came+sink.Stats().Dropped == n }
	for !over() {
		m, err := sink.Next(ctx)
		if errors.Is(err, ErrSinkMissed) {
			missed()
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		came++
		known[m.Group] = true
		for ; uint64(next) < m.Order; next++ {
			if !known[fmt.Sprint(next)] && !all {
				t.Fatalf("%d was neither taken nor named when what stands behind it came", next)
			}
		}
	}
	missed()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for ; next < n; next++ {
		if !known[fmt.Sprint(next)] && !all {
			t.Fatalf("%d was neither taken nor named", next)
		}
	}
}

// TestSinkMissedIsNotedFirst: a message is not said to be missed before its group is named.
func TestSinkMissedIsNotedFirst(t *testing.T) {
	s := newSink(SinkOptions{MaxMessages: 1, MaxBytes: 1, NameMissed: true}, newEpoch(), nil)
	s.missed.mu.Lock()
	begun, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		close(begun)
		s.offer(text("too large"))
	}()
	<-begun
	for range 10_000 {
		if s.dropped.Load() > 0 {
			t.Fatal("it is told before it is noted")
		}
		runtime.Gosched()
	}
	s.missed.mu.Unlock()
	<-done
	if groups, _ := s.Missed(); s.dropped.Load() != 1 || !slices.Equal(groups, []string{"g"}) {
		t.Errorf("%d dropped, of %q", s.dropped.Load(), groups)
	}
}
