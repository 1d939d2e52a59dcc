package bus

import (
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// oneIn waits until exactly one of two nodes of one name is in the cluster, and returns it first.
func oneIn(t *testing.T, a, b *testNode) (in, out *testNode) {
	t.Helper()
	eventually(t, "exactly one has the name", func() bool {
		in, out = a, b
		if b.Status().Named {
			in, out = b, a
		}
		return in.Status().Joined && !out.Status().Named && !out.Status().Joined
	})
	return in, out
}

// TestNameTaken: of two nodes of one name the second is refused, and says where the first one is.
func TestNameTaken(t *testing.T) {
	t.Parallel()
	servers := runCluster(t, 2)
	for name, at := range map[string]*server.Server{"one server": servers[0], "two servers": servers[1]} {
		t.Run(name, func(t *testing.T) {
			word := strings.ReplaceAll(name, " ", "-")
			first := startNode(t, word, servers[:1])
			c := foreign(t, at)
			eventually(t, "the other server knows", func() bool {
				_, err := c.Request("groupcast.n."+word, nil, time.Millisecond)
				return !errors.Is(err, nats.ErrNoResponders)
			})
			_, err := tryNode(t, word, one(at))
			if !errors.Is(err, ErrNameTaken) || !strings.Contains(err.Error(), `"host-`+word+`" with process id 7`) {
				t.Fatalf("got %v", err)
			}
			first.joinedBy(t, 0)
		})
	}
}

// TestNameOfTheDead: a node that was killed holds its name no longer than NATS takes to notice. Should it not be
// dead, one of both goes.
func TestNameOfTheDead(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	p := newPipe(t, addressOf(s))
	first := startNode(t, "a", nil, func(o *Options) { o.Servers = []string{"nats://" + p.ln.Addr().String()} })
	first.joinedBy(t, 0)
	p.cut()
	c := foreign(t, s)
	eventually(t, "NATS has noticed", func() bool {
		_, err := c.Request("groupcast.n.a", nil, patience)
		return errors.Is(err, nats.ErrNoResponders)
	})
	second := startNode(t, "a", one(s))
	if !second.Status().Named {
		t.Fatal("the name is not taken")
	}
	p.mend()
	in, out := oneIn(t, first, second)
	in.stop()
	out.joinedBy(t, 0)
}

// TestNameAtTheSameMoment: of two nodes that start together exactly one is in the cluster. The other one says so, at
// its start or later, and comes in when the first goes.
func TestNameAtTheSameMoment(t *testing.T) {
	t.Parallel()
	for name, servers := range map[string][]*server.Server{
		"one server": one(runServer(t)), "two servers": runCluster(t, 2),
	} {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				var nodes [2]*testNode
				var errs [2]error
				var both sync.WaitGroup
				for i := range nodes {
					both.Go(func() { nodes[i], errs[i] = tryNode(t, "a", one(servers[i%len(servers)])) })
				}
				both.Wait()
				switch {
				case errs[0] == nil && errs[1] == nil:
					in, out := oneIn(t, nodes[0], nodes[1])
					in.stop()
					out.joinedBy(t, 0)
					out.stop()
				case errs[0] != nil && errs[1] != nil:
					t.Fatalf("none is in: %v, %v", errs[0], errs[1])
				default:
					for i, n := range nodes {
						if n != nil {
							n.joinedBy(t, 0)
							n.stop()
						} else if !errors.Is(errs[i], ErrNameTaken) {
							t.Fatal(errs[i])
						}
					}
				}
			}
		})
	}
}

// TestNameBehindAPartition: two nodes took one name, each at a server that knew nothing of the other's. Once the
// servers are joined one of them yields, whichever has members.
func TestNameBehindAPartition(t *testing.T) {
	t.Parallel()
	apart := func(o *server.Options) { o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: -1} }
	left := runServer(t, apart, func(o *server.Options) { o.ServerName = "left" })
	p := newPipe(t, left.ClusterAddr().String())
	p.cut()
	right := runServer(t, apart, func(o *server.Options) {
		o.ServerName, o.Routes = "right", []*url.URL{{Scheme: "nats", Host: p.ln.Addr().String()}}
	})
	a, b := startNode(t, "a", one(left)), startNode(t, "a", one(right))
	a.joinedBy(t, 0)
	b.joinedBy(t, 0)
	member := dialNode(t, a)
	member.join("g")
	p.mend()
	in, out := oneIn(t, a, b)
	if n := out.Stats().NamesTaken.Load(); n == 0 {
		t.Error("it is not counted")
	}
	in.stop()
	out.joinedBy(t, 0)
}

// TestNameWithoutNATS: a node starts while NATS is not there, says so, and joins when it comes: unless another node
// has its name by then.
func TestNameWithoutNATS(t *testing.T) {
	t.Parallel()
	s := runServer(t)
	p := newPipe(t, addressOf(s))
	p.cut()
	away := func(o *Options) { o.Servers = []string{"nats://" + p.ln.Addr().String()} }
	late, second := startNode(t, "late", nil, away), startNode(t, "a", nil, away)
	if st := late.Status(); st.Named || st.Joined || st.State != StateConnecting {
		t.Errorf("got %+v", st)
	}
	first := startNode(t, "a", one(s))
	p.mend()
	first.joinedBy(t, 1)
	late.joinedBy(t, 1)
	eventually(t, "the other one stays out", func() bool { return second.Status().State == StateUp })
	member := dialNode(t, second)
	member.send(map[string]any{"cmd": "add_group", "group_id": "g", "req_id": 1})
	member.want(`{"cmd":"ack","req_id":1,"cluster":false}`)
	if second.Status().Named || second.Status().Joined {
		t.Error("two have one name")
	}
	first.stop()
	second.joinedBy(t, 1)
	member.join("g")
}
