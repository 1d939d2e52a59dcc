package process

import (
	"context"
	"fmt"
	"net"
	"time"
)

// pollEvery is the time between two questions whether a program is ready.
const pollEvery = 10 * time.Millisecond

// Await calls ready until it returns nil. The error says why that did not come, with what the program printed: it has
// ended, ctx has, or the time is over.
func (p *Process) Await(ctx context.Context, within time.Duration, ready func() error) error {
	for deadline := time.Now().Add(within); ; time.Sleep(pollEvery) {
		err := ready()
		switch {
		case err == nil:
			return nil
		case !p.Alive():
			return p.Err()
		case ctx.Err() != nil:
			return fmt.Errorf("%s is not ready: %w%s", p.name, ctx.Err(), p.quoted())
		case time.Now().After(deadline):
			return fmt.Errorf("%s is not ready within %v: %w%s", p.name, within, err, p.quoted())
		}
	}
}

// AwaitListening returns when the program accepts connections at the address, over TCP.
func (p *Process) AwaitListening(ctx context.Context, within time.Duration, address string) error {
	return p.Await(ctx, within, func() error {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	})
}
