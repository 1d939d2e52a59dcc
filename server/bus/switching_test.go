package bus

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// TestSwitching: while the node changes to the wildcard and back, of what four publishers send, nodes and others,
// nothing is lost, doubled, or in another order.
func TestSwitching(t *testing.T) {
	t.Parallel()
	servers := runCluster(t, 3)
	nodes := startNodes(t, 3, servers, func(o *Options) {
		o.Subjects, o.narrowAfter, o.Linger = 40, time.Millisecond, time.Millisecond
	})
	n := nodes[0]
	const groups, publishers, changes = 8, 4, 8
	var members []*testClient
	for g := range groups {
		c := dialNode(t, n)
		c.join(fmt.Sprint("g", g))
		members = append(members, c)
	}
	send := []func(group, text string) error{
		func(group, text string) error {
			_, err := nodes[1].engine.Publish(t.Context(), group, []byte(text))
			return err
		},
		func(group, text string) error {
			_, err := nodes[2].engine.Publish(t.Context(), group, []byte(text))
			return err
		},
	}
	for _, s := range servers[:2] {
		c := foreign(t, s)
		send = append(send, func(group, text string) error { return c.Publish("groupcast.g."+group, []byte(text)) })
	}
	var over atomic.Bool
	var sent [publishers]int
	var publishing sync.WaitGroup
	for p := range publishers {
		publishing.Go(func() {
			tick := time.NewTicker(2 * time.Millisecond)
			defer tick.Stop()
			say := func(text string) {
				for g := range groups {
					if err := send[p](fmt.Sprint("g", g), text); err != nil {
						t.Error(err)
					}
				}
			}
			for ; !over.Load(); sent[p]++ {
				<-tick.C
				say(fmt.Sprintf("%d %d", p, sent[p]))
			}
			say(fmt.Sprintf("%d -1", p))
		})
	}
	var listening sync.WaitGroup
	var heard [groups][publishers]int
	for g, c := range members {
		listening.Go(func() {
			for ends := 0; ends < publishers && !t.Failed(); {
				var p, k int
				text := c.next()
				switch _, err := fmt.Sscanf(text, "%d %d", &p, &k); {
				case err == nil && k < 0:
					ends++
				case err != nil || k != heard[g][p]:
					t.Errorf("got %q, want number %d", text, heard[g][p])
				default:
					heard[g][p]++
				}
			}
		})
	}
	ballast := dialNode(t, n)
	for n.Stats().Switches < changes && !t.Failed() {
		for i := range 60 {
			ballast.join(fmt.Sprint("ballast", i))
		}
		eventually(t, "the wildcard", func() bool { return n.Stats().Wildcard == 1 })
		before := n.Stats().Switches
		for i := range 60 {
			ballast.leave(fmt.Sprint("ballast", i))
		}
		eventually(t, "single subjects", func() bool { return n.Stats().Switches > before })
	}
	over.Store(true)
	publishing.Wait()
	listening.Wait()
	for g := range heard {
		if heard[g] != sent {
			t.Errorf("in group %d came %v of %v", g, heard[g], sent)
		}
	}
	s := n.Stats()
	t.Logf("%d changes, %d messages each way of %v, %d doubles", s.Switches, groups, sent, s.Doubles.Load())
	if s.Doubles.Load() == 0 {
		t.Error("no message came twice: nothing is shown")
	}
	last := foreign(t, servers[0])
	eventually(t, "no message is compared any more", func() bool {
		if err := last.Publish("groupcast.g.g0", []byte("end")); err != nil {
			t.Fatal(err)
		}
		return n.switching.Load() == 0
	})
}

// TestDoubles: the second copy of a message is known, in a change, in the one behind it, and for as long as a copy
// may take.
func TestDoubles(t *testing.T) {
	t.Parallel()
	n := startNode(t, "a", nil, func(o *Options) { o.Servers = []string{"nats://" + nobody(t)} })
	r := newReader(n.Bus)
	at := func(subscription, data string) *nats.Msg {
		return &nats.Msg{Subject: "groupcast.g.g", Data: []byte(data), Sub: &nats.Subscription{Subject: subscription}}
	}
	const single, all = "groupcast.g.g", "groupcast.g.*"
	came := func(change uint64, subscription, data string, want bool) {
		t.Helper()
		if got := r.isDouble(at(subscription, data), change); got != want {
			t.Errorf("change %d, %s by %s: double is %v", change, data, subscription, got)
		}
	}
	n.switching.Store(1)
	came(1, single, "1", false)
	came(1, single, "2", false)
	came(1, all, "1", true)
	came(1, all, "3", false)
	r.doubles.endBehind(2)
	came(1, all, "2", true) // in the channel when the change had ended
	n.switching.Store(2)    // and another one begins
	came(2, single, "3", true)
	r.doubles.endBehind(1)
	came(2, single, "4", false)
	came(2, all, "4", false) // behind the end
	if n.switching.Load() != 0 || r.doubles.came != nil {
		t.Error("it is not over")
	}
	for i := range 3 * maxDoubles {
		came(3, single, fmt.Sprint(i), false)
		if i%1000 == 0 || i > 3*maxDoubles-10 {
			came(3, all, fmt.Sprint(i), true)
		}
	}
	came(3, all, fmt.Sprint(3*maxDoubles-maxDoubles/2+1), true) // the half before
	if kept := len(r.doubles.came) + len(r.doubles.before); kept > 2*maxDoubles {
		t.Errorf("%d messages are remembered", kept)
	}
}
