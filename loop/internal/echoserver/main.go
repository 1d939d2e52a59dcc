// Command echoserver sends every message back. It is groupcast's accept,
// handshake, parser, write and limit code with another handler behind the
// seam, for conformance suites that need an echo. It is not in the product.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/gobwas/ws"

	"groupcast/loop"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9001", "`host:port` to listen on; port 0 chooses one")
	maxMessage := flag.Int("max-message", 16<<20, "largest message in `bytes`")
	flag.Parse()
	if err := run(*addr, *maxMessage); err != nil {
		fmt.Fprintln(os.Stderr, "echoserver:", err)
		os.Exit(1)
	}
}

func run(addr string, maxMessage int) error {
	o := loop.DefaultOptions()
	o.Loops = runtime.GOMAXPROCS(0)
	o.MaxConns = 4096
	o.MaxFragments = 1 << 20
	o.MaxMessageBytes = maxMessage
	// An echo may wait behind a few others of its size, and a ring must take one.
	o.MaxBacklogBytes = max(o.MaxBacklogBytes, 4*maxMessage)
	o.RingBytes = max(o.RingBytes, 2*maxMessage)
	o.OnMessage = func(s *loop.Session, op ws.OpCode, payload []byte) { s.Send(op, payload) }

	engine, err := loop.New(o)
	if err != nil {
		return err
	}
	defer engine.Close()
	config := net.ListenConfig{KeepAlive: -1}
	ln, err := config.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println("listening on", ln.Addr())

	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- engine.Serve(ln) }()
	select {
	case err = <-served:
	case err = <-engine.Fatal():
	case <-stop.Done():
		err = ln.Close()
	}
	return err
}
