package workerman

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"groupcast/loop"
	"groupcast/loop/ration"
	"groupcast/protocol/workerman"
	"groupcast/server/door"
)

// Client takes a worker's place in a Workerman cluster: it subscribes to the
// group channel of a Channel server, has the groups here get what comes, and
// publishes there what was published here. It reconnects for ever. Its methods
// may be called from any goroutine.
//
// What is published while it is away is not kept: the cluster misses it, as it
// misses what a worker that restarts would have sent.
type Client struct {
	opt     ClientOptions
	log     *slog.Logger
	ration  *ration.Logger
	node    *Node
	broker  Broker
	sink    *loop.Sink
	channel workerman.Channel

	stop    context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	count   ClientCounters
	handled atomic.Uint64 // messages of the sink
	most    atomic.Int64  // MaxMessageBytes

	mu     sync.Mutex // guards what follows
	out    *outbox    // nil while away
	socket net.Conn   // nil while away; for Flush
	joined int        // how often
	status Status
}

// Join starts a client. node is shared with this process's Server.
func Join(o ClientOptions, node *Node, broker Broker) (*Client, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	c := &Client{
		opt:    o,
		log:    o.Logger,
		node:   node,
		broker: broker,
		sink: broker.NewSink(loop.SinkOptions{
			Name: "channel-client", MaxMessages: o.SinkMessages, MaxBytes: o.SinkBytes,
			SkipOwn: true,
		}),
		channel: workerman.Channel{Name: []byte(o.Channel)},
		status:  Status{Address: o.Address, Since: time.Now()},
	}
	if c.log == nil {
		c.log = slog.Default()
	}
	c.log = c.log.With("server", o.Address)
	c.ration = ration.New(c.log)
	c.most.Store(int64(o.MaxMessageBytes))
	c.stop, c.cancel = context.WithCancel(context.Background())
	c.running.Go(c.forward)
	c.running.Go(c.stay)
	return c, nil
}

// SetMaxMessageBytes is MaxMessageBytes from now on.
func (c *Client) SetMaxMessageBytes(n int) { c.most.Store(int64(n)) }

// Close leaves the cluster: what waits is written, and the server has two seconds
// to take it.
func (c *Client) Close() error {
	c.cancel()
	c.sink.Close()
	c.running.Wait()
	return nil
}

