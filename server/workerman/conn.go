package workerman

import (
	"container/list"
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"groupcast/protocol/workerman"
)

// readBytes is the size of a connection's read buffer.
const readBytes = 8 << 10

// conn is one connection to a Server: a goroutine that reads and one that writes.
// Owner: the reading goroutine; subs, watches, maker and node belong to the hub, silent to
// the Server.
type conn struct {
	server  *Server
	socket  net.Conn
	peer    string // for the log
	address string // see addressOf
	out     *outbox
	silent  *list.Element // among the silentConns; nil once it has said something

	mu      sync.Mutex // guards the next two, and the deadlines with them
	stopped bool       // nothing more is read
	cut     bool       // nothing more is waited for

	evicted atomic.Int32 // why it is to end, plus one; see evict
	job     atomic.Int64 // when it was handed a job, in Unix nanoseconds; 0 if it has none

	stalled int // parts of StallTimeout without progress; the writing goroutine's

	since    time.Time // when it was accepted
	pinged   bool
	spoken   bool         // it has sent a whole frame
	heard    atomic.Int64 // when it last sent anything, in Unix nanoseconds
	begun    time.Time    // since when a frame is not all there; zero if none is
	splitter workerman.Splitter
	decoder  *workerman.Decoder

	subs    map[string]*subscription
	watches map[string]*watch
	maker   *maker // nil before it has made a queue
	node    string // the groupcast at the other end, if it says so
}

func (s *Server) newConn(socket net.Conn) *conn {
	c := &conn{
		server:  s,
		socket:  socket,
		peer:    socket.RemoteAddr().String(),
		address: s.opt.addressOf(socket.RemoteAddr()),
		out:     newOutbox(s.opt.SendBufferBytes),
		decoder: workerman.NewDecoder(workerman.Limits{MaxDepth: s.opt.MaxDepth, MaxChannels: s.opt.MaxChannelsPerFrame}),
		subs:    make(map[string]*subscription),
		watches: make(map[string]*watch),
	}
	c.since = time.Now()
	c.heard.Store(c.since.UnixNano())
	return c
}

// serve serves the connection until it ends.
func (c *conn) serve() {
	s := c.server
	c.out.before = c.setWriteDeadline
	c.out.goOn = c.goOnWriting
	c.out.wrote = func(_, bytes int) {
		c.stalled = 0
		s.count.BytesOut.Add(uint64(bytes))
	}
	c.out.room = func() { s.hub.hasRoom(c) }
	written := make(chan error, 1)
	go func() {
		err := c.out.run(c.socket)
		if err != nil {
			_ = c.socket.Close() // so that reading ends
		}
		written <- err
	}()
	why := c.read()
	s.reading.Done()
	if why == closedByUs {
		// Stay a subscriber until all that is on its way has come.
		<-s.flush
	}
	s.hub.drop(c)
	c.out.end()
	if why != closedByUs {
		_ = c.socket.Close()
	}
	err := <-written
	unread := 0
	switch {
	case why != closedByUs:
	case err == nil:
		unread = linger(c.socket, c.isCut)
	default:
		unread = unacknowledged(c.socket)
	}
	_ = c.socket.Close()
	if evicted := c.evicted.Load(); evicted > 0 && why != closedByUs {
		why = closing(evicted - 1)
	}
	c.ended(why, unread)
}

// ended does the books of a connection that has ended, of which so many bytes
// were written and never acknowledged.
func (c *conn) ended(why closing, unread int) {
	s := c.server
	s.halves.set(c, 0)
	_, bytes := c.out.waiting()
	frames := c.out.discard()
	s.count.FramesDiscarded.Add(uint64(frames))
	s.count.ConnsClosed[why].Add(1)
	if why == closedByUs && bytes+unread > 0 {
		s.undelivered.add(frames, bytes+unread)
	}
	if why.isOurDoing() {
		s.ration.Warn("channel: a connection was closed", "why", closingNames[why], "peer", c.peer)
	}
}

// closing is why a connection ended.
type closing int

