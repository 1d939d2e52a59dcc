package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// through starts nodes that reach their servers by pipes, which can be cut.
func through(t *testing.T, count int, servers []*server.Server, set ...func(*Options)) (nodes []*testNode,
	pipes []*pipe,
) {
	t.Helper()
	for i := range count {
		p := newPipe(t, addressOf(servers[i%len(servers)]))
		pipes = append(pipes, p)
		nodes = append(nodes, startNode(t, string(rune('a'+i)), nil, append(set, func(o *Options) {
			o.Servers = []string{"nats://" + p.ln.Addr().String()}
		})...))
	}
	for _, n := range nodes {
		n.joinedBy(t, count-1)
	}
	return nodes, pipes
}

// witness is a member in envelope mode that keeps what it is told of its group.
type witness struct {
	*testClient
	group string
	// heard are, in order, "PUBLISHER NUMBER" or "gap".
	heard []string
}

// listen reads until the end has come of all publishers.
func (w *witness) listen(publishers int) {
	for ends := 0; ends < publishers; {
		var m struct{ Type, Message string }
		text := w.next()
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			w.t.Errorf("%s: %v", text, err)
			return
		}
		switch {
		case m.Type == "gap":
			w.heard = append(w.heard, "gap")
		case strings.HasPrefix(m.Message, "end"):
			ends++
		default:
			w.heard = append(w.heard, m.Message)
		}
	}
}

// check is that all publishers' messages came once and in order, but for those that a gap behind
// the last one before them tells of. It returns how many were missed.
func (w *witness) check(publishers, each int) (missed int) {
	w.t.Helper()
	next := make([]int, publishers)
	last := make([]int, publishers) // where the last one came
	lastGap := -1
	gaps := 0
	for i, text := range w.heard {
		if text == "gap" {
			lastGap = i
			gaps++
		}
	}
	for i, text := range w.heard {
		if text == "gap" {
			continue
		}
		var from, k int
		if _, err := fmt.Sscanf(text, "%d %d", &from, &k); err != nil {
			w.t.Fatalf("%q: %v", text, err)
		}
		if k < next[from] {
			near := w.heard[max(0, i-60):min(len(w.heard), i+40)]
			w.t.Errorf("%s: publisher %d: got %d behind %d: %q", w.group, from, k, next[from]-1, near)
		}
		if k > next[from] {
			missed += k - next[from]
			if lastGap < last[from] {
				w.t.Errorf("%s: publisher %d: %d to %d are missing, and nothing tells of it", w.group, from, next[from], k-1)
			}
		}
		next[from], last[from] = k+1, i
	}
	for from, n := range next {
		if n < each {
			missed += each - n
			if lastGap < last[from] {
				w.t.Errorf("%s: publisher %d: all from %d on are missing, and nothing tells of it", w.group, from, n)
			}
		}
	}
	if missed == 0 && gaps > 0 {
		w.t.Logf("%s: %d gaps, and nothing was missed", w.group, gaps)
	}
	return missed
}

// TestCutsAreTold: connections to NATS end at random, on one node or several, with any policy. What
// a member misses it is told of, always; nothing comes twice or in another order; and members of a
// group in which nothing happened are told nothing.
func TestCutsAreTold(t *testing.T) {
	for _, down := range []Down{DownBuffer, DownLocal} {
		t.Run(down.String(), func(t *testing.T) {
			nodes, pipes := through(t, 3, runCluster(t, 3), func(o *Options) {
				o.Down, o.Lease = down, MaxLease // a busy machine counts no node out
			})
			const each = 1500
			var all []*witness
			var quiet []*testClient
			for _, n := range nodes {
				for _, group := range []string{"g1", "g2"} {
					w := &witness{testClient: dialNode(t, n, envelope), group: group}
					w.join(group)
					all = append(all, w)
				}
				q := dialNode(t, n, envelope)
				q.join("quiet")
				quiet = append(quiet, q)
			}
			var publishing, listening sync.WaitGroup
			for _, w := range all {
				listening.Go(func() { w.listen(len(nodes)) })
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for i, n := range nodes {
				publishing.Go(func() {
					tick := time.NewTicker(time.Millisecond)
					defer tick.Stop()
					for k := range each {
						<-tick.C
						for _, group := range []string{"g1", "g2"} {
							if _, err := n.engine.Publish(ctx, group, fmt.Appendf(nil, "%d %d", i, k)); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
			done := make(chan struct{})
			go func() {
				publishing.Wait()
				close(done)
			}()
			timer := time.NewTicker(200 * time.Millisecond)
			defer timer.Stop()
		cutting:
			for {
				select {
				case <-timer.C:
					p := pipes[rand.N(len(pipes))]
					if p.cut(); rand.N(2) == 0 {
						<-timer.C
					}
					p.mend()
				case <-done:
					break cutting
				}
			}
			for _, p := range pipes {
				p.mend()
			}
			for _, n := range nodes {
				n.joinedBy(t, 2)
			}
			settle(t, nodes)
			for i, n := range nodes {
				n.publish(t, "g1", fmt.Sprintf("end %d", i))
				n.publish(t, "g2", fmt.Sprintf("end %d", i))
				n.publish(t, "quiet", fmt.Sprintf("end %d", i))
			}
			listening.Wait()
			missed := 0
			for _, w := range all {
				missed += w.check(len(nodes), each)
			}
			t.Logf("%d of %d missed", missed, len(all)*len(nodes)*each)
			for _, q := range quiet {
				for range nodes {
					if text := q.next(); !strings.Contains(text, "end") {
						t.Errorf("a quiet group was told %s", text)
					}
				}
			}
		})
	}
}

// settle waits until every node knows what it has missed.
func settle(t *testing.T, nodes []*testNode) {
	t.Helper()
	for _, n := range nodes {
		eventually(t, "what was missed is known", func() bool { return n.doubts.Load() == 0 && n.Status().Joined })
	}
}

// TestNoticeIsMissed: what nobody got is told of to a node that comes back behind the notice of it, too.
func TestNoticeIsMissed(t *testing.T) {
	t.Parallel()
	nodes, pipes := through(t, 2, one(runServer(t)), func(o *Options) { o.Down, o.healWait = DownLocal, time.Millisecond })
	member := dialNode(t, nodes[1], envelope)
	member.join("g")
	for i, n := range nodes {
		pipes[i].cut()
		eventually(t, "it is away", func() bool { return !n.Status().Joined })
	}
	nodes[0].publish(t, "g", "nobody gets it")
	eventually(t, "it is served here", func() bool { return nodes[0].Stats().Lost.Load() == 1 })
	pipes[0].mend()
	eventually(t, "the notice is out", func() bool { return nodes[0].Stats().Notices.Load() == 1 })
	pipes[1].mend()
	member.want(fmt.Sprintf(gapOf, "g"))
	nodes[0].publish(t, "g", "next")
	member.until(messageOf("g", "next")) // a busy machine may have it told twice
}
