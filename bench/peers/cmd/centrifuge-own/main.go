// Command centrifuge-own serves channels with the centrifuge library as its documentation shows it: a Node with
// its memory broker, and its own WebSocket handler, which speaks Centrifuge's JSON protocol. Groups are channels
// that clients subscribe to and publish to.
package main

import (
	"context"
	"net"
	"net/http"

	"github.com/centrifugal/centrifuge"

	"groupcast/bench/peers/internal/serve"
	"groupcast/bench/peers/internal/wire"
)

func main() { serve.Main(run) }

func run(ln net.Listener) error {
	node, err := centrifuge.New(centrifuge.Config{
		ClientQueueMaxSize: wire.MaxBacklogBytes,
		ClientChannelLimit: 4096,
	})
	if err != nil {
		return err
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