const (
	closedByPeer closing = iota
	closedByUs
	closedBadFrame
	closedSilent
	closedPartial
	closedNotAllowed
	closedNoWord
	closedCrowded
	closedHalfFrame
	closedStalled
	closedBudget
	closedMemory
	closings
)

var closingNames = [closings]string{
	"peer", "shutdown", "bad_frame", "silent", "partial_frames", "not_allowed", "no_word", "crowded", "half_frame",
	"stalled", "send_budget", "memory",
}

// isOurDoing reports whether the server ended the connection for a reason that the
// log has not named yet.
func (w closing) isOurDoing() bool {
	return w != closedByPeer && w != closedByUs && w != closedBadFrame && w != closedNotAllowed
}

// evict ends the connection at once; what waits for it is let go. It may be called
// from any goroutine, and does not wait.
func (c *conn) evict(why closing) {
	if c.evicted.CompareAndSwap(0, int32(why)+1) {
		c.server.count.FramesDiscarded.Add(uint64(c.out.discard()))
		_ = c.socket.Close()
	}
}

func (c *conn) isEvicted() bool { return c.evicted.Load() > 0 }

// read serves frames until there are no more.
func (c *conn) read() closing {
	s := c.server
	buf := make([]byte, readBytes)
	lastCall := false
	for {
		if !c.mayRead(lastCall) {
			return closedByUs
		}
		n, err := c.socket.Read(buf)
		s.count.BytesIn.Add(uint64(n))
		if n > 0 {
			c.heard.Store(time.Now().UnixNano())
		}
		if why, ok := c.take(buf[:n]); !ok {
			return why
		}
		if n == len(buf) {
			runtime.Gosched() // more is there: see doc.go, "Large frames"
		}
		switch {
		case err == nil && !lastCall:
			continue
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && s.isClosing(), c.isCut():
			return closedByUs
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return closedByPeer
		}
		at, why := c.due()
		late := !at.IsZero() && !time.Now().Before(at)
		if late && lastCall {
			return why // what came last did not help
		}
		lastCall = late
	}
}

// lastCallTime is how long a connection is read whose time is over: what came
// while the process stood still has not been read yet.
const lastCallTime = 20 * time.Millisecond

// mayRead sets until when the peer must have said something; false if it is not
// to be read any more.
func (c *conn) mayRead(lastCall bool) bool {
	at, _ := c.due()
	if lastCall {
		at = time.Now().Add(lastCallTime)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return false
	}
	_ = c.socket.SetReadDeadline(at) // of a dead socket reading will tell
	return true
}

// stopReading ends read, behind the frame that is being served.
func (c *conn) stopReading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	_ = c.socket.SetReadDeadline(longAgo)
}

// cutShort ends all waiting for the peer.
func (c *conn) cutShort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	_ = c.socket.SetReadDeadline(longAgo)
	_ = c.socket.SetWriteDeadline(longAgo)
}

func (c *conn) isCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut
}

// due is until when the peer must say something, and why it is closed if it does
// not; the zero time is never. A connection that holds a job may be silent: PHP
// without an event loop can neither ping nor read while it works.
func (c *conn) due() (at time.Time, why closing) {
	o := &c.server.opt
	heard := time.Unix(0, c.heard.Load())
	earliest := func(after time.Time, d time.Duration, reason closing) {
		if t := after.Add(d); d > 0 && (at.IsZero() || t.Before(at)) {
			at, why = t, reason
		}
	}
	if c.pinged {
		earliest(heard, o.PingTimeout, closedSilent)
	} else {
		earliest(heard, o.IdleTimeout, closedSilent)
	}
	if until := c.jobUntil(); !at.IsZero() && at.Before(until) {
		at = until
	}
	if !c.spoken {
		earliest(c.since, o.FirstTimeout, closedNoWord)
	}
	if !c.begun.IsZero() {
		earliest(c.begun, o.FrameTimeout, closedHalfFrame)
	}
	return at, why
}

