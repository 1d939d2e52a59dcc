package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"groupcast/loop"
	"groupcast/server/control"
)

// publishWithin bounds a publication: the server itself waits for two seconds at
// most.
const publishWithin = 30 * time.Second

// publish sends a message to a group, to users or to both, and prints its place in the order.
func publish(ctx context.Context, flags publishFlags, stdin io.Reader, stdout io.Writer) error {
	groups, text, err := flags.what()
	if err != nil {
		return err
	}
	client, info, err := flags.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, group := range groups {
		if err := checkGroup(group, info.MaxGroupBytes); err != nil {
			return err
		}
	}
	for _, user := range flags.Users {
		if !loop.ValidUser(user) {
			return fmt.Errorf("--user: wants UTF-8, 1 to %d bytes, got %q", loop.MaxUserBytes, user)
		}
	}
	message := []byte(text)
	if text == "-" {
		if message, err = io.ReadAll(io.LimitReader(stdin, int64(info.MaxMessageBytes)+1)); err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
	}
	if len(message) > info.MaxMessageBytes {
		return fmt.Errorf("the message is over the server's limit of %d bytes (--max-message)", info.MaxMessageBytes)
	}
	ctx, cancel := context.WithTimeout(ctx, publishWithin)
	defer cancel()
	order, err := send(ctx, client, groups, flags.Users, message)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, order)
	return err
}

// what is to be published, and to which groups: the one argument beside users is the message.
func (f publishFlags) what() (groups []string, message string, err error) {
	switch {
	case f.Message != nil:
		return []string{*f.Group}, *f.Message, nil
	case len(f.Users) > 0 && f.Group != nil:
		return nil, *f.Group, nil
	case len(f.Users) > 0:
		return nil, "", errors.New("publish: wants --user USER MESSAGE, got no message")
	case f.Group != nil:
		return nil, "", errors.New("publish: wants GROUP MESSAGE, or --user USER MESSAGE, got one argument")
	}
	return nil, "", errors.New("publish: wants GROUP MESSAGE, or --user USER MESSAGE, got none")
}

// send publishes to a group as it is; JSON, which users want, is UTF-8.
func send(ctx context.Context, client *control.Client, groups, users []string, message []byte) (uint64, error) {
	switch {
	case len(users) == 0:
		return client.Publish(ctx, groups[0], message)
	case !utf8.Valid(message):
		return 0, loop.ErrNotUTF8
	}
	return client.PublishTo(ctx, groups, users, message)
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
