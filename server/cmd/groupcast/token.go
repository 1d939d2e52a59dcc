package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"groupcast/server/token"
)

// makeToken prints a token that a server with the same key takes.
func makeToken(ctx context.Context, flags tokenFlags, stdout io.Writer) error {
	if flags.TTL < time.Second {
		return fmt.Errorf("--ttl: wants a second at least, got %v", flags.TTL)
	}
	text, err := token.Sign(flags.KeyFile, token.Grant{
		User: flags.Sub, Join: flags.Join, Publish: flags.Publish,
		Members: flags.Members, Groups: flags.Groups,
		Issuer: flags.Issuer, Audience: flags.Audience, TTL: flags.TTL,
	}, time.Now())
	if err != nil {
		return err
	}
	// What no server would take is told here.
	checker, err := token.New(token.Options{KeyFiles: []string{flags.KeyFile}}, nil)
	if err != nil {
		return err
	}
	defer checker.Close()
	if _, err := checker.Check(ctx, text, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, text)
	return err
}