// jobUntil is until when the connection may be busy with its job; the zero time
// if it has none.
func (c *conn) jobUntil() time.Time {
	since := c.job.Load()
	if since == 0 {
		return time.Time{}
	}
	return time.Unix(0, since).Add(c.server.opt.JobTimeout)
}

// setWriteDeadline is called before each write.
func (c *conn) setWriteDeadline() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.cut {
		_ = c.socket.SetWriteDeadline(time.Now().Add(c.server.opt.StallTimeout / stallParts))
	}
}

// stallParts is in how many parts StallTimeout is waited for: a part passes while
// the process stands still, and the peer could not have read.
const stallParts = 2

// goOnWriting reports whether to, when a write has not ended within its part of
// StallTimeout: while the peer takes something, and while it is busy with a job.
func (c *conn) goOnWriting(progress bool) bool {
	c.stalled++
	switch {
	case c.isCut():
		return false
	case progress || time.Now().Before(c.jobUntil()):
		c.stalled = 0
	case c.stalled >= stallParts:
		c.evict(closedStalled)
		return false
	}
	return true
}

// take serves the frames that end in in.
func (c *conn) take(in []byte) (why closing, ok bool) {
	s := c.server
	before, ended := c.splitter.Buffered(), false
	for {
		body, rest, whole, err := c.splitter.Next(in, s.opt.MaxFrameBytes)
		if err != nil {
			s.bad(c.peer, err.Reason)
			return closedBadFrame, false
		}
		if !whole {
			break
		}
		in, ended = rest, true
		s.count.FramesIn.Add(1)
		if !c.spoken {
			c.spoken = true
			s.spoke(c)
		}
		if len(body) == 0 {
			c.pinged = true
			s.count.Pings.Add(1)
			continue
		}
		c.handle(body)
		if len(body) > readBytes {
			c.decoder.Forget()
		}
	}
	left := c.splitter.Buffered()
	switch {
	case left == 0:
		c.begun = time.Time{}
	case ended || before == 0:
		c.begun = time.Now()
	}
	if before != left {
		s.halves.set(c, left)
		if c.isEvicted() {
			return closedPartial, false
		}
	}
	return 0, true
}

// handle does what a body asks for.
func (c *conn) handle(body []byte) {
	s := c.server
	var m workerman.Message
	if err := c.decoder.Decode(body, &m); err != nil {
		s.bad(c.peer, err.Reason)
		return
	}
	s.count.Messages[m.Type].Add(1)
	refused := 0
	data := &shipment{data: m.Data, many: len(m.Channels) > 1}
	switch m.Type {
	case workerman.TypeSubscribe:
		refused = s.hub.subscribe(c, m.Channels, m.Mark)
	case workerman.TypeUnsubscribe:
		s.hub.unsubscribe(c, m.Channels)
	case workerman.TypePublish:
		for _, ch := range m.Channels {
			if s.bridge.takes(ch) {
				s.bridge.publish(c, ch, m.Data)
			} else {
				s.hub.publish(c, ch, data)
			}
		}
	case workerman.TypePublishLoop:
		for _, ch := range m.Channels {
			s.hub.publishLoop(c, ch, data)
		}
	case workerman.TypeWatch:
		refused = s.hub.watch(c, m.Channels)
	case workerman.TypeUnwatch:
		s.hub.unwatch(c, m.Channels)
	case workerman.TypeEnqueue:
		for _, ch := range m.Channels {
			if s.hub.enqueue(c, ch, m.Data) {
				refused++
			}
		}
	case workerman.TypeReserve:
		s.hub.reserve(c)
	default:
		s.bad(c.peer, workerman.ReasonType) // what only a server says
	}
	s.hub.beyond(m.Beyond)
	if refused += m.Beyond; refused > 0 {
		s.ration.Warn("channel: a limit was reached: the channels beyond it are refused, the others kept",
			"type", m.Type.String(), "named", len(m.Channels)+m.Beyond, "refused", refused,
			"of_one_connection", s.opt.MaxChannelsPerConn, "of_one_message", s.opt.MaxChannelsPerFrame, "peer", c.peer)
	}
}
