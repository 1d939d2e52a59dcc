package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// publishWithin bounds a publication: the server itself waits for two seconds at
// most.
const publishWithin = 30 * time.Second

// publish sends a message to a group and prints its place in the order.
func publish(ctx context.Context, flags publishFlags, stdin io.Reader, stdout io.Writer) error {
	client, info, err := flags.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	message := []byte(flags.Message)
	if flags.Message == "-" {
		if message, err = io.ReadAll(io.LimitReader(stdin, int64(info.MaxMessageBytes)+1)); err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
	}
	if len(message) > info.MaxMessageBytes {
		return fmt.Errorf("the message is over the server's limit of %d bytes (--max-message)", info.MaxMessageBytes)
	}
	ctx, cancel := context.WithTimeout(ctx, publishWithin)
	defer cancel()
	order, err := client.Publish(ctx, flags.Group, message)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, order)
	return err
}
