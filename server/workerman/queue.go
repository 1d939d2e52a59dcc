package workerman

import (
	"cmp"
	"container/list"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"groupcast/protocol/workerman"
)

// The queues are the other half of the hub: everything here is guarded by its mu.

// loss is why a message of a queue was thrown away.
type loss int

const (
	lostAged loss = iota
	lostCrowded
	lostPurged
	losses
)

var lossNames = [losses]string{"aged", "crowded", "purged"}

// queueOverhead is what a queue counts for a message beside its bytes.
const queueOverhead = 64

// queue holds messages until a watcher asks for one.
type queue struct {
	// channel is the name in the form of the connection that named the queue first.
	channel  workerman.Channel
	messages list.List // of queued
	bytes    int
	watchers int
	// consumers are the watches with a credit, in the order in which it was given.
	consumers list.List
	// maker made the queue, and place is where it stands among those of its queues
	// that nobody watches, nil if it is none of these.
	maker *maker
	place *list.Element
}

// queued is a message of a queue, and when it came.
type queued struct {
	frame frame
	at    time.Time
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

// queueOf returns the queue of that name and makes it for c if there is none, nil
// if there may be no more; the caller holds mu.
func (h *hub) queueOf(c *conn, ch workerman.Channel) *queue {
	q := h.queues.all[string(ch.Name)]
	if q != nil || !h.nameOK(ch) {
		return q
	}
	if c.maker == nil {
		c.maker = &maker{peer: c.peer}
	}
	if len(h.queues.all) >= h.opt.MaxQueues && !h.makeRoom(c.maker) {
		h.count.Limited[limitQueues]++
		return nil
	}
	q = &queue{channel: workerman.Channel{Name: append([]byte(nil), ch.Name...), IsInt: ch.IsInt}, maker: c.maker}
	h.queues.put(string(ch.Name), q)
	h.makers.add(q)
	return q
}

// makeRoom removes a queue that nobody watches, of the connection that made most
// of them, so that another one may make one more. It reports whether there was one
// that made more than that.
func (h *hub) makeRoom(other *maker) bool {
	m := h.makers.most()
	if m == nil || m.queues.Len() <= other.queues.Len()+1 {
		return false
	}
	q := m.queues.Back().Value.(*queue) // what was there first stays
	n := h.empty(q, lostCrowded)
	h.complain("channel: a queue was removed for another: they are too many, and this peer made most",
		"limit", h.opt.MaxQueues, "queue", string(q.channel.Name), "jobs", n, "made_by", m.peer)
	return true
}

// tidy removes the queue once it is empty and unwatched.
func (h *hub) tidy(q *queue) {
	if q.watchers == 0 && q.messages.Len() == 0 {
		h.queues.remove(string(q.channel.Name))
		h.makers.remove(q)
	}
}

// empty throws the messages of a queue away and reports how many they were.
func (h *hub) empty(q *queue, why loss) (messages int) {
	for q.messages.Len() > 0 {
		h.lose(q, q.messages.Front(), why)
		messages++
	}
	h.tidy(q)
	return messages
}

// lose throws one message away.
func (h *hub) lose(q *queue, message *list.Element, why loss) {
	m := q.messages.Remove(message).(queued)
	h.account(q, -1, -m.frame.size()-queueOverhead)
	h.count.QueueLost[why]++
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
		q := h.queueOf(c, ch)
		if q == nil {
			refused++
			continue
		}
		c.watches[string(ch.Name)] = &watch{conn: c, queue: q}
		q.watchers++
		h.makers.remove(q)
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
	if w.queue.watchers--; w.queue.watchers == 0 {
		h.makers.add(w.queue)
	}
	h.watches--
	h.tidy(w.queue)
}

// enqueue puts a message into the queue, or hands it to a watcher that waits for one.
// Where it does not fit it is dropped: what was there first stays.
func (h *hub) enqueue(from *conn, ch workerman.Channel, d workerman.Data) (refused bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.queueOf(from, ch)
	if q == nil {
		return true
	}
	e := h.newEvent(workerman.TypeQueue, q.channel, &shipment{data: d})
	size := e.maxSize() + queueOverhead // what is refused is not encoded
	if h.opt.Budget.Refuses() || q.messages.Len() >= h.opt.MaxQueueMessages || q.bytes+size > h.opt.MaxQueueBytes ||
		!h.roomFor(q, size) {
		h.count.QueueDropped++
		h.tidy(q)
		return true
	}
	frame := e.frame()
	if e.tooLong {
		h.onBad(from.peer, workerman.ReasonFrameLong)
		h.tidy(q)
		return false
	}
	h.count.Enqueued++
	q.messages.PushBack(queued{frame, time.Now()})
	h.account(q, 1, frame.size()+queueOverhead)
	h.dispatch(q)
	return false
}

// searchEvery is how often the largest queue is looked for, which takes a while.
const searchEvery = 10 * time.Millisecond

// largerThan is a queue, other than q, that holds more than so many bytes: the
// largest one there was when it was last looked for. nil is none.
func (h *hub) largerThan(q *queue, bytes int) *queue {
	every := searchEvery
	switch {
	case h.largest == q:
		every = time.Second // most likely it still is
	case h.largest != nil && h.largest.bytes > bytes:
		return h.largest
	}
	now := time.Now()
	if now.Sub(h.searched) < every {
		return nil
	}
	h.searched, h.largest = now, q
	for _, other := range h.queues.all {
		if other.bytes > h.largest.bytes {
			h.largest = other
		}
	}
	if h.largest == q || h.largest.bytes <= bytes {
		return nil
	}
	return h.largest
}

// roomFor makes room for size more bytes in q, where all queues together are full:
// a larger one, the largest, loses what came last. It reports whether there is room.
func (h *hub) roomFor(q *queue, size int) bool {
	if h.queuedBytes+size <= h.opt.MaxAllQueueBytes {
		return true
	}
	largest := h.largerThan(q, q.bytes+size)
	if largest == nil {
		return false
	}
	// More than is needed, so that not each message looks for it anew.
	const part = 16
	jobs := 0
	for largest.messages.Len() > 0 && largest.bytes > q.bytes+size &&
		h.queuedBytes+size > h.opt.MaxAllQueueBytes-h.opt.MaxAllQueueBytes/part {
		h.lose(largest, largest.messages.Back(), lostCrowded)
		jobs++
	}
	h.complain("channel: the largest queue lost jobs: the queues are full together",
		"limit", h.opt.MaxAllQueueBytes, "queue", string(largest.channel.Name), "jobs", jobs)
	h.tidy(largest)
	return h.queuedBytes+size <= h.opt.MaxAllQueueBytes
}

func (h *hub) account(q *queue, messages, bytes int) {
	q.bytes += bytes
	h.queuedBytes += bytes
	h.process.Add(int64(bytes))
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
		frame := message.Value.(queued).frame
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

// sweep throws messages away that have waited for QueueTimeout while nobody watches
// their queue, and tells of those that wait so.
func (h *hub) sweep(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	unwatched, waiting, aged := "", 0, 0
	for name, q := range h.queues.all {
		if q.watchers > 0 {
			continue
		}
		for q.messages.Len() > 0 && now.Sub(q.messages.Front().Value.(queued).at) >= h.opt.QueueTimeout {
			h.lose(q, q.messages.Front(), lostAged)
			aged++
		}
		if n := q.messages.Len(); n > 0 {
			unwatched, waiting = name, waiting+n
		}
		h.tidy(q)
	}
	if aged > 0 {
		h.complain("channel: jobs are gone that nobody came for", "jobs", aged, "after", h.opt.QueueTimeout)
	}
	if waiting > 0 {
		h.complain("channel: jobs wait in queues that nobody watches", "jobs", waiting, "queue", unwatched)
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
	for name, q := range h.queues.all {
		if q.messages.Len() == 0 {
			continue
		}
		if len(names) == maxNamedQueues {
			names = append(names, "...")
			break
		}
		names = append(names, fmt.Sprintf("%s (%d)", name, q.messages.Len()))
	}
	log.Warn("channel: jobs that nobody has taken are lost: queues are in memory", "jobs", h.queued, "queues",
		strings.Join(names, ", "))
}

// Queue is a queue as an operator sees it.
type Queue struct {
	Name      string
	Messages  int
	Bytes     int
	Watchers  int
	Consumers int           // watchers that have asked for a message
	Oldest    time.Duration // age of the first message; 0 without one
}

// Queues lists up to limit queues, those first that hold most bytes, and says how
// many there are.
func (s *Server) Queues(limit int) (list []Queue, all int) {
	h := s.hub
	now := time.Now()
	h.mu.Lock()
	for name, q := range h.queues.all {
		one := Queue{
			Name: name, Messages: q.messages.Len(), Bytes: q.bytes, Watchers: q.watchers,
			Consumers: q.consumers.Len(),
		}
		if first := q.messages.Front(); first != nil {
			one.Oldest = now.Sub(first.Value.(queued).at)
		}
		list = append(list, one)
	}
	h.mu.Unlock()
	slices.SortFunc(list, func(a, b Queue) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Name, b.Name))
	})
	return list[:min(len(list), limit)], len(list)
}

// PurgeQueue throws the messages of a queue away, and reports how many they were
// and whether there is such a queue.
func (s *Server) PurgeQueue(name string) (messages int, ok bool) {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.queues.all[name]
	if q == nil {
		return 0, false
	}
	return h.empty(q, lostPurged), true
}
