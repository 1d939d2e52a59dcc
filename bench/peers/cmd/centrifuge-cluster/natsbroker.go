package main

import (
	"strings"
	"sync"

	"github.com/centrifugal/centrifuge"
	"github.com/nats-io/nats.go"
)

// natsBroker is the least that the library wants of one over NATS, without history and joins: a subject a channel,
// and the payload as it is, which suits it: nothing is encoded, and nothing parsed.
type natsBroker struct {
	url, node string
	conn      *nats.Conn
	events    centrifuge.BrokerEventHandler
	control   centrifuge.ControlEventHandler

	mu            sync.Mutex
	subscriptions map[string]*nats.Subscription
}

var (
	_ centrifuge.Broker     = (*natsBroker)(nil)
	_ centrifuge.Controller = (*natsBroker)(nil)
)

const (
	channels = "centrifuge.client."
	allNodes = "centrifuge.control"
	oneNode  = "centrifuge.node."
)

// connected connects once: the library calls both Register methods, in no order that it promises.
func (b *natsBroker) connected() (err error) {
	if b.conn != nil {
		return nil
	}
	b.subscriptions = make(map[string]*nats.Subscription)
	b.conn, err = nats.Connect(b.url, nats.ReconnectBufSize(-1), nats.MaxReconnects(-1))
	return err
}

func (b *natsBroker) RegisterBrokerEventHandler(h centrifuge.BrokerEventHandler) error {
	b.events = h
	return b.connected()
}

func (b *natsBroker) RegisterControlEventHandler(h centrifuge.ControlEventHandler) error {
	b.control = h
	if err := b.connected(); err != nil {
		return err
	}
	for _, subject := range []string{allNodes, oneNode + b.node} {
		if _, err := b.conn.Subscribe(subject, func(m *nats.Msg) { _ = b.control.HandleControl(m.Data) }); err != nil {
			return err
		}
	}
	return nil
}

func (b *natsBroker) PublishControl(data []byte, node, _ string) error {
	if node == "" {
		return b.conn.Publish(allNodes, data)
	}
	return b.conn.Publish(oneNode+node, data)
}

func (b *natsBroker) Subscribe(names ...string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range names {
		if b.subscriptions[name] != nil {
			continue
		}
		s, err := b.conn.Subscribe(channels+name, func(m *nats.Msg) {
			_ = b.events.HandlePublication(strings.TrimPrefix(m.Subject, channels), &centrifuge.Publication{Data: m.Data},
				centrifuge.StreamPosition{}, false, nil)
		})
		if err != nil {
			return err
		}
		b.subscriptions[name] = s
	}
	return nil
}

func (b *natsBroker) Unsubscribe(names ...string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range names {
		if s := b.subscriptions[name]; s != nil {
			delete(b.subscriptions, name)
			if err := s.Unsubscribe(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *natsBroker) Publish(name string, data []byte, _ centrifuge.PublishOptions) (centrifuge.PublishResult, error) {
	return centrifuge.PublishResult{}, b.conn.Publish(channels+name, data)
}

func (b *natsBroker) PublishJoin(string, *centrifuge.ClientInfo) error  { return nil }
func (b *natsBroker) PublishLeave(string, *centrifuge.ClientInfo) error { return nil }

func (b *natsBroker) History(string, centrifuge.HistoryOptions) (
	[]*centrifuge.Publication, centrifuge.StreamPosition, error,
) {
	return nil, centrifuge.StreamPosition{}, centrifuge.ErrorNotAvailable
}

func (b *natsBroker) RemoveHistory(string) error { return centrifuge.ErrorNotAvailable }
