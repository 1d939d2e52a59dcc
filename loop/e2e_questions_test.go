package loop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"groupcast/loop/order"
	"groupcast/protocol"
)

// sessionOf finds the session of w by its address.
func sessionOf(tb testing.TB, e *Engine, w *wire) SessionID {
	tb.Helper()
	for _, s := range allSessions(tb, e, MaxPage) {
		if s.Remote == w.c.LocalAddr().String() {
			return s.ID
		}
	}
	tb.Fatal("the session is not listed")
	return SessionID{}
}

func allSessions(tb testing.TB, e *Engine, limit int) (list []SessionInfo) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var after SessionID
	for {
		page, next, err := e.Sessions(ctx, after, limit)
		if err != nil {
			tb.Fatal(err)
		}
		if len(page) > limit {
			tb.Fatalf("%d sessions in a page of %d", len(page), limit)
		}
		list = append(list, page...)
		if next == (SessionID{}) {
			return list
		}
		after = next
	}
}

// TestSessions: a session as it is seen from outside, and orders to it.
func TestSessions(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.MaxGroupsPerSession = 3 })
	w := open(t, addr)
	w.join("x", "y")
	id := sessionOf(t, e, w)
	info, err := e.Session(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if info.ID != id || info.State != "open" || info.Envelope || info.GroupCount != 2 ||
		!slices.Equal(info.Groups, []string{"x", "y"}) ||
		info.BytesIn < uint64(len(upgradeHead)) || info.BytesOut == 0 || info.BacklogBytes != 0 ||
		info.Reactor != id.Reactor() {
		t.Errorf("%+v", info)
	}

	if err := e.Join(t.Context(), "z", id); err != nil {
		t.Fatal(err)
	}
	if err := e.Join(t.Context(), "z", id); err != nil {
		t.Errorf("joined twice: %v", err)
	}
	var limit *protocol.CommandError
	if err := e.Join(t.Context(), "fourth", id); !errors.As(err, &limit) || limit.Code != protocol.CodeTooManyGroups {
		t.Errorf("one group too many: %v", err)
	}
	if _, err := e.Publish(t.Context(), "z", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	w.want("hello")
	for range 2 { // leaving a group one is not in is no error
		if err := e.Leave(t.Context(), "z", id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Publish(t.Context(), "z", []byte("not this")); err != nil {
		t.Fatal(err)
	}
	w.sync()

	for name, call := range map[string]func(id SessionID) error{
		"join":  func(id SessionID) error { return e.Join(t.Context(), "x", id) },
		"leave": func(id SessionID) error { return e.Leave(t.Context(), "x", id) },
		"close": func(id SessionID) error { return e.CloseSession(t.Context(), id, 1000, "") },
		"show":  func(id SessionID) error { _, err := e.Session(t.Context(), id); return err },
	} {
		stale := id
		stale = order.NewSessionID(stale.Reactor(), stale.Slot(), stale.Generation()+1)
		for _, id := range []SessionID{{}, stale, order.NewSessionID(199, 1, 1), order.NewSessionID(0, 1<<31, 1)} {
			if err := call(id); !errors.Is(err, ErrNoSession) {
				t.Errorf("%s of %v: %v", name, id, err)
			}
		}
	}
	for _, err := range []error{e.Join(t.Context(), "", id), e.Leave(t.Context(), strings.Repeat("g", 257), id)} {
		if !errors.Is(err, ErrBadGroup) {
			t.Errorf("bad group: %v", err)
		}
	}
	for code, reason := range map[ws.StatusCode]string{
		999: "", 1005: "", 1006: "", 5000: "",
		4000: strings.Repeat("r", 124), 4001: "\xff",
	} {
		if err := e.CloseSession(t.Context(), id, code, reason); !errors.Is(err, protocol.ErrBadClose) {
			t.Errorf("close with %d %.10q: %v", code, reason, err)
		}
	}
	if err := e.CloseSession(t.Context(), id, 4000, strings.Repeat("r", 123)); err != nil {
		t.Fatal(err)
	}
	w.wantClose(4000)
	if err := e.CloseSession(t.Context(), id, 4000, ""); !errors.Is(err, ErrNoSession) {
		t.Errorf("closed twice: %v", err)
	}
	if s := sum(t, e); s.Kicked != 1 {
		t.Errorf("%d closed by order", s.Kicked)
	}
	if err := e.Join(t.Context(), "x", id); !errors.Is(err, ErrNoSession) {
		t.Errorf("join of a closing session: %v", err)
	}
}

// many opens n sessions and returns their ids.
func many(tb testing.TB, e *Engine, addr string, n int) (wires []*wire, ids []SessionID) {
	tb.Helper()
	for range n {
		wires = append(wires, open(tb, addr))
	}
	for _, s := range allSessions(tb, e, MaxPage) {
		ids = append(ids, s.ID)
	}
	if len(ids) != n {
		tb.Fatalf("%d sessions, want %d", len(ids), n)
	}
	return wires, ids
}

// TestSessionPages: however small the pages, who stays is listed once, while
// others come and go.
func TestSessionPages(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.Loops = 3 })
	wires, ids := many(t, e, addr, 60)
	for _, limit := range []int{1000, 7, 1} {
		seen := map[SessionID]int{}
		var after SessionID
		for pages := 0; ; pages++ {
			page, next, err := e.Sessions(t.Context(), after, limit)
			if err != nil || len(page) > limit {
				t.Fatal(len(page), err)
			}
			for _, s := range page {
				seen[s.ID]++
			}
			if pages%3 == 0 { // another comes and goes
				open(t, addr).reset()
			}
			if next == (SessionID{}) {
				break
			}
			after = next
		}
		for id, n := range seen {
			if n != 1 {
				t.Fatalf("%v is listed %d times", id, n)
			}
		}
		for _, id := range ids {
			if seen[id] == 0 {
				t.Fatalf("pages of %d: %v is missing", limit, id)
			}
		}
	}
	if page, next, err := e.Sessions(t.Context(), order.NewSessionID(76, 0, 0), 10); err != nil || len(page) != 0 ||
		next != (SessionID{}) {
		t.Errorf("behind the last reactor: %v, %v, %v", page, next, err)
	}
	wires[0].sync()
}

// TestGroups against the naive list: names in order, members over all reactors,
// prefixes, pages; more groups than one look takes.
func TestGroups(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.Loops, o.MaxGroupsPerSession = 3, 500 })
	_, ids := many(t, e, addr, 30)
	want := map[string]int{}
	in := map[string]bool{}
	for n, id := range ids {
		for k := range 450 {
			name := fmt.Sprintf("g%d", (n*311+k*(n%3+1))%9000)
			if err := e.Join(t.Context(), name, id); err != nil {
				t.Fatal(err)
			}
			if key := fmt.Sprint(id, name); !in[key] {
				in[key] = true
				want[name]++
			}
			if k%7 == 0 { // and leave: slots become free
				if err := e.Leave(t.Context(), name, id); err != nil {
					t.Fatal(err)
				}
				in[fmt.Sprint(id, name)] = false
				want[name]--
			}
		}
	}
	var names []string
	for name, n := range want {
		if n > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) < 3*1000 {
		t.Fatalf("%d groups are too few for this test", len(names))
	}
	for _, test := range []struct {
		prefix string
		limit  int
	}{{"", 1000}, {"g7", 100}, {"g77", 7}, {"nothing", 10}} {
		var got []GroupInfo
		after := ""
		for more := true; more; {
			var page []GroupInfo
			var err error
			if page, more, err = e.Groups(t.Context(), test.prefix, after, test.limit); err != nil {
				t.Fatal(err)
			}
			if got = append(got, page...); more {
				after = got[len(got)-1].Name
			}
		}
		i := 0
		for _, name := range names {
			if !strings.HasPrefix(name, test.prefix) {
				continue
			}
			if i >= len(got) || got[i].Name != name || got[i].Members != want[name] {
				t.Fatalf("prefix %q: at %d not %s with %d members", test.prefix, i, name, want[name])
			}
			i++
		}
		if i != len(got) {
			t.Errorf("prefix %q: %d groups, want %d", test.prefix, len(got), i)
		}
	}

	largest, err := e.LargestGroups(t.Context(), 5)
	if err != nil || len(largest) != 5 || !slices.IsSortedFunc(largest,
		func(a, b GroupInfo) int { return cmp.Compare(b.Members, a.Members) }) {
		t.Errorf("%v, %v", largest, err)
	}
	name := largest[0].Name
	info, err := e.Group(t.Context(), name)
	if err != nil || info.Members != want[name] || len(info.ByReactor) != 3 ||
		info.ByReactor[0]+info.ByReactor[1]+info.ByReactor[2] != want[name] {
		t.Errorf("%s: %+v, %v; want %d members", name, info, err, want[name])
	}
	if _, err := e.Group(t.Context(), "nobody's"); !errors.Is(err, ErrNoGroup) {
		t.Errorf("%v", err)
	}
}

