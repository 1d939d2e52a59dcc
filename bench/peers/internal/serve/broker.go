package serve

import "flag"

// Broker is what -broker says: what is between several processes of a peer, as a URL; "" where there is one process. It
// is known once Main has called the peer.
var Broker string

func init() {
	flag.StringVar(&Broker, "broker", "", "`nats://host:port or redis://host:port` between several processes")
}
