// Command centrifuge-cluster is centrifuge-own in several processes: with the library's own broker for Redis between
// them, or with one for NATS, which the library leaves to who uses it (natsbroker.go).
package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/centrifugal/centrifuge"

	"groupcast/bench/peers/internal/centrifugeown"
	"groupcast/bench/peers/internal/serve"
)

func main() {
	serve.Main(func(ln net.Listener) error { return centrifugeown.Serve(ln, setBroker) })
}

// setBroker puts what -broker names between the processes.
func setBroker(node *centrifuge.Node) error {
	url := serve.Broker
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