// TestMemberPages against the naive list: those whose sessions are in the group, once each, in
// the order of the sessions, however small the pages and the group; one larger than a
// look takes is looked for another way, in the same order.
func TestMemberPages(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.Loops, o.MaxConns = 2, 2000 })
	_, ids := many(t, e, addr, 50)
	want := map[string][]SessionID{}
	for n, id := range ids {
		for name, every := range map[string]int{"all": 1, "third": 3, "one": len(ids)} {
			if n%every != 0 {
				continue
			}
			want[name] = append(want[name], id)
			if err := e.Join(t.Context(), name, id); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, id := range []SessionID{ids[10], ids[20]} { // the last member takes the place of one that leaves
		if err := e.Leave(t.Context(), "all", id); err != nil {
			t.Fatal(err)
		}
		want["all"] = slices.DeleteFunc(want["all"], func(other SessionID) bool { return other == id })
	}
	for name, members := range want {
		for _, limit := range []int{1000, 7, 1} {
			var got []SessionID
			for after, more := (SessionID{}), true; more; more = after != (SessionID{}) {
				page, next, err := e.Members(t.Context(), name, after, limit)
				if err != nil || len(page) > limit {
					t.Fatal(len(page), err)
				}
				short, shortNext, err := e.Memberships(t.Context(), name, after, limit)
				if err != nil || len(short) != len(page) || shortNext != next {
					t.Fatal(len(short), shortNext, err)
				}
				for i, s := range page {
					got = append(got, s.ID)
					if short[i] != (Membership{Session: s.ID, Group: name}) {
						t.Fatalf("%+v is %+v", short[i], s)
					}
				}
				after = next
			}
			if !slices.Equal(got, members) {
				t.Errorf("%s in pages of %d: %v, want %v", name, limit, got, members)
			}
		}
	}
	if _, _, err := e.Members(t.Context(), "nobody's", SessionID{}, 10); !errors.Is(err, ErrNoGroup) {
		t.Errorf("%v", err)
	}
	if page, next, err := e.Memberships(t.Context(), "nobody's", SessionID{}, 10); err != nil || len(page) != 0 ||
		next != (SessionID{}) {
		t.Errorf("%v, %v, %v", page, next, err)
	}
	if page, _, err := e.Members(t.Context(), "all", ids[len(ids)-1], 10); err != nil || len(page) != 0 {
		t.Errorf("behind the last one: %v, %v", page, err)
	}
}

// TestDissolve: everyone leaves, on all loops.
func TestDissolve(t *testing.T) {
	e, addr := start(t, nil)
	wires, _ := many(t, e, addr, 20)
	for i, w := range wires {
		w.join("g")
		if i%2 == 0 {
			w.join("other")
		}
	}
	left, err := e.Dissolve(t.Context(), "g")
	if err != nil || left != len(wires) {
		t.Errorf("%d left, %v", left, err)
	}
	if _, err := e.Dissolve(t.Context(), "g"); !errors.Is(err, ErrNoGroup) {
		t.Errorf("again: %v", err)
	}
	if g, err := e.Group(t.Context(), "other"); err != nil || g.Members != len(wires)/2 {
		t.Errorf("the other group: %+v, %v", g, err)
	}
	if s := sum(t, e); s.Memberships != len(wires)/2 {
		t.Errorf("%d memberships are left", s.Memberships)
	}
}
