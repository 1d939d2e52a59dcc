package loop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"
)

// roster is what a receiver makes of the updates of all loops.
type roster struct {
	mu      sync.Mutex
	members map[string]map[SessionID]bool
}

// follow keeps a roster up to date until the engine ends.
func follow(tb testing.TB, e *Engine, limit int) *roster {
	tb.Helper()
	m, err := e.FollowMembers(tb.Context(), limit)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	tb.Cleanup(func() { cancel(); done.Wait(); m.Close() })
	r := &roster{members: map[string]map[SessionID]bool{}}
	done.Go(func() {
		for {
			u, err := m.Next(ctx)
			if err != nil {
				return
			}
			r.replay(u)
		}
	})
	return r
}

func (r *roster) replay(u MembersUpdate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if u.Anew {
		for _, group := range r.members {
			maps.DeleteFunc(group, func(id SessionID, _ bool) bool { return id.Reactor() == u.Reactor })
		}
	}
	for _, c := range u.Changes {
		if r.members[c.Group] == nil {
			r.members[c.Group] = map[SessionID]bool{}
		}
		if c.Joined {
			r.members[c.Group][c.Session] = true
		} else {
			delete(r.members[c.Group], c.Session)
		}
	}
}

// in reports whether exactly these are in the group.
func (r *roster) in(group string, ids ...SessionID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		if !r.members[group][id] {
			return false
		}
	}
	return len(r.members[group]) == len(ids)
}

// TestMembers: every way in and out of a group shows, and who was in one before.
func TestMembers(t *testing.T) {
	e, addr := start(t, nil)
	a, b, c := open(t, addr), open(t, addr), open(t, addr)
	ida, idb, idc := sessionOf(t, e, a), sessionOf(t, e, b), sessionOf(t, e, c)
	a.join("g")
	r := follow(t, e, DefaultMembersLimit)
	is := func(what, group string, ids ...SessionID) {
		t.Helper()
		waitFor(t, what, func() bool { return r.in(group, ids...) })
	}
	is("who was there before", "g", ida)
	if _, err := e.FollowMembers(t.Context(), 1); !errors.Is(err, ErrFollowed) {
		t.Errorf("a second one: %v", err)
	}
	b.join("g")
	is("a command", "g", ida, idb)
	if err := e.Join(t.Context(), "g", idc); err != nil {
		t.Fatal(err)
	}
	is("an order", "g", ida, idb, idc)
	b.say(`{"cmd":"send_to_group","group_id":"h","message":"x"}`)
	b.say(`{"cmd":"add_group","group_id":"h"}`)
	is("behind a send", "h", idb)
	b.say(`{"cmd":"leave_group","group_id":"g"}`)
	is("a command to leave", "g", ida, idc)
	if err := e.Leave(t.Context(), "g", idc); err != nil {
		t.Fatal(err)
	}
	is("an order to leave", "g", ida)
	a.write(closeFrame(1000, ""))
	is("a close handshake", "g")
	if err := e.Join(t.Context(), "h", idc); err != nil {
		t.Fatal(err)
	}
	is("two of them", "h", idb, idc)
	b.reset()
	is("a reset", "h", idc)
	if _, err := e.Dissolve(t.Context(), "h"); err != nil {
		t.Fatal(err)
	}
	is("dissolved", "h")
	c.join("i")
	is("one more", "i", idc)
	if err := e.CloseSession(t.Context(), idc, 1000, ""); err != nil {
		t.Fatal(err)
	}
	is("closed from outside", "i")
}

// TestMembersAfterChurn: with room for very few changes, what is replayed in the end is true.
func TestMembersAfterChurn(t *testing.T) {
	e, addr := start(t, nil)
	r := follow(t, e, 3)
	want := map[string][]SessionID{}
	var mu sync.Mutex
	var work errgroup.Group
	for range 8 {
		w := open(t, addr)
		id := sessionOf(t, e, w)
		work.Go(func() error {
			in := map[string]bool{}
			for range 300 {
				group := fmt.Sprint(rand.IntN(5))
				in[group] = !in[group]
				cmd := "leave_group"
				if in[group] {
					cmd = "add_group"
				}
				if err := w.tryWrite(textFrame(fmt.Sprintf(`{"cmd":%q,"group_id":%q}`, cmd, group))); err != nil {
					return err
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for group, is := range in {
				if is {
					want[group] = append(want[group], id)
				}
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	for group := range 5 {
		name := fmt.Sprint(group)
		waitFor(t, "group "+name, func() bool { return r.in(name, want[name]...) })
	}
}

// TestMembersEnd: Next ends with its context and with the engine; who closes lets another in.
func TestMembersEnd(t *testing.T) {
	o := DefaultOptions()
	o.Loops = 2
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.FollowMembers(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 { // the first reading of two loops
		if u, err := m.Next(ctx); err != nil || !u.Anew {
			t.Errorf("%+v, %v", u, err)
		}
	}
	cancel()
	if _, err := m.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	m.Close()
	if m, err = e.FollowMembers(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = m.Next(t.Context())
	}
	if !errors.Is(err, ErrClosed) {
		t.Errorf("%v, want %v", err, ErrClosed)
	}
	m.Close()
	if _, err := e.FollowMembers(t.Context(), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("%v, want %v", err, ErrClosed)
	}
	if _, err := e.FollowMembers(t.Context(), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("after one that failed: %v, want %v", err, ErrClosed)
	}
}
