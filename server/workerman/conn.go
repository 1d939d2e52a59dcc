package workerman

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"groupcast/protocol/workerman"
)

// readBytes is the size of a connection's read buffer.
const readBytes = 8 << 10

// conn is one connection to a Server: a goroutine that reads and one that writes.
// Owner: the reading goroutine; subs, watches and node belong to the hub.
type conn struct {
	server *Server
	socket net.Conn
	peer   string // for the log
	out    *outbox

	mu      sync.Mutex // guards stopped, and the read deadline with it
	stopped bool

	pinged   bool
	splitter workerman.Splitter
	decoder  *workerman.Decoder

	subs    map[string]*subscription
	watches map[string]*watch
	node    string // the groupcast at the other end, if it says so
}

func (s *Server) newConn(socket net.Conn) *conn {
	return &conn{
		server:  s,
		socket:  socket,
		peer:    socket.RemoteAddr().String(),
		out:     newOutbox(s.opt.SendBufferBytes),
		decoder: workerman.NewDecoder(workerman.Limits{MaxDepth: s.opt.MaxDepth, MaxChannels: s.opt.MaxChannelsPerFrame}),
		subs:    make(map[string]*subscription),
		watches: make(map[string]*watch),
	}
}

// serve serves the connection until it ends.
func (c *conn) serve() {
	s := c.server
	c.out.wrote = func(_, bytes int) { s.count.BytesOut.Add(uint64(bytes)) }
	c.out.room = func() { s.hub.hasRoom(c) }
	written := make(chan struct{})
	go func() {
		defer close(written)
		if err := c.out.run(c.socket); err != nil {
			_ = c.socket.Close() // so that reading ends
		}
	}()
	why := c.read()
	s.reading.Done()
	s.partial.Add(-int64(c.splitter.Buffered()))
	if why == closedByUs {
		// Stay a subscriber until all that is on its way has come.
		<-s.flush
	}
	s.hub.drop(c)
	c.out.end()
	if why != closedByUs {
		_ = c.socket.Close()
	}
	<-written
	_ = c.socket.Close()
	left, _ := c.out.waiting()
	s.count.FramesDiscarded.Add(uint64(left))
	s.count.ConnsClosed[why].Add(1)
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
	closings
)

var closingNames = [closings]string{"peer", "shutdown", "bad_frame", "silent", "partial_frames", "not_allowed"}

// read serves frames until there are no more.
func (c *conn) read() closing {
	s := c.server
	buf := make([]byte, readBytes)
	for {
		if !c.mayRead() {
			return closedByUs
		}
		n, err := c.socket.Read(buf)
		s.count.BytesIn.Add(uint64(n))
		if why, ok := c.take(buf[:n]); !ok {
			return why
		}
		if err != nil {
			switch {
			case !errors.Is(err, os.ErrDeadlineExceeded):
				return closedByPeer
			case s.isClosing():
				return closedByUs
			}
			return closedSilent
		}
	}
}

// mayRead sets until when the peer must have said something; false if it is not
// to be read any more.
func (c *conn) mayRead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return false
	}
	if d := c.silence(); d > 0 {
		_ = c.socket.SetReadDeadline(time.Now().Add(d)) // of a dead socket reading will tell
	}
	return true
}

// stopReading ends read, behind the frame that is being served.
func (c *conn) stopReading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	_ = c.socket.SetReadDeadline(longAgo)
}

// silence is how long the connection may say nothing, 0 is for ever.
func (c *conn) silence() time.Duration {
	if c.pinged {
		return c.server.opt.PingTimeout
	}
	return c.server.opt.IdleTimeout
}

// take serves the frames that end in in.
func (c *conn) take(in []byte) (why closing, ok bool) {
	s := c.server
	for {
		before := c.splitter.Buffered()
		body, rest, whole, err := c.splitter.Next(in, s.opt.MaxFrameBytes)
		if err != nil {
			s.bad(c.peer, err.Reason)
			s.partial.Add(-int64(before) + int64(c.splitter.Buffered()))
			return closedBadFrame, false
		}
		grown := int64(c.splitter.Buffered() - before)
		if s.partial.Add(grown) > int64(s.opt.MaxPartialBytes) && grown > 0 {
			return closedPartial, false
		}
		if !whole {
			return 0, true
		}
		in = rest
		s.count.FramesIn.Add(1)
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
				s.hub.publish(c, ch, m.Data)
			}
		}
	case workerman.TypePublishLoop:
		for _, ch := range m.Channels {
			s.hub.publishLoop(c, ch, m.Data)
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