// Flush returns when the server has all that the broker had ordered before (where
// the system cannot tell, when it has been written), when the client is away, or
// with ctx's error.
func (c *Client) Flush(ctx context.Context) error {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for taken := c.sink.Stats().Taken; ; {
		done := c.handled.Load() >= taken
		c.mu.Lock()
		if c.out == nil {
			done = true
		} else if waiting, _ := c.out.waiting(); waiting > 0 || unacknowledged(c.socket) > 0 {
			done = false
		}
		c.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stay connects, again and again.
func (c *Client) stay() {
	pause := time.Duration(0) // before the next attempt
	for c.stop.Err() == nil {
		began := time.Now()
		err := c.visit()
		if c.stop.Err() != nil {
			return
		}
		c.away(err)
		pause = c.opt.nextPause(pause, time.Since(began))
		select {
		case <-time.After(jittered(pause)):
		case <-c.stop.Done():
		}
	}
}

// nextPause follows the pause last, and a visit that lasted. A visit that was
// long was a good one; one that is cut at once is not.
func (o *ClientOptions) nextPause(last, lasted time.Duration) time.Duration {
	if lasted > o.RetryMax {
		return o.RetryMin
	}
	return min(max(2*last, o.RetryMin), o.RetryMax)
}

// jittered is between a half of d and all of it, so that the nodes of a cluster
// do not come back all at once.
func jittered(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// away notes the end of a connection, or that there was none.
func (c *Client) away(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.status.Connected
	first := c.status.LastError == ""
	c.status.LastError = err.Error()
	if was {
		c.status.Connected, c.status.Since = false, time.Now()
	}
	if was || first {
		c.log.Warn("channel: away from the cluster, trying again", "err", err)
	}
}

// visit connects and stays until the connection ends.
func (c *Client) visit() error {
	c.mu.Lock()
	c.status.Attempts++
	c.mu.Unlock()
	at, err := door.Parse(c.opt.Address)
	if err != nil {
		return err
	}
	socket, err := c.dial(at)
	if err != nil {
		return err
	}
	defer socket.Close()

	// Subscribed first: nothing of ours can be there before.
	hello := workerman.Message{
		Type: workerman.TypeSubscribe, Channels: []workerman.Channel{c.channel},
		Mark: []byte(c.node.ID),
	}
	_ = socket.SetWriteDeadline(time.Now().Add(c.opt.WriteTimeout)) // a dead socket's write says so
	if _, err := socket.Write(hello.AppendFrame(nil)); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}

	out := newOutbox(c.opt.SendBufferBytes)
	until := deadlines{socket: socket, write: c.opt.WriteTimeout}
	out.before = until.beforeWrite
	// At the end what waits is written, and nothing more is read but by linger.
	stop := context.AfterFunc(c.stop, func() {
		until.leave(time.Now().Add(leaveWithin))
		out.end()
	})
	defer stop()
	out.wrote = func(frames, bytes int) {
		c.count.Forwarded.Add(uint64(frames))
		c.count.BytesOut.Add(uint64(bytes))
	}
	written := make(chan error, 1)
	go func() {
		err := out.run(socket)
		if c.stop.Err() == nil {
			_ = socket.Close() // so that reading ends
		}
		written <- err
	}()
	left := make(chan struct{})
	pinged := make(chan struct{})
	go func() {
		defer close(pinged)
		c.ping(socket, out, left)
	}()
	c.arrived(out, socket)
	readErr := c.read(socket)

	c.mu.Lock()
	c.out, c.socket = nil, nil
	c.mu.Unlock()
	out.end()
	if c.stop.Err() == nil {
		_ = socket.Close()
	}
	close(left)
	<-pinged
	writeErr := <-written
	if c.stop.Err() != nil {
		c.left(linger(socket, until.isOver))
	}
	unsent, _ := out.waiting()
	c.count.NotForwarded.Add(uint64(unsent))
	if writeErr != nil && !errors.Is(writeErr, net.ErrClosed) {
		return fmt.Errorf("write: %w", writeErr)
	}
	return readErr
}

// leaveWithin is how long a client that is closed waits for the server to take
// what was written.
const leaveWithin = 2 * time.Second

// deadlines are those of a connection that a client may leave.
type deadlines struct {
	socket net.Conn
	write  time.Duration // for one write

	mu   sync.Mutex
	last time.Time // of all; zero until leave
}

// beforeWrite sets the deadline of a write.
func (d *deadlines) beforeWrite() {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := time.Now().Add(d.write)
	if !d.last.IsZero() {
		at = d.last
	}
	_ = d.socket.SetWriteDeadline(at) // a dead socket's write says so
}

// leave ends reading now, and writing at last.
func (d *deadlines) leave(last time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = last
	_ = d.socket.SetReadDeadline(longAgo)
	_ = d.socket.SetWriteDeadline(last)
}

func (d *deadlines) isOver() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.last.IsZero() && time.Now().After(d.last)
}

// left notes how many bytes the server had not taken when the client left it.
func (c *Client) left(unread int) {
	if unread > 0 {
		c.count.BytesUndelivered.Add(uint64(unread))
		c.log.Warn("channel: the server had not taken everything when this one left it", "bytes", unread)
	}
}

// ping says something whenever there is nothing else to be said.
func (c *Client) ping(socket net.Conn, out *outbox, left <-chan struct{}) {
	ticker := time.NewTicker(c.opt.PingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-left:
			return
		}
		if waiting, _ := out.waiting(); waiting > 0 {
			continue
		}
		out.before()
		if _, err := socket.Write(workerman.AppendPing(nil)); err != nil {
			_ = socket.Close()
			return
		}
	}
}

func (c *Client) arrived(out *outbox, socket net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.Connected, c.status.Since, c.status.LastError = true, time.Now(), ""
	if c.joined++; c.joined > 1 {
		c.status.Reconnects++
	}
	c.out, c.socket = out, socket
	c.log.Info("channel: joined the cluster")
}

// errEnded is what a connection ended with that the server closed.
var errEnded = errors.New("the server closed the connection")

