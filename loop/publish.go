package loop

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Publish sends text to every member of a group, from outside the loops, and
// returns its place in the broker's order. It waits for room until ctx ends:
// the error is then ErrOverloaded and nothing was published, or ctx's own and it
// was, but its order is not known; ErrDraining after Drain, ErrClosed after
// Close. Text that is not UTF-8 or over MaxMessageBytes, in either mode's
// encoding of the payload, is refused. group and text are copied.
func (e *Engine) Publish(ctx context.Context, group string, text []byte) (order uint64, err error) {
	switch {
	case len(group) == 0 || len(group) > e.opt.MaxGroupBytes || !utf8.ValidString(group):
		return 0, fmt.Errorf("publish: %w", ErrBadGroup)
	case len(text) > e.opt.MaxMessageBytes || overLimit(text, e.opt.MaxMessageBytes):
		return 0, fmt.Errorf("publish: %w", ErrTooLarge)
	case !utf8.Valid(text):
		return 0, fmt.Errorf("publish: %w", ErrNotUTF8)
	}
	return e.broker.publish(ctx, newMessage([]byte(group), text, nil, true))
}

// Errors of Publish about its arguments.
var (
	ErrBadGroup = errors.New("a group's name is UTF-8 and not empty, within the limit")
	ErrTooLarge = errors.New("message over the limit")
	ErrNotUTF8  = errors.New("message is not UTF-8")
)
