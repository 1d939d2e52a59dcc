package loop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"groupcast/loop/tlsconn"
)

// admitAs opens a session of that user.
func admitAs(tb testing.TB, e *Engine, who *Identity) *wire {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer ln.Close()
	admitted := make(chan error, 1)
	go func() { admitted <- admitNext(tb.Context(), e, ln, who) }()
	w := connect(tb, ln.Addr().String())
	if err := <-admitted; err != nil {
		tb.Fatal(err)
	}
	w.write([]byte(upgradeHead))
	w.upgraded()
	return w
}

// admitNext admits the next connection, over TLS where all tests are.
func admitNext(ctx context.Context, e *Engine, ln net.Listener, who *Identity) error {
	c, err := ln.Accept()
	if err != nil {
		return err
	}
	one := Admission{Conn: c, Who: who}
	if overTLS {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		conn, err := tlsconn.Handshake(ctx, c, serverTLS())
		if err != nil {
			return errors.Join(err, c.Close())
		}
		one.TLS = conn.Session()
	}
	return e.Admit(one)
}

// TestPublishToUsers: all of a user's sessions get it, on whichever loop they are, from the moment
// they are open, in one order with the groups' messages; no group, sink or name of a group has
// to do with it.
func TestPublishToUsers(t *testing.T) {
	e, addr := start(t, nil)
	sink := e.NewSink(SinkOptions{Name: "test", MaxMessages: 10, MaxBytes: 1 << 20})
	defer sink.Close()
	asks := e.NewSink(SinkOptions{Name: "asks", MaxMessages: 10, MaxBytes: 1 << 20, Users: true})
	defer asks.Close()
	anonymous := open(t, addr)
	for _, name := range []string{"7", "user:7"} { // none of them is the user
		anonymous.join(name)
	}
	var seven []*wire
	for range 2 * len(e.reactors) {
		seven = append(seven, admitAs(t, e, &Identity{User: "7"}))
	}
	eight := admitAs(t, e, &Identity{User: "8"})
	eight.join("g")
	publish := func(p Publication, want uint64) {
		t.Helper()
		p.IsText = true
		if got, err := e.PublishAll(t.Context(), p); err != nil || got != want {
			t.Fatalf("order %d, %v, want %d", got, err, want)
		}
	}
	publish(Publication{Users: []string{"7", "9", "7"}, Payload: []byte("a")}, 1)
	publish(Publication{Groups: []string{"g", "h"}, Users: []string{"8", "7"}, Payload: []byte("b")}, 4)
	elsewhere := []string{"other.01234567." + sessionOf(t, e, seven[0]).String()} // no session of this node
	publish(Publication{
		Users: []string{"8"}, Payload: []byte("c"),
		Exclude: []SessionID{sessionOf(t, e, eight)}, ExcludeElsewhere: elsewhere,
	}, 5)
	elsewhere[0] = "another's by now"
	publish(Publication{Groups: []string{"g"}, Payload: []byte("d")}, 6)
	for _, w := range seven {
		w.want("a", "b")
		w.sync()
	}
	eight.want("b", "d")
	eight.sync()
	anonymous.sync()
	for _, want := range []struct {
		order uint64
		group string
	}{{2, "g"}, {3, "h"}, {6, "g"}} {
		if m := next(t, sink); m.Order != want.order || m.Group != want.group {
			t.Errorf("the sink got %d of %q, want %d of %q", m.Order, m.Group, want.order, want.group)
		}
	}
	for i, want := range []string{"[7 9] []", "[] []+", "[] []+", "[7 8] [g h]", "[8] []", "[] []"} {
		m := next(t, asks)
		got := fmt.Sprint(m.Users, m.Groups)
		if m.Joint {
			got += "+"
		}
		if got != want || m.Order != uint64(i)+1 {
			t.Errorf("who asks for users got %d, %s, want %d, %s", m.Order, got, i+1, want)
		}
		if own := []string{"other.01234567." + sessionOf(t, e, seven[0]).String()}; m.Order == 5 &&
			!slices.Equal(m.ExcludeElsewhere, own) {
			t.Errorf("excluded elsewhere: %q", m.ExcludeElsewhere)
		}
	}
	groups, _, err := e.Groups(t.Context(), "", "", MaxPage)
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = g.Name
	}
	if err != nil || !slices.Equal(names, []string{"7", "g", "user:7"}) {
		t.Errorf("groups %q, %v", names, err)
	}
	if one, err := e.Session(t.Context(), sessionOf(t, e, eight)); err != nil || one.GroupCount != 1 {
		t.Errorf("in %d groups, %v", one.GroupCount, err)
	}
}

// TestPublishToUsersLimits: the edges of what is taken.
func TestPublishToUsersLimits(t *testing.T) {
	e, _ := start(t, nil)
	long := strings.Repeat("7", MaxUserBytes)
	w := admitAs(t, e, &Identity{User: long})
	many := slices.Repeat([]string{"8"}, MaxPublicationUsers-1)
	for name, c := range map[string]struct {
		p    Publication
		want error
	}{
		"the longest name":        {Publication{Users: []string{long}}, nil},
		"as many as there may be": {Publication{Users: append(many, long)}, nil},
		"too long a name":         {Publication{Users: []string{"8", long + "7"}}, ErrBadUser},
		"an empty name":           {Publication{Users: []string{""}}, ErrBadUser},
		"not UTF-8":               {Publication{Users: []string{"\xff"}}, ErrBadUser},
		"too many":                {Publication{Users: append(many, long, "8")}, ErrTooManyUsers},
		"neither":                 {Publication{Users: []string{}}, ErrTooManyGroups},
		"as many excluded as there may be": {Publication{
			Users: []string{long}, Exclude: make([]SessionID, 1000),
			ExcludeElsewhere: slices.Repeat([]string{strings.Repeat("x", MaxExcludeBytes)}, MaxPublicationExcludes-1000),
		}, nil},
		"too many excluded": {Publication{
			Users: []string{long}, Exclude: make([]SessionID, 1000),
			ExcludeElsewhere: make([]string, MaxPublicationExcludes-999),
		}, ErrTooManyExcludes},
		"too long an excluded one": {Publication{
			Users: []string{long}, ExcludeElsewhere: []string{strings.Repeat("x", MaxExcludeBytes+1)},
		}, ErrBadExclude},
		"with a bad group": {Publication{Groups: []string{""}, Users: []string{"8"}}, ErrBadGroup},
	} {
		c.p.Payload, c.p.IsText = []byte(name), true
		if _, err := e.PublishAll(t.Context(), c.p); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		} else if err == nil {
			w.want(name)
		}
	}
	w.sync()
}

// TestUsersNamesCount: names of users are counted in the ring, so that what no ring could hold is
// refused.
func TestUsersNamesCount(t *testing.T) {
	e, _ := start(t, nil)
	p := Publication{Users: make([]string, MaxPublicationUsers), Payload: []byte("x"), IsText: true}
	for i := range p.Users {
		p.Users[i] = strings.Repeat("7", MaxUserBytes-3) + string(rune('\u0800'+i)) // three bytes
	}
	const names = MaxPublicationUsers * MaxUserBytes
	for _, groups := range [][]string{nil, {"g", "h"}} {
		p.Groups = groups
		m, err := e.newPublication(p)
		if n := m.SizeWithGroups(); err != nil || n < names || n > 2*names {
			t.Errorf("to the groups %q: %d bytes, want about %d; %v", groups, n, names, err)
		}
	}
}
