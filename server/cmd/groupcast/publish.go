package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"
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
	if err := checkGroup(flags.Group, info.MaxGroupBytes); err != nil {
		return err
	}
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

// checkGroup says what is wrong with a group's name. The server would, too, but
// not how long a name may be.
func checkGroup(name string, maxBytes int) error {
	switch {
	case name == "":
		return errors.New("GROUP: wants a name, got an empty one")
	case len(name) > maxBytes && maxBytes > 0:
		return fmt.Errorf("GROUP: wants at most %d bytes (--max-group-name), got %d", maxBytes, len(name))
	case !utf8.ValidString(name):
		return fmt.Errorf("GROUP: wants UTF-8, got %q", name)
	}
	return nil
}
