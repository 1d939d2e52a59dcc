package control

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"groupcast/server/problem"
)

// fakeChannel is a Channel server with one queue.
type fakeChannel struct{ purged string }

func (f *fakeChannel) Queues(limit int) ([]Queue, int) {
	return []Queue{{Name: "a b&c", Messages: limit}}[:min(limit, 1)], 7
}

func (f *fakeChannel) PurgeQueue(name string) (int, bool) {
	f.purged = name
	return 3, name == "a b&c\xff"
}

func (f *fakeChannel) Connections() []ChannelConnection {
	return []ChannelConnection{{Kind: "channel", Peer: "127.0.0.1:5", Channels: 2, IdleSeconds: 1.5}}
}

func TestChannel(t *testing.T) {
	p, channel := (&fake{}).process(), &fakeChannel{}
	p.Channel = func() Channel { return channel }
	c := serve(t, Handler(p, nil))
	list, err := c.Queues(t.Context(), 5)
	if err != nil || list.All != 7 || len(list.Queues) != 1 || list.Queues[0].Name != "a b&c" ||
		list.Queues[0].Messages != 5 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := c.Queues(t.Context(), 0); err == nil ||
		!strings.Contains(err.Error(), `limit: wants 1 to 1000, got "0"`) {
		t.Errorf("%v", err)
	}
	if n, err := c.PurgeQueue(t.Context(), "a b&c\xff"); n != 3 || err != nil {
		t.Errorf("%d, %v, purged %q", n, err, channel.purged)
	}
	if _, err := c.PurgeQueue(t.Context(), "other"); err == nil || err.Error() != `there is no queue "other"` {
		t.Errorf("%v", err)
	}
	conns, raw, err := c.ChannelConnections(t.Context())
	if err != nil || len(conns) != 1 || conns[0].Peer != "127.0.0.1:5" || conns[0].IdleSeconds != 1.5 ||
		!strings.Contains(string(raw[0]), `"kind":"channel"`) {
		t.Errorf("%+v, %s, %v", conns, raw, err)
	}
}

// TestNoChannel: without a Channel server there are no connections to it, and a
// queue is asked for in vain.
func TestNoChannel(t *testing.T) {
	for _, get := range []func() Channel{nil, func() Channel { return nil }} {
		p := (&fake{}).process()
		p.Channel = get
		c := serve(t, Handler(p, nil))
		if conns, _, err := c.ChannelConnections(t.Context()); err != nil || len(conns) != 0 {
			t.Errorf("%+v, %v", conns, err)
		}
		_, err := c.Queues(t.Context(), 5)
		if refused, ok := errors.AsType[*problem.RequestError](err); !ok || refused.Status != http.StatusNotFound ||
			err.Error() != errNoChannel.Error() {
			t.Errorf("%v", err)
		}
	}
}
