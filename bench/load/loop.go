package main

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

const (
	// turnEvents is small, so that a publisher is never much later than due because others had to be read first.
	turnEvents = 128
	// turnNanos is how long a loop sleeps at most: it then sees what the run has set in its control.
	turnNanos   = 20e6
	bufferBytes = 256 << 10
)

// loop is one thread of the generator: an epoll and everything that belongs to its connections.
// Owner: its goroutine, locked to a thread. Only snapshot may be called from elsewhere while it runs.
type loop struct {
	plan     *plan
	control  *control
	target   unix.Sockaddr
	api      unix.Sockaddr // where posters go
	addr     string
	tokens   []string
	dialect  *dialect // nil: groupcast's own
	prefixes [][]byte // by group: what stands before a message's payload
	suffix   string   // what stands behind it
	padding  string

	acks           bool
	closeWhenReady bool
	healthz        bool
	firstBytes     int
	shaking        handshakes
	sources        int // local addresses to connect from
	concurrency    int // connections on their way at a time
	stepInterval   float64

	epoll      int
	conns      []conn
	nextToDial int
	dialing    int
	dialed     int
	publishers []*publisher
	visitors   []*conn
	steps      int64

	now       int64 // the time of the last read, or of the turn's beginning
	buffer    []byte
	ledger    ledger
	latency   *hdr.Histogram // microseconds
	from      int64          // the measured window, read once per turn
	until     int64
	stats     stats
	mu        sync.Mutex
	published stats // guarded by mu: the last turn's stats
}

// newLoop prepares a loop for the given seats; run starts it.
func newLoop(p *plan, c *control, o options, target unix.Sockaddr, seats []int32) (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create an epoll: %w", err)
	}
	l := &loop{
		plan: p, control: c, target: target, epoll: epoll,
		addr:           o.Addr,
		tokens:         o.tokens,
		dialect:        o.dialect,
		acks:           o.Acks,
		closeWhenReady: o.closeWhenReady,
		healthz:        o.healthz,
		firstBytes:     o.firstBytes,
		sources:        o.Sources,
		concurrency:    max(1, o.Concurrency/o.Threads),
		padding:        padding(o.size),
		buffer:         make([]byte, bufferBytes+16),
		latency:        hdr.New(1, 3600e6, 3),
		conns:          make([]conn, len(seats)),
	}
	for _, name := range p.names {
		before, behind := o.around(name)
		l.prefixes, l.suffix = append(l.prefixes, []byte(before)), behind
	}
	for i, seat := range seats {
		l.seat(&l.conns[i], seat, o)
	}
	l.shaking = handshakes{config: o.tlsConfig(), arrivals: make(chan arrival, l.concurrency)}
	if o.TLSResume {
		if err := l.shaking.prime(o.Addr); err != nil {
			return nil, err
		}
		l.shaking.resume = true
	}
	if o.PublishAPI != "" {
		l.addPosters()
	}
	if o.stepRate > 0 {
		l.stepInterval = 1e9 / (o.stepRate / float64(o.Threads))
	}
	return l, nil
}

// seat prepares a connection for its part.
func (l *loop) seat(c *conn, n int32, o options) {
	s := l.plan.seats[n]
	*c = conn{fd: -1, seat: n, role: s.role}
	if len(s.groups) == 1 {
		c.group = s.groups[0]
		c.base = l.ledger.reserve(l.plan.lanes(s.groups[0]))
	} else {
		c.bases = make([]int32, len(l.plan.names))
		for g := range c.bases {
			c.bases[g] = -1
		}
		for _, g := range s.groups {
			c.bases[g] = int32(l.ledger.reserve(l.plan.lanes(g)))
		}
	}
	if s.publisher >= 0 {
		c.publisher = &publisher{conn: c, id: uint32(s.publisher), streams: l.plan.publishers[s.publisher], window: o.window}
		if o.window == 0 {
			c.publisher.interval = 1e9 / o.rate * float64(len(l.plan.publishers))
			c.publisher.offset = 1e9 / o.rate * float64(s.publisher)
		}
		l.publishers = append(l.publishers, c.publisher)
	}
	if s.role == visitor {
		c.visit = &visit{mustSee: make([]uint32, l.plan.lanes(s.groups[0]))}
		l.visitors = append(l.visitors, c)
		l.expect(c, adopting)
	}
}

func (l *loop) index(c *conn) int32 {
	return int32((uintptr(unsafe.Pointer(c)) - uintptr(unsafe.Pointer(&l.conns[0]))) / unsafe.Sizeof(*c))
}

// run turns until it is told to stop, or fails.
func (l *loop) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	events := make([]unix.EpollEvent, turnEvents)
	awakened := false
	for !l.control.stop.Load() && l.stats.Failure == "" {
		l.now = clock()
		l.from, l.until = l.control.windowFrom.Load(), l.control.windowUntil.Load()
		l.dialSome()
		if !awakened && l.control.draining.Load() {
			awakened = true
			l.awakeAll()
		}
		l.arrive()
		rest := l.act()
		if l.shaking.config != nil && l.dialing > 0 {
			rest = min(rest, 1e6) // epoll does not know of handshakes
		}
		n, err := l.wait(events, rest)
		if err != nil {
			l.fail(err)
		}
		for i := range n {
			l.handle(events[i])
		}
		l.snapshotHere()
	}
	l.stats.Missing = l.ledger.open
	l.snapshotHere()
}

