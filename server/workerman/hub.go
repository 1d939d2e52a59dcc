package workerman

import (
	"sync"
	"time"

	memory "groupcast/loop/budget"
	"groupcast/protocol/workerman"
)

// hub is who subscribes to what, and the queues: the state that all connections
// share. It puts all events into one order, so that any two subscribers agree.
//
// Nothing in it waits: what a connection cannot take is dropped and counted.
// Lock order: hub.mu, then an outbox's.
type hub struct {
	opt  *Options
	node *Node
	// onBad is told of messages that cannot be passed on; it does not wait.
	onBad func(peer string, why workerman.Reason)
	// budget is what may wait for all connections, and relieve ends the largest of
	// them once more does. It does not wait either, and does not come back to the hub.
	budget  *budget
	relieve func()
	process *memory.Account // where queues count for the whole process
	// complain logs, at most every so often.
	complain func(text string, args ...any)

	mu            sync.Mutex
	topics        nameTable[topic]
	queues        nameTable[queue]
	subscriptions int // of all topics
	watches       int // of all queues
	queuedBytes   int
	queued        int
	makers        makers
	largest       *queue    // when it was last looked for; it has no bytes once it is gone
	searched      time.Time // when that was
	count         HubCounters
}

// limit is one that subscribing, watching and enqueuing can meet.
type limit int

const (
	limitName limit = iota
	limitPerFrame
	limitPerConn
	limitInAll
	limitQueues
	limits
)

var limitNames = [limits]string{"channel_bytes", "channels_per_message", "channels_per_conn", "subscriptions", "queues"}

// topic is a channel that has subscribers.
type topic struct {
	subs []*subscription
	next int // of subs: who is next in publishLoop
}

// subscription is one connection's to one channel.
type subscription struct {
	conn *conn
	at   int // index in the topic's subs
}

func newHub(o *Options, node *Node, onBad func(peer string, why workerman.Reason)) *hub {
	return &hub{
		opt: o, node: node, onBad: onBad, relieve: func() {},
		budget:   &budget{limit: int64(o.MaxSendBytes), process: o.Budget.Account(memory.Channel)},
		process:  o.Budget.Account(memory.Channel),
		complain: func(string, ...any) {},
	}
}

func (h *hub) newEvent(t workerman.Type, c workerman.Channel, d *shipment) *event {
	return &event{typ: t, channel: c, data: d, budget: h.budget, limit: h.opt.MaxFrameBytes}
}

// beyond counts channels of a message that were not looked at.
func (h *hub) beyond(n int) {
	if n > 0 {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.count.Limited[limitPerFrame] += uint64(n)
	}
}

// nameOK checks a channel's name; the caller holds mu.
func (h *hub) nameOK(c workerman.Channel) bool {
	if len(c.Name) > h.opt.MaxChannelBytes {
		h.count.Limited[limitName]++
		return false
	}
	return true
}

// mayAdd says whether c may subscribe to or watch one more; the caller holds mu.
func (h *hub) mayAdd(c *conn) bool {
	switch {
	case len(c.subs)+len(c.watches) >= h.opt.MaxChannelsPerConn:
		h.count.Limited[limitPerConn]++
		return false
	case h.subscriptions+h.watches >= h.opt.MaxSubscriptions:
		h.count.Limited[limitInAll]++
		return false
	}
	return true
}

// subscribe adds c to the channels' subscribers, once each. node names the
// groupcast that it is, if it says so.
func (h *hub) subscribe(c *conn, channels []workerman.Channel, node []byte) (refused int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.node == "" && workerman.IsNodeID(node) {
		c.node = string(node)
		h.node.come(c.node)
	}
	for _, ch := range channels {
		if c.subs[string(ch.Name)] != nil {
			continue
		}
		if !h.nameOK(ch) || !h.mayAdd(c) {
			refused++
			continue
		}
		name := string(ch.Name)
		t := h.topics.all[name]
		if t == nil {
			t = &topic{}
			h.topics.put(name, t)
		}
		s := &subscription{c, len(t.subs)}
		t.subs = append(t.subs, s)
		c.subs[name] = s
		h.subscriptions++
	}
	return refused
}

func (h *hub) unsubscribe(c *conn, channels []workerman.Channel) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ch := range channels {
		h.removeSubscription(c, string(ch.Name))
	}
}

func (h *hub) removeSubscription(c *conn, name string) {
	s := c.subs[name]
	if s == nil {
		return
	}
	delete(c.subs, name)
	h.subscriptions--
	t := h.topics.all[name]
	last := len(t.subs) - 1
	t.subs[s.at] = t.subs[last]
	t.subs[s.at].at = s.at
	t.subs[last] = nil
	t.subs = t.subs[:last]
	if last == 0 {
		h.topics.remove(name)
	}
}

// publish hands an event to every subscriber of ch.
func (h *hub) publish(from *conn, ch workerman.Channel, d *shipment) {
	e := h.newEvent(workerman.TypeEvent, ch, d)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.topics.all[string(ch.Name)] == nil {
		h.count.EventsUnheard++
		return
	}
	h.publishEvents(ch.Name, func(*conn) *event { return e })
	if e.tooLong {
		h.onBad(from.peer, workerman.ReasonFrameLong)
	}
}

// publishEvents hands to each subscriber of the channel the event that is
// chosen for it, if any, and reports how many took it. The caller holds mu.
func (h *hub) publishEvents(name []byte, choose func(*conn) *event) (taken int) {
	t := h.topics.all[string(name)]
	if t == nil {
		return 0
	}
	if h.opt.Budget.Refuses() {
		h.count.EventsDropped += uint64(len(t.subs))
		return 0
	}
	defer h.keepBudget()
	for _, s := range t.subs {
		e := choose(s.conn)
		if e == nil {
			continue
		}
		took := s.conn.out.offer(e)
		switch {
		case e.tooLong:
			return taken
		case took:
			h.count.EventsOut++
			taken++
		default:
			h.count.EventsDropped++
		}
	}
	return taken
}

// keepBudget is called when frames were handed out.
func (h *hub) keepBudget() {
	if h.budget.isOver() {
		h.relieve()
	}
}

// publishLoop hands an event to one subscriber of ch, in turn. One whose send
// buffer is full is passed over.
func (h *hub) publishLoop(from *conn, ch workerman.Channel, d *shipment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics.all[string(ch.Name)]
	if t == nil {
		h.count.EventsUnheard++
		return
	}
	if h.opt.Budget.Refuses() {
		h.count.EventsDropped++
		return
	}
	e := h.newEvent(workerman.TypeEvent, ch, d)
	defer h.keepBudget()
	for range t.subs {
		t.next = (t.next + 1) % len(t.subs) // the second one first, as Workerman's does
		if t.subs[t.next].conn.out.offer(e) {
			if e.tooLong {
				h.onBad(from.peer, workerman.ReasonFrameLong)
				return
			}
			h.count.EventsOut++
			return
		}
	}
	h.count.EventsDropped++
}

// drop takes c out of everything.
func (h *hub) drop(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name := range c.subs {
		h.removeSubscription(c, name)
	}
	for name := range c.watches {
		h.removeWatch(c, name)
	}
	if c.node != "" {
		h.node.leave(c.node)
	}
}
