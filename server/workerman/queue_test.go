package workerman

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// queueNames are the queues there are, in order.
func queueNames(s *testServer) string {
	list, _ := s.Queues(1000)
	var names []string
	for _, q := range list {
		names = append(names, q.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// TestQueueAges: a message in a queue that nobody watches is thrown away in the end.
func TestQueueAges(t *testing.T) {
	var log logBuffer
	s := startServer(t, NewNode(), nil, func(o *Options) { o.QueueTimeout, o.Logger = 50*time.Millisecond, log.logger() })
	w, watcher := dial(t, s.addr), dial(t, s.addr)
	watcher.send(about("watch", "watched"))
	watcher.sync()
	w.send(with("enqueue", "watched", "i:1;"))
	w.send(with("enqueue", "left", "i:2;"))
	w.send(with("enqueue", "left", "i:3;"))
	eventually(t, "the queue that nobody watches to go", func() bool {
		return queueNames(s) == "watched" && get(t, s.Stats().QueueLost.All(), "aged") == 2
	})
	if st := s.Stats(); st.QueuedMessages != 1 || st.Queues != 1 {
		t.Errorf("%+v", st)
	}
	eventually(t, "the log", func() bool { return strings.Contains(log.String(), "jobs are gone that nobody came for") })
	watcher.send(`a:1:{s:4:"type";s:7:"reserve";}`)
	watcher.want(queueOf("watched", "i:1;"))
}

// TestQueueUnwatchedIsLogged: jobs that wait for nobody are not silent about it.
func TestQueueUnwatchedIsLogged(t *testing.T) {
	var log logBuffer
	s := startServer(t, NewNode(), nil, func(o *Options) { o.Logger = log.logger() })
	w := dial(t, s.addr)
	w.send(with("enqueue", "left", "i:2;"))
	w.sync()
	s.hub.sweep(time.Now())
	if want := "jobs wait in queues that nobody watches\" jobs=1 queue=left"; !strings.Contains(log.String(), want) {
		t.Errorf("no %q in\n%s", want, log.String())
	}
}

// TestQueuesMakeRoom: where queues are too many, the connection that made most of
// them pays; where none made more, the next queue is refused.
func TestQueuesMakeRoom(t *testing.T) {
	var log logBuffer
	s := startServer(t, NewNode(), nil, func(o *Options) { o.MaxQueues, o.Logger = 6, log.logger() })
	hog, worker := dial(t, s.addr), dial(t, s.addr)
	worker.send(with("enqueue", "mail", "i:1;"))
	worker.sync()
	for i := range 7 {
		hog.send(with("enqueue", fmt.Sprintf("hog%d", i), "i:1;"))
	}
	hog.sync()
	if got := queueNames(s); got != "hog0 hog1 hog2 hog3 hog4 mail" {
		t.Fatalf("the hog took more than was left: %s", got)
	}
	_ = hog.conn.Close() // its queues stay
	eventually(t, "it to be gone", func() bool { return s.Stats().Conns == 1 })
	other := dial(t, s.addr)
	other.send(with("enqueue", "other1", "i:1;"))
	other.send(about("watch", "other2"))
	other.sync()
	if got := queueNames(s); got != "hog0 hog1 hog2 mail other1 other2" {
		t.Errorf("%s", got)
	}
	if n := get(t, s.Stats().QueueLost.All(), "crowded"); n != 2 ||
		!strings.Contains(log.String(), "this peer made most") {
		t.Errorf("%d lost, and logged:\n%s", n, log.String())
	}
	for i := range 3 { // the third finds none that made more
		p := dial(t, s.addr)
		p.send(with("enqueue", fmt.Sprintf("new%d", i), "i:1;"))
		p.sync()
	}
	if got := queueNames(s); got != "hog0 mail new0 new1 other1 other2" {
		t.Errorf("%s", got)
	}
	if n := get(t, s.Stats().Limited.All(), "queues"); n != 3 { // and the hog's own two
		t.Errorf("%d refused", n)
	}
}

// TestAllQueueBytes: where the queues are full together, the largest loses what came last.
func TestAllQueueBytes(t *testing.T) {
	var log logBuffer
	s := startServer(t, NewNode(), nil, func(o *Options) { o.MaxAllQueueBytes, o.Logger = 100<<10, log.logger() })
	w := dial(t, s.addr)
	job := str(strings.Repeat("x", 8<<10))
	for range 13 { // the last does not fit, and hog is the largest
		w.send(with("enqueue", "hog", job))
	}
	w.sync()
	if st := s.Stats(); st.QueuedMessages != 12 || st.QueueDropped != 1 {
		t.Fatalf("%d queued, %d dropped", st.QueuedMessages, st.QueueDropped)
	}
	w.send(with("enqueue", "mail", job)) // at once: what the hog asks for in vain keeps nobody out
	w.sync()
	st := s.Stats()
	if st.QueuedBytes > 100<<10 || get(t, st.QueueLost.All(), "crowded") == 0 || st.QueueDropped != 1 {
		t.Errorf("%+v", st)
	}
	if list, _ := s.Queues(2); len(list) != 2 || list[1].Name != "mail" || list[1].Messages != 1 {
		t.Errorf("%+v", list)
	}
	if !strings.Contains(log.String(), "the largest queue lost jobs") {
		t.Error("nothing was logged")
	}
}

// TestQueuesListAndPurge: an operator sees them, and can empty one.
func TestQueuesListAndPurge(t *testing.T) {
	s := startServer(t, NewNode(), nil, nil)
	w, watcher := dial(t, s.addr), dial(t, s.addr)
	watcher.send(about("watch", "b", "c"))
	watcher.send(`a:1:{s:4:"type";s:7:"reserve";}`)
	watcher.sync()
	w.send(with("enqueue", "a", str(strings.Repeat("x", 1000))))
	w.send(with("enqueue", "a", "i:1;"))
	w.send(with("enqueue", "b", "i:1;")) // which the watcher takes
	w.sync()
	list, all := s.Queues(2)
	if all != 3 || len(list) != 2 || list[0].Name != "a" || list[1].Name != "b" {
		t.Fatalf("%d: %+v", all, list)
	}
	if a := list[0]; a.Messages != 2 || a.Bytes < 1000 || a.Watchers != 0 || a.Oldest <= 0 {
		t.Errorf("%+v", a)
	}
	if b := list[1]; b.Messages != 0 || b.Watchers != 1 || b.Consumers != 0 || b.Oldest != 0 {
		t.Errorf("%+v", b)
	}
	if n, ok := s.PurgeQueue("a"); n != 2 || !ok {
		t.Errorf("%d, %v", n, ok)
	}
	if _, ok := s.PurgeQueue("a"); ok {
		t.Error("it is still there")
	}
	if n, ok := s.PurgeQueue("c"); n != 0 || !ok {
		t.Errorf("%d, %v", n, ok)
	}
	if st := s.Stats(); st.QueuedMessages != 0 || st.QueuedBytes != 0 || st.Queues != 2 ||
		get(t, st.QueueLost.All(), "purged") != 2 {
		t.Errorf("%+v", st)
	}
}

// TestConnections: an operator sees who is there, and what waits for whom.
func TestConnections(t *testing.T) {
	s := startServer(t, NewNode(), nil, nil)
	worker := subscriber(t, s.addr, "a", "b")
	worker.send(about("watch", "jobs"))
	worker.send(`a:1:{s:4:"type";s:7:"reserve";}`)
	worker.sync()
	const node = "0123456789abcdef"
	peer := dial(t, s.addr)
	peer.send(`a:3:{s:4:"type";s:9:"subscribe";s:8:"channels";` + names("c") + `s:9:"groupcast";` + str(node) + `}`)
	peer.sync()
	slow, open := gated(t, s, "slow")
	defer open()
	w := dial(t, s.addr)
	w.send(with("publish", "slow", "N;"))
	w.send(with("enqueue", "jobs", "i:1;"))
	w.sync()
	eventually(t, "their own channels to be left", func() bool { return s.Stats().Subscriptions == 4 })
	all := make(map[string]Connection)
	for _, c := range s.Connections() {
		if c.Idle < 0 || c.Age < c.Idle {
			t.Errorf("%+v", c)
		}
		c.Idle, c.Age = 0, 0
		all[c.Peer] = c
	}
	for p, want := range map[string]Connection{
		worker.conn.LocalAddr().String(): {Channels: 3, Busy: true},
		peer.conn.LocalAddr().String():   {Channels: 1, Name: node},
		slow.conn.LocalAddr().String():   {Channels: 1, QueuedBytes: len(eventOf("slow", "N;")) + 4},
		w.conn.LocalAddr().String():      {},
	} {
		if want.Peer = p; all[p] != want {
			t.Errorf("got %+v, want %+v", all[p], want)
		}
	}
	if len(all) != 4 {
		t.Errorf("%d connections", len(all))
	}
}
