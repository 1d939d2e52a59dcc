// Command centrifuge-own serves channels with the centrifuge library in its own protocol, with its memory broker.
package main

import (
	"net"

	"groupcast/bench/peers/internal/centrifugeown"
	"groupcast/bench/peers/internal/serve"
)

func main() {
	serve.Main(func(ln net.Listener) error { return centrifugeown.Serve(ln, nil) })
}