// act does what is due and returns the time until the next thing is, in nanoseconds.
func (l *loop) act() int64 {
	from, until := l.control.publishFrom.Load(), l.control.publishUntil.Load()
	next := l.now + turnNanos
	if from == never {
		return turnNanos
	}
	l.stepVisitors(from, until)
	for _, p := range l.publishers {
		l.publish(p, from, until) // after until too, what was due before
		if due := p.due(from); due < until && (p.window == 0 || l.now < from) {
			next = min(next, due)
		}
	}
	if len(l.visitors) > 0 && l.now < until {
		next = min(next, from+int64(float64(l.steps)*l.stepInterval))
	}
	return max(0, next-clock())
}

// wait is epoll_wait in nanoseconds: a message due in 300 microseconds should neither wait for a millisecond nor spin.
func (l *loop) wait(events []unix.EpollEvent, nanos int64) (int, error) {
	timeout := unix.NsecToTimespec(nanos)
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(l.epoll), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), uintptr(unsafe.Pointer(&timeout)), 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	case unix.ENOSYS: // Linux before 5.11: round down, and spin for the last millisecond
		k, err := unix.EpollWait(l.epoll, events, int(nanos/1e6))
		return max(k, 0), ignoreInterrupt(err)
	}
	return 0, fmt.Errorf("epoll_pwait2: %w", errno)
}

func ignoreInterrupt(err error) error {
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	return err
}

func (l *loop) handle(e unix.EpollEvent) {
	c := &l.conns[e.Fd]
	if c.fd != e.Pad || c.stage == closed { // closed earlier in this turn
		return
	}
	if c.stage == connecting {
		l.connected(c)
		return
	}
	if e.Events&unix.EPOLLOUT != 0 {
		l.flush(c)
	}
	if c.asleep { // only its end can be noticed while it does not read; what has come before is taken in then
		l.awake(c)
	}
	if e.Events&^unix.EPOLLOUT != 0 && c.stage != closed {
		l.receive(c)
	}
	// A window that has room is filled at once, with one write for all of this read's confirmations.
	if p := c.publisher; p != nil && p.window > 0 {
		l.publish(p, l.control.publishFrom.Load(), l.control.publishUntil.Load())
	}
}

// deliver checks one message of a group.
func (l *loop) deliver(c *conn, body []byte) {
	s, ok := readStamp(body)
	if !ok || string(body[stampBytes:]) != l.padding {
		l.stats.Damaged++
		return
	}
	lane, known := l.plan.lane(s.group, s.publisher)
	base := int32(c.base)
	if c.bases != nil && known {
		base = c.bases[s.group]
	} else if known && c.group != int32(s.group) {
		known = false
	}
	if !known || base < 0 {
		l.stats.Misdelivered++
		return
	}
	slot := uint32(base) + uint32(lane)
	if c.visit != nil && l.ledger.next[slot] == adopting {
		l.visited(c, lane, s.seq)
	}
	switch l.ledger.judge(slot, s.seq) {
	case fresh:
	case reordered:
		l.stats.Reordered++
	case duplicate:
		l.stats.Duplicated++
		return
	case stray:
		l.stats.Misdelivered++
		return
	}
	l.stats.Delivered++
	if c.role == member {
		l.stats.Expected++
	}
	if c.publisher != nil && c.publisher.id == s.publisher {
		c.publisher.underWay--
	}
	if s.intended >= l.from && s.intended < l.until && c.role != sleeper {
		_ = l.latency.RecordValue((l.now - s.intended) / 1000)
	}
	l.stats.Arrival = l.now
}

func (l *loop) dialSome() {
	for l.dialing < l.concurrency && l.nextToDial < len(l.conns) {
		i := int32(l.nextToDial)
		l.nextToDial++
		if err := l.dial(i); err != nil {
			l.fail(err)
			return
		}
		if l.nextToDial%turnEvents == 0 {
			return
		}
	}
}

func (l *loop) awakeAll() {
	for i := range l.conns {
		if c := &l.conns[i]; c.asleep {
			l.awake(c)
		}
	}
}

func (l *loop) fail(err error) {
	if l.stats.Failure == "" {
		l.stats.Failure = err.Error()
	}
}

func (l *loop) snapshotHere() {
	l.stats.Missing = l.ledger.open
	l.mu.Lock()
	l.published = l.stats
	l.mu.Unlock()
}

// snapshot is the loop's statistics as of its last turn.
func (l *loop) snapshot() stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.published
}

// lostTail is what was published and never came, after the last message each member saw. Sleepers that were closed and
// members that were closed are told apart from loss: they know. It may be called when the loop has ended.
func (l *loop) lostTail() (n uint64) {
	for i := range l.conns {
		c := &l.conns[i]
		if c.stage != ready || c.role == visitor || c.role == poster {
			continue
		}
		for _, g := range l.plan.seats[c.seat].groups {
			base := c.base
			if c.bases != nil {
				base = uint32(c.bases[g])
			}
			for lane := range l.plan.lanes(g) {
				n += l.ledger.tail(base+uint32(lane), l.plan.published[l.plan.firstStream[g]+int32(lane)].Load())
			}
		}
	}
	return n
}

// close ends all connections with a reset: it leaves no TIME_WAIT behind that would use up ports for the next run.
func (l *loop) close() {
	l.shaking.abandon()
	for i := range l.conns {
		if c := &l.conns[i]; c.fd >= 0 {
			_ = unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			_ = unix.Close(int(c.fd))
			c.fd = -1
		}
	}
	_ = unix.Close(l.epoll)
}