// read takes what the server sends until the connection ends.
func (c *Client) read(socket net.Conn) error {
	var splitter workerman.Splitter
	decoder := workerman.NewDecoder(workerman.DefaultLimits())
	buf := make([]byte, readBytes)
	for {
		n, err := socket.Read(buf)
		c.count.BytesIn.Add(uint64(n))
		for in := buf[:n]; ; {
			body, rest, ok, err := splitter.Next(in, c.opt.MaxFrameBytes)
			if err != nil {
				c.count.Bad[err.Reason].Add(1)
				return err
			}
			if !ok {
				break
			}
			in = rest
			if len(body) > 0 {
				c.take(decoder, body)
			}
			if len(body) > readBytes {
				decoder.Forget()
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return errEnded
		case err != nil:
			return fmt.Errorf("read: %w", err)
		}
	}
}

// take has a group get an event.
func (c *Client) take(decoder *workerman.Decoder, body []byte) {
	var m workerman.Message
	if err := decoder.Decode(body, &m); err != nil {
		c.bad(err.Reason)
		return
	}
	if m.Type != workerman.TypeEvent || string(m.Channels[0].Name) != c.opt.Channel {
		c.bad(workerman.ReasonType) // nothing that we asked for
		return
	}
	g, isArray := m.Data.GroupMessage()
	if !isArray {
		c.refuse(RefusedShape)
		return
	}
	p, mark, refused := publication(&g, int(c.most.Load()))
	switch {
	case mark.Has(c.node.ID):
		c.count.Own.Add(1)
		return
	case mark.Hops() > 0 && c.node.hasPeer(mark.Last()):
		// Joined to each other: it publishes the same at our Server.
		c.count.Twice.Add(1)
		return
	case refused != accepted:
		c.refuse(refused)
		return
	}
	r, _ := newRelay(m.Data, len(p.Payload), mark)
	p.From, p.Tag = c.sink, r
	ctx, cancel := context.WithTimeout(c.stop, c.opt.PublishTimeout)
	defer cancel()
	_, err := c.broker.PublishAll(ctx, p)
	refused = refusalOf(err)
	if refused == accepted || refused == RefusedLate {
		c.count.Received.Add(1)
	}
	if refused != accepted {
		c.refuse(refused)
	}
}

func (c *Client) refuse(why Refusal) {
	c.count.Refused[why].Add(1)
	c.ration.Log(slog.LevelWarn, refusalNames[why], "channel: an event was not published to its group as it came",
		"reason", refusalNames[why])
}

func (c *Client) bad(why workerman.Reason) {
	c.count.Bad[why].Add(1)
	c.ration.Log(slog.LevelWarn, "refused "+why.String(), "channel: a message was refused", "reason", why.String())
}

// forward publishes to the cluster what was published here.
func (c *Client) forward() {
	for {
		m, err := c.sink.Next(context.Background())
		if errors.Is(err, loop.ErrSinkMissed) {
			continue // counted by the sink
		}
		if err != nil {
			return
		}
		c.send(&m)
		c.handled.Add(1)
	}
}

func (c *Client) send(m *loop.SinkMessage) {
	c.mu.Lock()
	out := c.out
	c.mu.Unlock()
	r, _ := m.Tag.(*relay)
	if out != nil && out.offer(&forwarded{client: c, message: m, relay: r}) {
		return
	}
	c.count.NotForwarded.Add(1)
	c.ration.Warn("channel: a message was not forwarded to the cluster", "connected", out != nil)
}

// forwarded is a message for the cluster, which is only encoded if it is taken.
type forwarded struct {
	client  *Client
	message *loop.SinkMessage
	relay   *relay
}

// frame is none if the message has come far enough, or is too long.
func (f *forwarded) frame() frame {
	c := f.client
	data, stripped, ok := c.node.marked(f.message, f.relay)
	if !ok {
		c.count.TooFar.Add(1)
		return frame{}
	}
	if stripped {
		c.count.Stripped.Add(1)
	}
	m := workerman.Message{Type: workerman.TypePublish, Channels: []workerman.Channel{c.channel}, Data: data}
	text := m.AppendFrame(make([]byte, 0, m.MaxLen()))
	if len(text) > c.opt.MaxFrameBytes {
		c.count.NotForwarded.Add(1) // no server would take it
		return frame{}
	}
	return newFrame(text, nil)
}
