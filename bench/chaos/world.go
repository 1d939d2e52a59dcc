package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// Groups that the clients are in.
var busy = []string{"busy-0", "busy-1"}

// silentGroup is one in which nothing happens before the end: its members are to be told nothing before.
const silentGroup = "silent"

// world is a cluster under load: its members, in bare form and with envelopes, on each node, and its publishers, over
// WebSocket and HTTP, on each node.
type world struct {
	*cluster
	book    *book
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	publishing  context.Context
	stopSending context.CancelFunc
	sending     sync.WaitGroup
	padding     int
	pingers     []*pinger
	members     []*member
	leaving     atomic.Bool
	connects    atomic.Int64
}

// load is what a world's clients do.
type load struct {
	every time.Duration // between two messages of one publisher
	// roam is to which node member of node i goes on its n-th connection; nil: always to its own.
	roam func(i, n int) int
	// follow: publishers whose node does not take their messages go to another.
	follow  bool
	padding int // of messages, in bytes
	churn   int // members a node that join and leave all the time
}

// begin starts a cluster, and clients that load it. The caller stops the world.
func begin(ctx context.Context, r *run, p plan, l load) (*cluster, *world, error) {
	c, err := startCluster(ctx, r, p)
	if err != nil {
		return nil, nil, err
	}
	w, err := startWorld(ctx, c, l)
	return c, w, err
}

// traffic lets two seconds of it pass, and has pings count from then on.
func (w *world) traffic(ctx context.Context) error {
	if err := sleep(ctx, 2*time.Second); err != nil {
		return err
	}
	pings(w.pingers)
	return nil
}

// startWorld has all members join, for the whole cluster, and then starts the publishers.
func startWorld(ctx context.Context, c *cluster, l load) (*world, error) {
	w := &world{cluster: c, book: &book{began: time.Now()}, padding: l.padding}
	w.ctx, w.cancel = context.WithCancel(ctx)
	w.publishing, w.stopSending = context.WithCancel(w.ctx)
	if l.every == 0 {
		l.every = 40 * time.Millisecond
	}
	for i := range c.nodes {
		groups := append([]string{silentGroup, fmt.Sprintf("own-%d", i)}, busy...)
		for _, group := range groups {
			for _, bare := range []bool{true, false} {
				w.addMember(i, group, bare, l.roam)
			}
		}
		for n := range l.churn {
			w.running.Go(func() { w.churn(i, n) })
		}
		w.pingers = append(w.pingers, w.startPinger(i))
	}
	for _, m := range w.members {
		if err := await(ctx, m.name()+" has joined the whole cluster", patience, m.joined.Load); err != nil {
			w.stop()
			return nil, err
		}
	}
	for i := range c.nodes {
		groups := append([]string{fmt.Sprintf("own-%d", i)}, busy...)
		for _, group := range groups {
			w.sending.Go(func() { w.publish(i, group, l, w.overHTTP) })
		}
		for _, group := range busy {
			w.sending.Go(func() { w.publish(i, group, l, w.overWebSocket) })
		}
	}
	return w, nil
}

// stop ends all clients, and the cluster.
func (w *world) stop() {
	w.leaving.Store(true)
	w.stopSending()
	w.cancel()
	w.sending.Wait()
	w.running.Wait()
	w.cluster.stop()
}

// settle stops the publishers, and waits until all that was accepted has come or was told. Behind that the silent
// group hears one message from each node. It returns the verdict on all.
func (w *world) settle() verdict {
	w.stopSending()
	w.sending.Wait()
	for i := range w.nodes {
		s := w.book.newStream(silentGroup, fmt.Sprintf("the last publisher at n%d", i), int(w.nodes[i].life.Load()))
		n := s.begin()
		m, _ := w.overHTTP(w.ctx, i, s, n, new(link))
		s.answered(n, m)
	}
	var v verdict
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		if v = w.book.judge(); v.tail == 0 || time.Now().After(deadline) {
			return v
		}
	}
}

// member is a client that is in one group, and comes back when its connection ends.
type member struct {
	w      *world
	node   int
	group  string
	bare   bool
	roam   func(i, n int) int
	joined atomic.Bool // for the whole cluster
	mu     sync.Mutex
	now    *session // of its connection
}

func (m *member) name() string {
	form := "the envelope member"
	if m.bare {
		form = "the bare member"
	}
	return fmt.Sprintf("%s of %s that began at n%d", form, m.group, m.node)
}

func (w *world) addMember(i int, group string, bare bool, roam func(i, n int) int) *member {
	m := &member{w: w, node: i, group: group, bare: bare, roam: roam}
	w.members = append(w.members, m)
	w.running.Go(m.run)
	return m
}

func (m *member) run() {
	for n := 0; m.w.ctx.Err() == nil; n++ {
		at := m.node
		if m.roam != nil {
			at = m.roam(m.node, n)
		}
		if !m.visit(at, n) {
			select {
			case <-time.After(20 * time.Millisecond):
			case <-m.w.ctx.Done():
			}
		}
	}
}

