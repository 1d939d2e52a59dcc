// Package serve is a peer's main function: its flag, its listener, its end.
package serve

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
)

// Main listens on the address that -addr gives, says so, and serves until SIGINT or SIGTERM.
func Main(serve func(net.Listener) error) {
	addr := flag.String("addr", "127.0.0.1:1234", "`host:port` to listen on")
	flag.Parse()
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		fail(err)
	}
	fmt.Println("listening on", ln.Addr())

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		os.Exit(0)
	}()
	fail(serve(ln))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
