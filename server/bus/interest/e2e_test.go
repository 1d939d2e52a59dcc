package interest

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"groupcast/loop"
	"groupcast/loop/wait"
)

const e2eGroups = 16

// engineLoops are an engine's loops, and NATS.
type engineLoops struct {
	*loop.Engine
	tb    testing.TB
	mu    sync.Mutex
	on    bool
	subs  map[string]bool // at NATS
	wild  bool
	known map[string]bool // behind whose SUB a marker was answered
	all   bool            // so was one behind the wildcard
}

func (e *engineLoops) SetCoverage(c Coverage) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.on = c == On
	e.Engine.SetCoverage([...]loop.Coverage{loop.CoverageAway, loop.CoveragePending, loop.CoverageOn}[c])
	e.check()
}

func (e *engineLoops) Cover(groups []string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.check()
	return e.Engine.Cover(groups)
}

func (e *engineLoops) Gap(context.Context, []string) error { return nil }

// check fails if a group is covered that is not subscribed to.
func (e *engineLoops) check() {
	for i := range e2eGroups {
		if g := fmt.Sprint(i); e.Covered(g) && e.on && !e.known[g] && !e.all {
			e.tb.Errorf("%s is covered, and not known to be subscribed to", g)
		}
	}
}

// write is the writer and NATS: it writes batches, and answers each marker, or not.
func (e *engineLoops) write(i *Interest, batches <-chan Batch, done <-chan struct{}) {
	for {
		var b Batch
		select {
		case b = <-batches:
		case <-done:
			return
		}
		e.mu.Lock()
		e.wild = e.wild || b.WildcardOn
		for _, g := range b.Subscribe {
			e.subs[g] = true
		}
		for _, g := range b.Unsubscribe {
			delete(e.subs, g)
			delete(e.known, g)
		}
		e.check()
		whole := b.Marker != 0 && rand.IntN(20) > 0
		if whole {
			for g := range e.subs {
				e.known[g] = true
			}
			e.all = e.wild
		}
		e.mu.Unlock()
		if b.Marker != 0 {
			i.Marked(b.Marker, whole)
		}
	}
}

// TestEngine: while sessions of a real engine come and go, with outboxes that overflow, no group
// is covered that is not subscribed to, and in the end exactly those are that have members.
func TestEngine(t *testing.T) {
	for name, subjects := range map[string]int{"single": 100, "wildcard": 8} {
		t.Run(name, func(t *testing.T) {
			const groups, clients = e2eGroups, 12
			engine, dial := startEngine(t)
			members, err := engine.FollowMembers(t.Context(), 6)
			if err != nil {
				t.Fatal(err)
			}
			defer members.Close()
			loops := &engineLoops{
				Engine: engine, tb: t, subs: map[string]bool{}, known: map[string]bool{},
			}
			o := DefaultOptions(2)
			o.Subjects, o.Linger, o.Log = subjects, 0, slog.New(slog.DiscardHandler)
			i, err := New(loops, members, o)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			var running sync.WaitGroup
			defer running.Wait()
			defer cancel()
			running.Go(func() {
				if err := i.Run(ctx); err != nil {
					t.Error(err)
				}
			})
			running.Go(func() { loops.write(i, i.Batches(), ctx.Done()) })
			i.Up()
			var work errgroup.Group
			for range clients {
				conn := dial()
				work.Go(func() error {
					in := map[int]bool{}
					for range 400 {
						g := rand.IntN(groups)
						in[g] = !in[g]
						cmd := "leave_group"
						if in[g] {
							cmd = "add_group"
						}
						text := fmt.Sprintf(`{"cmd":%q,"group_id":"%d"}`, cmd, g)
						if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
							return err
						}
					}
					for g := range groups { // all but some leave
						if in[g] && g%3 != 0 {
							text := fmt.Sprintf(`{"cmd":"leave_group","group_id":"%d"}`, g)
							if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
								return err
							}
						}
					}
					return nil
				})
			}
			if err := work.Wait(); err != nil {
				t.Fatal(err)
			}
			var odd string
			defer func() {
				if t.Failed() {
					t.Logf("odd: %s; %+v", odd, i.Stats())
				}
			}()
			wait.Until(t, "what is covered is what has members", func() bool {
				loops.mu.Lock()
				defer loops.mu.Unlock()
				for g := range groups {
					name := fmt.Sprint(g)
					_, err := engine.Group(t.Context(), name)
					if has := err == nil; engine.Covered(name) != has || !loops.wild && loops.subs[name] != has {
						odd = fmt.Sprintf("%s has %v covered %v sub %v", name, has, engine.Covered(name), loops.subs[name])
						return false
					}
				}
				return i.Stats().Lingering == 0
			})
			cancel()
			running.Wait() // what follows is theirs
			if members.Overflows() == 0 || loops.wild != (name == "wildcard") {
				t.Errorf("%d overflows, wildcard %v: this showed little", members.Overflows(), loops.wild)
			}
		})
	}
}

// startEngine is an engine of two loops, and clients to it.
func startEngine(tb testing.TB) (e *loop.Engine, dial func() *websocket.Conn) {
	tb.Helper()
	o := loop.DefaultOptions()
	o.Loops, o.Logger = 2, slog.New(slog.DiscardHandler)
	e, err := loop.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = e.Serve(ln) })
	tb.Cleanup(func() {
		_ = ln.Close()
		_ = e.Close()
		serving.Wait()
	})
	return e, func() *websocket.Conn {
		tb.Helper()
		conn, response, err := websocket.Dial(tb.Context(), "ws://"+ln.Addr().String(), nil)
		if err != nil {
			tb.Fatal(err)
		}
		if response.Body != nil {
			_ = response.Body.Close()
		}
		conn.CloseRead(context.Background())
		tb.Cleanup(func() { _ = conn.CloseNow() })
		return conn
	}
}