const (
	envelope  = "groupcast.v1"
	askAgain  = 300 * time.Millisecond
	readLimit = 1 << 20
)

// dial connects to a node, as a client that may be asked to come back.
func (w *world) dial(ctx context.Context, n *node, protocols ...string) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+n.listen+"/", //nolint:bodyclose // the library closes it
		&websocket.DialOptions{Subprotocols: protocols})
	if err == nil {
		conn.SetReadLimit(readLimit)
		w.connects.Add(1)
	}
	return conn, err
}

// visit is one connection, from its beginning to its end. It reports whether there was one.
func (m *member) visit(at, number int) bool {
	n := m.w.nodes[at]
	life := int(n.life.Load())
	var protocols []string
	if !m.bare {
		protocols = []string{envelope}
	}
	conn, err := m.w.dial(m.w.ctx, n, protocols...)
	if err != nil {
		return false
	}
	defer func() { _ = conn.CloseNow() }()
	s := m.w.book.newSession(&session{
		name: fmt.Sprintf("%s (connection %d, at %s)", m.name(), number, n.name), group: m.group, node: at, life: life,
		bare: m.bare, code: -1,
	})
	m.mu.Lock()
	m.now = s
	m.mu.Unlock()
	ctx, cancel := context.WithCancel(m.w.ctx)
	defer cancel()
	whole := make(chan struct{})
	m.w.running.Go(func() { askToJoin(ctx, conn, m.group, whole) })
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			m.joined.Store(false)
			if !m.w.leaving.Load() {
				s.end(err, m.w.book.now())
			}
			return true
		}
		if s.take(string(text), m.w.book) {
			m.joined.Store(true)
			select {
			case <-whole:
			default:
				close(whole)
			}
		}
	}
}

// askToJoin joins, again and again until the whole cluster is covered.
func askToJoin(ctx context.Context, conn *websocket.Conn, group string, whole <-chan struct{}) {
	command := fmt.Appendf(nil, `{"cmd":"add_group","group_id":%q,"req_id":1}`, group)
	tick := time.NewTicker(askAgain)
	defer tick.Stop()
	for conn.Write(ctx, websocket.MessageText, command) == nil {
		select {
		case <-whole:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// end notes how the connection ended.
func (s *session) end(err error, at time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.endedAt, s.code = true, at, int(websocket.CloseStatus(err))
}

// answer is what a server says beside bare messages.
type answer struct {
	Cmd     string `json:"cmd"`
	Type    string `json:"type"`
	Message any    `json:"message"`
	Code    string `json:"code"`
	Cluster *bool  `json:"cluster"`
	ReqID   int    `json:"req_id"`
}

// take enters what came, and reports whether it is the ack of a join for the whole cluster.
func (s *session) take(text string, b *book) (whole bool) {
	now := b.now()
	said, isAnswer := text, false
	var a answer
	if text != "" && text[0] == '{' {
		if json.Unmarshal([]byte(text), &a) == nil {
			isAnswer = a.Cmd == "ack" || a.Type == "ack"
			said, _ = a.Message.(string)
		}
	}
	var begun []int
	if isAnswer {
		begun = b.begun()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case isAnswer:
		if s.own == nil {
			s.own = begun
		}
		if a.Cluster == nil && s.whole == nil {
			s.whole = begun
		}
		return a.Cluster == nil
	case a.Type == "gap":
		s.events = append(s.events, event{stream: gap, at: now})
		return false
	}
	stream, number, err := readText(said)
	if err != nil {
		s.strange++
		return false
	}
	s.events = append(s.events, event{stream, number, now})
	if s.latest == nil {
		s.latest = map[int]int{}
	}
	s.latest[stream] = max(s.latest[stream], number)
	return false
}

// churn is a member of ever other groups, which come and go.
func (w *world) churn(i, k int) {
	for n := 0; w.ctx.Err() == nil; n++ {
		conn, err := w.dial(w.ctx, w.nodes[i], envelope)
		if err != nil {
			select {
			case <-time.After(50 * time.Millisecond):
			case <-w.ctx.Done():
			}
			continue
		}
		conn.CloseRead(w.ctx)
		for j := range 20 {
			group := fmt.Sprintf("churn-%d-%d-%d-%d", i, k, n, j)
			for _, command := range []string{"add_group", "leave_group"} {
				text := fmt.Appendf(nil, `{"cmd":%q,"group_id":%q}`, command, group)
				if conn.Write(w.ctx, websocket.MessageText, text) != nil {
					break
				}
				select {
				case <-time.After(10 * time.Millisecond):
				case <-w.ctx.Done():
				}
			}
		}
		_ = conn.CloseNow()
	}
}

// sessionOf is the session of a member's connection.
func (m *member) session() *session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}
