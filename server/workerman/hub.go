package workerman

import (
	"container/list"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

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

	mu            sync.Mutex
	topics        map[string]*topic
	queues        map[string]*queue
	subscriptions int // of all topics
	watches       int // of all queues
	queuedBytes   int
	queued        int
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
		opt: o, node: node, onBad: onBad, budget: &budget{limit: int64(o.MaxSendBytes)}, relieve: func() {},
		topics: make(map[string]*topic), queues: make(map[string]*queue),
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
		t := h.topics[name]
		if t == nil {
			t = &topic{}
			h.topics[name] = t
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
	t := h.topics[name]
	last := len(t.subs) - 1
	t.subs[s.at] = t.subs[last]
	t.subs[s.at].at = s.at
	t.subs[last] = nil
	t.subs = t.subs[:last]
	if last == 0 {
		delete(h.topics, name)
	}
}

// publish hands an event to every subscriber of ch.
func (h *hub) publish(from *conn, ch workerman.Channel, d *shipment) {
	e := h.newEvent(workerman.TypeEvent, ch, d)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.topics[string(ch.Name)] == nil {
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
	t := h.topics[string(name)]
	if t == nil {
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
	t := h.topics[string(ch.Name)]
	if t == nil {
		h.count.EventsUnheard++
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

// queueOverhead is what a queue counts for a message beside its bytes.
const queueOverhead = 64

// queue holds messages until a watcher asks for one.
type queue struct {
	// channel is the name in the form of whoever named the queue first.
	channel  workerman.Channel
	messages list.List // of frame
	bytes    int
	watchers int
	// consumers are the watches with a credit, in the order in which it was given.
	consumers list.List
}

// watch is one connection's of one queue.
type watch struct {
	conn  *conn
	queue *queue
	// credit says that one message is wanted; place is where it stands among
	// the consumers, nil while it waits for room in its connection's outbox.
	credit bool
	place  *list.Element
}

// queueOf returns the queue of that name and makes it if there is none, nil if
// there may be no more; the caller holds mu.
func (h *hub) queueOf(ch workerman.Channel) *queue {
	q := h.queues[string(ch.Name)]
	if q == nil && h.nameOK(ch) {
		if len(h.queues) >= h.opt.MaxQueues {
			h.count.Limited[limitQueues]++
			return nil
		}
		q = &queue{channel: workerman.Channel{Name: append([]byte(nil), ch.Name...), IsInt: ch.IsInt}}
		h.queues[string(ch.Name)] = q
	}
	return q
}

// tidy removes the queue once it is empty and unwatched.
func (h *hub) tidy(q *queue) {
	if q.watchers == 0 && q.messages.Len() == 0 {
		delete(h.queues, string(q.channel.Name))
	}
}

func (h *hub) watch(c *conn, channels []workerman.Channel) (refused int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ch := range channels {
		if c.watches[string(ch.Name)] != nil {
			continue
		}
		if !h.mayAdd(c) {
			refused++
			continue
		}
		q := h.queueOf(ch)
		if q == nil {
			refused++
			continue
		}
		c.watches[string(ch.Name)] = &watch{conn: c, queue: q}
		q.watchers++
		h.watches++
	}
	return refused
}

func (h *hub) unwatch(c *conn, channels []workerman.Channel) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ch := range channels {
		h.removeWatch(c, string(ch.Name))
	}
}

func (h *hub) removeWatch(c *conn, name string) {
	w := c.watches[name]
	if w == nil {
		return
	}
	delete(c.watches, name)
	if w.place != nil {
		w.queue.consumers.Remove(w.place)
	}
	w.queue.watchers--
	h.watches--
	h.tidy(w.queue)
}

// enqueue puts a message into the queue, or hands it to whoever waits for one.
// Where it does not fit it is dropped: what was there first stays.
func (h *hub) enqueue(from *conn, ch workerman.Channel, d workerman.Data) (refused bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.queueOf(ch)
	if q == nil {
		return true
	}
	size := len(d.Bytes) + queueOverhead
	if q.messages.Len() >= h.opt.MaxQueueMessages || q.bytes+size > h.opt.MaxQueueBytes || h.queuedBytes+size > h.opt.MaxAllQueueBytes {
		h.count.QueueDropped++
		h.tidy(q)
		return true
	}
	e := h.newEvent(workerman.TypeQueue, q.channel, &shipment{data: d})
	frame := e.frame()
	if e.tooLong {
		h.onBad(from.peer, workerman.ReasonFrameLong)
		h.tidy(q)
		return false
	}
	h.count.Enqueued++
	q.messages.PushBack(frame)
	h.account(q, 1, frame.size()+queueOverhead)
	h.dispatch(q)
	return false
}

func (h *hub) account(q *queue, messages, bytes int) {
	q.bytes += bytes
	h.queuedBytes += bytes
	h.queued += messages
}

// reserve gives c one credit on each queue that it watches. A job that it had is
// done: PHP's client asks for the next one then.
func (h *hub) reserve(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.job.Store(0)
	for _, w := range c.watches {
		if !w.credit {
			w.credit = true
			w.place = w.queue.consumers.PushBack(w)
		}
		h.dispatch(w.queue)
	}
}

// dispatch hands messages to consumers while there are both. A consumer whose
// outbox is full keeps its credit and steps aside until it has room: a job that
// nobody has begun is not lost to a slow worker.
func (h *hub) dispatch(q *queue) {
	for q.messages.Len() > 0 && q.consumers.Len() > 0 {
		first := q.consumers.Front()
		w := first.Value.(*watch)
		message := q.messages.Front()
		frame := message.Value.(frame)
		q.consumers.Remove(first)
		w.place = nil
		if !w.conn.out.offerOrTell(frame) {
			continue
		}
		w.conn.job.Store(time.Now().UnixNano())
		w.credit = false
		q.messages.Remove(message)
		h.account(q, -1, -frame.size()-queueOverhead)
		h.count.Dequeued++
	}
	h.tidy(q)
	h.keepBudget()
}

// hasRoom puts c back among the consumers that it stepped aside from.
func (h *hub) hasRoom(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range c.watches {
		if w.credit && w.place == nil {
			w.place = w.queue.consumers.PushBack(w)
			h.dispatch(w.queue)
		}
	}
}

// maxNamedQueues is how many queues a log record names.
const maxNamedQueues = 20

// logQueues tells of the jobs that are lost with the process: queues are in memory.
func (h *hub) logQueues(log *slog.Logger) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.queued == 0 {
		return
	}
	names := make([]string, 0, maxNamedQueues+1)
	for name, q := range h.queues {
		if q.messages.Len() == 0 {
			continue
		}
		if len(names) == maxNamedQueues {
			names = append(names, "...")
			break
		}
		names = append(names, fmt.Sprintf("%s (%d)", name, q.messages.Len()))
	}
	log.Warn("channel: jobs that nobody has taken are lost: queues are in memory", "jobs", h.queued, "queues", strings.Join(names, ", "))
}
