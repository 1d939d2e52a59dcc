// Command centrifuge-cluster is centrifuge-own in several processes: with the library's own broker for Redis between
// them, or with one for NATS, which the library leaves to who uses it (natsbroker.go).
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"

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
	if err := connect(node, serve.Broker); err != nil {
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

func connect(node *centrifuge.Node, url string) error {
	scheme, address, _ := strings.Cut(url, "://")
	switch scheme {
	case "redis":
		shard, err := centrifuge.NewRedisShard(node, centrifuge.RedisShardConfig{Address: address})
		if err != nil {
			return err
		}
		broker, err := centrifuge.NewRedisBroker(node, centrifuge.RedisBrokerConfig{Shards: []*centrifuge.RedisShard{shard}})
		if err != nil {
			return err
		}
		node.SetBroker(broker)
	case "nats":
		broker := &natsBroker{url: url, node: node.ID()}
		node.SetBroker(broker)
		node.SetController(broker)
	default:
		return fmt.Errorf("-broker: wants nats://HOST:PORT or redis://HOST:PORT, got %q", url)
	}
	return nil
}
