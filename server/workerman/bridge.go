package workerman

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"groupcast/loop"
	"groupcast/loop/ration"
	"groupcast/protocol/workerman"
)

// bridge is a Server's connection to the groups. An event for a group goes
// through the broker and comes back out of the sink before subscribers get it,
// so that they and the groups' members agree on one order.
//
// Owner: publish is for the connections' goroutines, run for one of its own.
type bridge struct {
	node    *Node
	hub     *hub
	broker  Broker
	sink    *loop.Sink
	channel workerman.Channel
	timeout time.Duration // PublishTimeout
	log     *ration.Logger
	most    atomic.Int64 // MaxMessageBytes

	// stop ends waiting.
	stop   context.Context
	cancel context.CancelFunc
	ended  chan struct{} // closed when run has returned
	// lost is closed, and replaced, when the sink has dropped something: a goroutine that
	// waits may do so in vain.
	lost atomic.Pointer[chan struct{}]

	count BridgeCounters
}

func newBridge(o *Options, node *Node, h *hub, broker Broker, log *slog.Logger) *bridge {
	b := &bridge{
		node:    node,
		hub:     h,
		broker:  broker,
		sink:    broker.NewSink(loop.SinkOptions{Name: "channel-server", MaxMessages: o.SinkMessages, MaxBytes: o.SinkBytes}),
		channel: workerman.Channel{Name: []byte(o.Channel)},
		timeout: o.PublishTimeout,
		log:     ration.New(log),
		ended:   make(chan struct{}),
	}
	b.stop, b.cancel = context.WithCancel(context.Background())
	b.lost.Store(new(make(chan struct{})))
	b.most.Store(int64(o.MaxMessageBytes))
	return b
}

// takes says whether events on the channel are the bridge's.
func (b *bridge) takes(c workerman.Channel) bool {
	return b != nil && string(c.Name) == string(b.channel.Name)
}

// publish has the group and the subscribers get an event of from. It returns
// when the subscribers have it, so that a publisher's events keep their order:
// until then from is not read. What the group is refused, subscribers get at
// once.
func (b *bridge) publish(from *conn, ch workerman.Channel, d workerman.Data) {
	g, isArray := d.GroupMessage()
	if !isArray {
		b.refuse(from, RefusedShape)
		b.hub.publish(from, ch, &shipment{data: d})
		return
	}
	p, mark, refused := publication(&g, int(b.most.Load()))
	if mark.Has(b.node.ID) {
		b.count.Own.Add(1) // everybody here has had it
		return
	}
	if refused != accepted {
		b.refuse(from, refused)
		b.hub.publish(from, ch, &shipment{data: d})
		return
	}
	r, own := newRelay(d, len(p.Payload), mark)
	r.data.Store(own)
	r.form = ch.IsInt
	r.done = make(chan struct{})
	p.From, p.Tag = b.sink, r

	lost := *b.lost.Load()
	ctx, cancel := context.WithTimeout(b.stop, b.timeout)
	defer cancel()
	_, err := b.broker.PublishAll(ctx, p)
	switch refused := refusalOf(err); refused {
	case accepted:
		b.count.ToGroups.Add(1)
		select {
		case <-r.done:
		case <-lost:
		case <-b.stop.Done():
		}
	case RefusedLate:
		b.count.ToGroups.Add(1) // it will come out of the sink
		b.refuse(from, refused)
	default:
		b.refuse(from, refused)
		if data := r.take(); data != nil {
			b.hub.publish(from, ch, &shipment{data: *data})
		}
	}
}

func (b *bridge) refuse(from *conn, why Refusal) {
	b.count.Refused[why].Add(1)
	b.log.Log(slog.LevelWarn, refusalNames[why], "channel: an event was not published to its group as it came", "reason",
		refusalNames[why], "peer", from.peer)
}

// run hands what the broker orders to the subscribers, until the sink is closed.
func (b *bridge) run() {
	defer close(b.ended)
	for {
		m, err := b.sink.Next(context.Background())
		switch {
		case errors.Is(err, loop.ErrSinkMissed):
			b.letGo()
			continue
		case err != nil:
			return
		}
		r, _ := m.Tag.(*relay)
		b.deliver(&m, r)
		if r != nil && m.From == b.sink {
			r.finish()
		}
	}
}

// close takes the bridge out of the broker and returns when the subscribers have
// what was on its way.
func (b *bridge) close() {
	b.sink.Close()
	<-b.ended
	b.cancel()
}

// deliver hands one message to the subscribers: to PHP programs as it came, or
// as they would have sent it; to other groupcasts with our mark, unless it
// came through them.
func (b *bridge) deliver(m *loop.SinkMessage, r *relay) {
	ch := b.channel
	var data workerman.Data
	switch {
	case r != nil && m.From == b.sink:
		own := r.take()
		if own == nil {
			return
		}
		data, ch.IsInt = *own, r.form
	case r != nil:
		data = r.kept // of our Client
	}
	var forPHP, forNodes *event
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	taken := b.hub.publishEvents(ch.Name, func(c *conn) *event {
		if c.node == "" {
			if forPHP == nil {
				if data.Bytes == nil {
					data = plain(m)
				}
				forPHP = b.hub.newEvent(workerman.TypeEvent, ch, &shipment{data: data})
			}
			return forPHP
		}
		if c.node == b.node.ID || r != nil && r.mark.Has(c.node) {
			return nil
		}
		if forNodes == nil {
			marked, stripped, ok := b.node.marked(m, r)
			if !ok {
				b.count.TooFar.Add(1)
				return nil
			}
			if stripped {
				b.count.Stripped.Add(1)
			}
			forNodes = b.hub.newEvent(workerman.TypeEvent, ch, &shipment{data: marked})
		}
		return forNodes
	})
	if taken > 0 {
		b.count.ToSubscribers.Add(1)
	}
	for _, e := range []*event{forPHP, forNodes} {
		if e != nil && e.tooLong {
			b.hub.onBad("groups", workerman.ReasonFrameLong)
		}
	}
}

// letGo ends the waiting of each goroutine that waits for a message that the sink may have
// dropped: because it was full, or because the message alone is larger than it.
func (b *bridge) letGo() {
	close(*b.lost.Swap(new(make(chan struct{}))))
	b.log.Warn("channel: subscribers missed messages: the way from the broker was full", "dropped", b.sink.Stats().Dropped)
}
