// Package centrifugeown is what the peers centrifuge-own and centrifuge-cluster share: the centrifuge library as its
// documentation shows it, a Node and the library's own WebSocket handler, which speaks Centrifuge's JSON protocol.
// Groups are channels that clients subscribe to and publish to.
package centrifugeown

import (
	"context"
	"net"
	"net/http"

	"github.com/centrifugal/centrifuge"

	"groupcast/bench/peers/internal/wire"
)

// Serve serves what comes to the listener. setBroker puts something between several processes, before the node runs;
// nil leaves the node its memory broker.
func Serve(ln net.Listener, setBroker func(*centrifuge.Node) error) error {
	node, err := centrifuge.New(centrifuge.Config{
		ClientQueueMaxSize: wire.MaxBacklogBytes,
		ClientChannelLimit: 4096,
	})
	if err != nil {
		return err
	}
	if setBroker != nil {
		if err := setBroker(node); err != nil {
			return err
		}
	}
	node.OnConnecting(func(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		// What waits for a client goes out in as few frames as may be, which suits it.
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{UserID: e.ClientID}, MaxMessagesInFrame: -1}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(_ centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
			done(centrifuge.SubscribeReply{}, nil)
		})
		client.OnPublish(func(_ centrifuge.PublishEvent, done centrifuge.PublishCallback) {
			done(centrifuge.PublishReply{}, nil)
		})
	})
	if err := node.Run(); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		ReadBufferSize:     1024,
		UseWriteBufferPool: true,
		MessageSizeLimit:   wire.MaxMessageBytes,
		CheckOrigin:        func(*http.Request) bool { return true },
	}))
	return http.Serve(ln, mux) //nolint:gosec // a benchmark's server needs no timeouts
}
