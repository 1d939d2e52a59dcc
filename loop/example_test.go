package loop_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"groupcast/loop"
)

// An engine is the loops without anything around them: it serves listeners of the caller's,
// and a message that is published reaches every member over all of them.
func Example() {
	options := loop.DefaultOptions()
	options.Loops, options.Logger = 2, slog.New(slog.DiscardHandler)
	engine, err := loop.New(options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- engine.Serve(listener) }()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	order, err := engine.Publish(ctx, "123", []byte("hi"))
	fmt.Fprintln(os.Stdout, "place in the order:", order, err)

	_ = listener.Close()
	fmt.Fprintln(os.Stdout, <-served, engine.Close())
	// Output:
	// place in the order: 1 <nil>
	// <nil> <nil>
}
